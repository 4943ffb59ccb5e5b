"""Plays a recording to a server at the speed of speech."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.files import stream_audio
from streamwhisper.audio.opening import Selection
from streamwhisper.audio.timeline import ReadReport
from streamwhisper.cli.recordings import problems, track_notice
from streamwhisper.client import StreamClient, connect
from streamwhisper.console import print_notice
from streamwhisper.errors import AudioFormatError, RecognitionError, ServerError
from streamwhisper.events import Committed
from streamwhisper.protocol import ServerMessage
from streamwhisper.recognition import Recognizer
from streamwhisper.server.app import Server, ServerOptions

__all__ = ["Recording", "play", "play_here"]

CHUNK = SAMPLE_RATE // 10
_SERVER_LOG = re.compile(r"See session \S+ in the server log\.")

Show = Callable[[ServerMessage], None]


@dataclass(frozen=True, slots=True)
class Recording:
    """A file to play.

    Attributes:
        file: path of the file.
        selection: track and channel.
        speed: 1 is real time, 2 is twice as fast.
    """

    file: Path
    selection: Selection
    speed: float = 1.0


async def play(recording: Recording, url: str, show: Show, **options: Any) -> bool:
    """Send a recording to the server at `url`; return whether there was text.

    Args:
        recording: what to send.
        url: address of the server.
        show: called with each message of the server.
        options: options of the client, e.g. ``token`` or ``language``.

    Raises:
        AudioFormatError: the file is damaged; the text of what can be read was shown.
    """
    async with connect(url, encoding="pcm_f32le", **options) as client:
        sending = asyncio.create_task(_send(client, recording))
        try:
            spoken = False
            async for event in client:
                show(event)
                spoken = spoken or (isinstance(event, Committed) and bool(event.text.strip()))
            await sending
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return spoken


async def play_here(
    recording: Recording, recognizer: Recognizer, show: Show, **options: Any
) -> bool:
    """Send a recording to a server in this process, on a free port; see `play`."""
    async with Server(recognizer, ServerOptions(port=0)) as server:
        try:
            return await play(recording, server.url, show, **options)
        except ServerError as error:  # there is no server's log: it is this command's
            raise RecognitionError(
                _SERVER_LOG.sub("The log above says why.", str(error))
            ) from error


async def _send(client: StreamClient, recording: Recording) -> None:
    report = ReadReport()
    try:
        async for chunk in _paced(recording, report):
            await client.send(chunk)
    except AudioFormatError:
        await client.end()  # commit the text before the damage
        raise
    await client.end()
    if found := list(problems(recording.file, report, recording.selection)):
        raise AudioFormatError(f"{recording.file}: {'; '.join(found)}")


async def _paced(recording: Recording, report: ReadReport) -> AsyncIterator[bytes]:
    """Yield the file's audio in chunks, each at the moment a microphone would deliver it."""
    loop = asyncio.get_running_loop()
    started, sent = loop.time(), 0
    chunks = stream_audio(
        recording.file, chunk_samples=CHUNK, selection=recording.selection, report=report
    )
    for chunk in chunks:
        if not sent and (notice := track_notice(recording.file, report, recording.selection)):
            print_notice(notice)
        sent += len(chunk)
        await asyncio.sleep(started + sent / SAMPLE_RATE / recording.speed - loop.time())
        yield chunk.astype("<f4").tobytes()
