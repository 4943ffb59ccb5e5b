"""Sound: formats, the ring buffer, log-mel frames and files. NumPy only, no torch."""
