"""What we ask: gates, and one question more per visit."""
