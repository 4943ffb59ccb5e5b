"""Dictation: from a microphone into any window."""
