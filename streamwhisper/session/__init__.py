"""The listening wing's state: window, agreement and the sans-I/O session."""
