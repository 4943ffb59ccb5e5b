"""Programs that own a selection in several types, which xclip and wl-copy cannot do.

Such a program reads the content from standard input, takes the selection, and ends. A copy of it
serves the selection in the background until another program takes it.
"""

from __future__ import annotations

import base64
import json
import os
import sys

from streamwhisper.dictation.clipboard.clipboard import Contents

__all__ = ["go_to_background", "packed", "read_contents"]


def packed(contents: Contents) -> bytes:
    """Return the standard input for such a program."""
    return json.dumps(
        {type: base64.b64encode(data).decode() for type, data in contents.items()}
    ).encode()


def read_contents() -> dict[str, bytes]:
    """Read the content from standard input."""
    return {
        type: base64.b64decode(data) for type, data in json.loads(sys.stdin.buffer.read()).items()
    }


def go_to_background() -> None:
    """End this process, and go on as a copy that belongs to no terminal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
