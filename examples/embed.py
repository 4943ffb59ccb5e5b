"""The engine inside a program, without a server: a file in, text out as it is committed."""

from __future__ import annotations

import sys

from streamwhisper import Committed, listen

path = sys.argv[1] if len(sys.argv) > 1 else "examples/sample.flac"
for event in listen("tiny.en", path):
    if isinstance(event, Committed):
        print(event.text, end="", flush=True)
