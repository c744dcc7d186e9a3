"""What lists show of people, kept in the order in which they are listed."""
