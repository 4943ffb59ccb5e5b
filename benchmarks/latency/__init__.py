"""Latency and cost."""
