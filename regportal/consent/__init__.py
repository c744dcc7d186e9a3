"""What they allow: one newsletter at a time, with the evidence."""
