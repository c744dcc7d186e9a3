"""The letters we send."""
