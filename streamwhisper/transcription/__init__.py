"""Whole recordings: cut into windows, searched, and put together again."""
