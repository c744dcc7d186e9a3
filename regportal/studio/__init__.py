"""Where the people of the company work: an application of its own (docs/decisions/0021)."""
