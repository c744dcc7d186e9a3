"""Stands at events: a tablet that is passed from hand to hand, and is often without a line."""
