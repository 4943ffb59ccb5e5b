"""Ray clusters, measured and simulated."""
