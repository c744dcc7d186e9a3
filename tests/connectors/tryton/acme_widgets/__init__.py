"""What the people of Acme added to their Tryton: a field, a rule, and a way to win."""
