"""Control characters in text of unknown origin, e.g. from a server: Return keys, escape codes."""

from __future__ import annotations

import re

__all__ = ["escape_controls", "without_controls"]

_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, Delete and C1: keys, and escape codes of terminals
    "\u2028\u2029"  # line and paragraph separator
    "\u202a-\u202e\u2066-\u2069"  # change the direction of the text that follows
    "\ud800-\udfff]"  # halves of a surrogate pair, which cannot be encoded
)


def without_controls(text: str, keep: str = "") -> str:
    """Return `text` without characters that press keys or control a terminal.

    White space among them becomes a space; half a surrogate pair becomes U+FFFD; every other one
    is removed. The joiners of emoji, Persian and Indic scripts stay.

    Args:
        text: text of unknown origin.
        keep: control characters that stay, e.g. the ``"\\n"`` of spoken commands.
    """
    return _HARMFUL.sub(lambda found: _instead(found[0], keep), text)


def escape_controls(document: str) -> str:
    """Return a JSON document in one line with control characters written as ``\\uXXXX``."""
    return _HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _instead(character: str, keep: str) -> str:
    if character in keep:
        return character
    if character.isspace():
        return " "
    return "\ufffd" if "\ud800" <= character <= "\udfff" else ""
