"""What we give: assets and their links."""
