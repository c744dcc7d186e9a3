"""CRMs to try a connector on: with records, their vendor's rules, and bad luck when asked for."""
