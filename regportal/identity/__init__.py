"""Who it is: visitors, claims, contacts."""
