"""Dictation with the microphone, into the terminal or any app."""
