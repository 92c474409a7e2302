"""Loading plugins in isolation, naming them, calling their hooks."""
