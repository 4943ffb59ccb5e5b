"""Recognizers, and the scheduler that shares one among sessions."""
