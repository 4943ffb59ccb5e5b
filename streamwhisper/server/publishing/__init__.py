"""Observers of sessions: rooms for viewers, recordings and their recovery."""
