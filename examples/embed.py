"""The engine inside of a program, without a server: a file in, text out as it is committed."""

from __future__ import annotations

import sys

from streamwhisper import LocalRecognizer
from streamwhisper.audio.files import stream_audio
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen

recognizer = LocalRecognizer.load("tiny.en")
path = sys.argv[1] if len(sys.argv) > 1 else "examples/sample.flac"
chunks = stream_audio(path, chunk_samples=16000)
for event in listen(recognizer, chunks):
    if isinstance(event, Committed):
        print(event.text, end="", flush=True)
