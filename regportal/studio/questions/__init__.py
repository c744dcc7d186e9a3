"""The question bank: what is asked where, in which words, and what became of it."""
