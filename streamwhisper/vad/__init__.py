"""Voice activity detection: the networks and the gate. NumPy only, no torch."""
