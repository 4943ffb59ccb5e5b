"""Encoding of standard output and standard error: no text makes a command fail."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Mapping

__all__ = ["accept_all_text"]

_HANDLER = "streamwhisper.escape"


def accept_all_text(environment: Mapping[str, str] = os.environ) -> None:
    r"""Make standard output and standard error accept all text.

    Output to a file or pipe is UTF-8, unless PYTHONIOENCODING names another encoding. Characters
    that the encoding lacks are written as JSON escapes, e.g. ``\u65e5``.
    """
    codecs.register_error(_HANDLER, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            given = bool(environment.get("PYTHONIOENCODING")) or stream.isatty()
            stream.reconfigure(encoding=None if given else "utf-8", errors=_HANDLER)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    pairs = (units[i : i + 4] for i in range(0, len(units), 4))
    return "".join(f"\\u{unit}" for unit in pairs), error.end
