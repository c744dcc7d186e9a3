"""The CRMs we can talk to."""
