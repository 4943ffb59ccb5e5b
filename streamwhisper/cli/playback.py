"""Plays a recording to a server at the speed of speech."""

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
    """Send `file` to the server at `url` and pass each of its messages to `show`.

    Args:
        speed: 1 is real time, 2 is twice as fast.
        options: options of the client, e.g. ``token`` or ``language``.

    Raises:
        AudioFormatError: the file is damaged; the text before the damage was shown.
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
    """Send `file` to a server in this process, on a free port."""
    async with Server(recognizer, ServerOptions(port=0)) as server:
        await play(file, server.url, show, speed=speed, **options)


async def _send(client: StreamClient, file: Path, speed: float) -> None:
    try:
        async for chunk in _paced(file, speed):
            await client.send(chunk)
    except AudioFormatError:
        await client.end()  # commit the text before the damage
        raise
    await client.end()


async def _paced(file: Path, speed: float) -> AsyncIterator[bytes]:
    """Yield the file's audio in chunks, each at the moment a microphone would deliver it."""
    loop = asyncio.get_running_loop()
    started, sent = loop.time(), 0
    for chunk in stream_audio(file, chunk_samples=CHUNK):
        sent += len(chunk)
        await asyncio.sleep(started + sent / SAMPLE_RATE / speed - loop.time())
        yield chunk.astype("<f4").tobytes()
