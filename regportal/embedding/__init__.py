"""What a page of somebody else needs to show a gate, and what keeps it from showing it."""
