"""What it means: phases and opportunities; reads the log, writes the outbox."""
