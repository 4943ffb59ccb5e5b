"""A client in a terminal, without asyncio: committed text solid, the present guess dim behind it.

    streamwhisper serve &
    python examples/terminal_client.py SOUND [--url URL] [--publish ROOM]
    python examples/terminal_client.py --watch ROOM [--url URL]

One thread sends while the other prints. Others read with --watch what is sent with --publish.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator

from websockets.sync.client import connect as connect_viewer

from streamwhisper import Committed, Partial, SyncStreamClient, stream_audio, without_controls

RATE, CHUNK = 16000, 1600


def speech(url: str, sound: str, room: str | None) -> Iterator[tuple[bool, str]]:
    """Send a file as if it were spoken, and yield what comes back."""

    def send() -> None:
        for chunk in stream_audio(sound, chunk_samples=CHUNK):
            stream.send(chunk.astype("<f4").tobytes())
            time.sleep(CHUNK / RATE)
        stream.end()

    with SyncStreamClient(url, encoding="pcm_f32le", publish=room) as stream:
        sending = threading.Thread(target=send)
        sending.start()
        for event in stream:
            if isinstance(event, Committed | Partial):
                yield isinstance(event, Committed), event.text
        sending.join()


def watched(url: str, room: str) -> Iterator[tuple[bool, str]]:
    """What somebody else says, up to the end of the session."""
    with connect_viewer(url.replace("/v1/stream", f"/v1/watch/{room}")) as viewer:
        for frame in viewer:
            message = json.loads(frame)
            if message["type"] in ("committed", "partial"):
                yield message["type"] == "committed", message["text"]
            elif message["type"] == "done":
                return


def show(texts: Iterator[tuple[bool, str]]) -> None:
    """Print text as it comes, committed or not; where it goes to a file, committed text alone."""
    live = sys.stdout.isatty()
    for committed, received in texts:
        text = without_controls(received)
        print("\033[J" if live else "", end="")  # forget the last guess
        if committed:
            print(text, end="", flush=True)
        elif live:  # dim, and the cursor where it was
            print(f"\0337\033[2m{text[:60]}\033[0m\0338", end="", flush=True)
    print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sound", nargs="?", default="examples/sample.flac")
    parser.add_argument("--url", default="ws://127.0.0.1:8765/v1/stream")
    parser.add_argument("--publish", metavar="ROOM")
    parser.add_argument("--watch", metavar="ROOM")
    flags = parser.parse_args()
    if flags.watch:
        show(watched(flags.url, flags.watch))
    else:
        show(speech(flags.url, flags.sound, flags.publish))
