"""Where marketers make a gate: the way to it, its drafts, its versions, its lines for a page."""
