"""What we owe the CRM: written with the fact, delivered later."""
