"""What the CRM tells us: verified, kept raw, then understood."""
