"""regportal: one question more at every return, and what it means for the sale."""
