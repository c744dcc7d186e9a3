"""Telling whoever looks after an opportunity that a customer moved it."""
