"""Lines of a cue: where text is broken so that it fits the screen."""

from __future__ import annotations

from streamwhisper.typography import columns, holds_next, may_begin_line

__all__ = ["LINE", "LINES", "break_lines", "clusters"]

LINE = 42
"""Maximum width of a line in columns."""
LINES = 2
"""Maximum number of lines in a cue."""


def break_lines(text: str) -> list[str]:
    """Break the text into lines of at most `LINE` columns, at spaces if it has any."""
    lines: list[str] = []
    for word in text.split(" "):
        first, *rest = _split_wide(word)
        if lines and columns(lines[-1]) + 1 + columns(first) <= LINE:
            lines[-1] += f" {first}"
        else:
            lines.append(first)
        lines += rest
    return lines


def _split_wide(word: str) -> list[str]:
    """Split a word that is too long for a line where a line may begin, or else anywhere."""
    parts = [""]
    for cluster in clusters(word):
        if parts[-1] and columns(parts[-1] + cluster) > LINE:
            parts.append("")
        for character in cluster if columns(cluster) > LINE else [cluster]:
            if columns(parts[-1] + character) > LINE:
                parts.append("")
            parts[-1] += character
    return parts


def clusters(word: str) -> list[str]:
    """Split a word into the shortest parts that may begin a line."""
    clusters: list[str] = []
    for character in word:
        if clusters and (holds_next(clusters[-1][-1]) or not may_begin_line(character)):
            clusters[-1] += character
        else:
            clusters.append(character)
    return clusters
