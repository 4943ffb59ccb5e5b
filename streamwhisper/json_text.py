"""JSON text of messages: strict where it is read, always encodable where it is written."""

from __future__ import annotations

import json
from typing import NoReturn

__all__ = ["read_json", "write_json"]


def read_json(text: str | bytes) -> object:
    """Return the value of a JSON text.

    Raises:
        ValueError: the text is not JSON, has NaN or an infinity, or is nested too deeply.
    """
    try:
        return json.loads(text, parse_constant=_reject_constant)
    except RecursionError as error:
        raise ValueError(str(error)) from None


def write_json(value: object) -> str:
    """Return a value as compact JSON that UTF-8 can encode."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a string from a client may hold half a surrogate pair
        return json.dumps(value, separators=(",", ":"))
    return text


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
