"""Word error rates and false text."""
