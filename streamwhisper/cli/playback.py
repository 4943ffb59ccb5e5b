"""A recording sent to a server as if it were being spoken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.files import stream_audio
from streamwhisper.client import StreamClient, connect
from streamwhisper.errors import AudioFormatError
from streamwhisper.protocol import ServerMessage
from streamwhisper.recognition import Recognizer
from streamwhisper.server.app import Server, ServerOptions

__all__ = ["play", "play_here"]

CHUNK = SAMPLE_RATE // 10

Show = Callable[[ServerMessage], None]


async def play(file: Path, url: str, show: Show, *, speed: float = 1.0, **options: Any) -> None:
    """Send `file` to the server at `url`, and hand on what it says.

    Args:
        speed: 1 is real time, 2 twice as fast.
        options: of the client, such as its ``token`` or the ``language``.

    Raises:
        AudioFormatError: the file is damaged; the text of what came before was shown.
    """
    async with connect(url, encoding="pcm_f32le", **options) as client:
        sending = asyncio.create_task(_send(client, file, speed))
        try:
            async for event in client:
                show(event)
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def play_here(
    file: Path, recognizer: Recognizer, show: Show, *, speed: float = 1.0, **options: Any
) -> None:
    """The same with a server in this process, on a port of its own."""
    async with Server(recognizer, ServerOptions(port=0)) as server:
        await play(file, server.url, show, speed=speed, **options)


async def _send(client: StreamClient, file: Path, speed: float) -> None:
    try:
        async for chunk in _paced(file, speed):
            await client.send(chunk)
    except AudioFormatError:
        await client.end()  # the text of what came before the damage is wanted
        raise
    await client.end()


async def _paced(file: Path, speed: float) -> AsyncIterator[bytes]:
    """The file's sound in chunks, each when a microphone would have it."""
    loop = asyncio.get_running_loop()
    started, sent = loop.time(), 0
    for chunk in stream_audio(file, chunk_samples=CHUNK):
        sent += len(chunk)
        await asyncio.sleep(started + sent / SAMPLE_RATE / speed - loop.time())
        yield chunk.astype("<f4").tobytes()
