"""Benchmarks; ``python -m benchmarks --list`` explains each in one line."""
