"""Sans-I/O session of one speaker: endpointing, windows, agreement and language detection."""
