"""Subtitle files from transcripts and from live text."""
