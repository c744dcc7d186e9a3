"""Who of the company may come in, and what they may do there."""
