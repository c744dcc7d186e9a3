"""What people may ask of us: see it, take it, correct it, be forgotten."""
