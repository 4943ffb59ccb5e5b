"""Other engines on the same audio."""
