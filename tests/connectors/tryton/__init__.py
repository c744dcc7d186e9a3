"""A real Tryton for the tests: its template, its server, and what Acme added to it."""
