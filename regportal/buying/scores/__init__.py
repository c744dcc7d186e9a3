"""How much attention somebody deserves, and for what: named scores, each with its reasons."""
