"""The visit simulator: what somebody meets who comes again and again."""
