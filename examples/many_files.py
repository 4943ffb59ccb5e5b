"""Many recordings at once through one server: one line of text for each file, as it is ready.

    streamwhisper serve &
    python examples/many_files.py *.mp3 [--url URL] [--at-once 4]

Files are sent in their containers. The server slows senders down to the speed of recognition; an
overloaded server states when to try again.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from pathlib import Path

import streamwhisper
from streamwhisper import Committed, ErrorMessage, ServerError, StreamWhisperError, connect

PIECE = 64 * 1024


async def send(stream: streamwhisper.StreamClient, path: Path) -> None:
    """Send a whole file."""
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            await stream.send(piece)
    await stream.end()


async def transcript(url: str, path: Path) -> str:
    """The text of one file."""
    while True:
        try:
            async with (
                connect(url, encoding="container", partials=False) as stream,
                asyncio.TaskGroup() as tasks,
            ):
                tasks.create_task(send(stream, path))
                text = ""
                async for event in stream:
                    if isinstance(event, ErrorMessage):  # it ended early, or is no sound at all
                        raise ServerError(event.code, event.message, fatal=False)
                    text += event.text if isinstance(event, Committed) else ""
                return text
        except ServerError as error:
            if error.retry_after is None:
                raise
            await asyncio.sleep(error.retry_after)


async def transcribe_all(url: str, paths: list[Path], at_once: int) -> dict[Path, str]:
    """The texts of all files, so many at a time; each is printed when it is there."""
    texts: dict[Path, str] = {}
    queue: Iterator[Path] = iter(paths)

    async def one_after_another() -> None:
        for path in queue:
            try:
                texts[path] = await transcript(url, path)
            except* (StreamWhisperError, OSError) as group:
                texts[path] = f"[{group.exceptions[0]}]"
            print(f"{path}: {texts[path]}", flush=True)

    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return texts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--url", default="ws://127.0.0.1:8765/v1/stream")
    parser.add_argument("--at-once", type=int, default=4)
    flags = parser.parse_args()
    asyncio.run(transcribe_all(flags.url, flags.files, flags.at_once))
