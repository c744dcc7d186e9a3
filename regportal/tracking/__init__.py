"""What they did: every interaction, under a name, with its time: the log."""
