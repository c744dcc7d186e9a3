"""Rules tried on one's own history, before they are published."""
