"""Audio: formats, containers, files, ring buffer and log-mel frames. NumPy only, no torch."""
