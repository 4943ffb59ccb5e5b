"""Sound for the examples with other people's frameworks: 16-bit, 16 kHz, mono."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator

RATE = 16000
CHUNK = 320  # samples: 20 ms
_PAUSE, _PATIENCE = 2.0, 15.0  # seconds of silence after a recording, at least and at most


async def recording(path: str, quiet: asyncio.Event) -> AsyncIterator[bytes]:
    """A WAV file at the pace of speech, then the silence of a room until all is `quiet`."""
    try:
        with wave.open(path) as file:
            seen = file.getframerate(), file.getnchannels(), 8 * file.getsampwidth()
            if seen != (RATE, 1, 16):
                raise wave.Error("{} Hz, {} channels of {} bits".format(*seen))
            while chunk := file.readframes(CHUNK):
                yield chunk
                await asyncio.sleep(CHUNK / RATE)
    except (wave.Error, EOFError, OSError) as error:
        raise SystemExit(
            f"{path}: {error}; expected a WAV file of 16000 Hz, one channel, 16 bits:"
            " ffmpeg -i SOUND -ar 16000 -ac 1 -sample_fmt s16 sound.wav"
        ) from None
    silent = 0.0
    while silent < _PAUSE or (silent < _PATIENCE and not quiet.is_set()):
        yield bytes(2 * CHUNK)
        await asyncio.sleep(CHUNK / RATE)
        silent += CHUNK / RATE


async def microphone() -> AsyncIterator[bytes]:
    """Sound as it is spoken."""
    import sounddevice

    heard: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def hear(sound: object, *_: object) -> None:
        loop.call_soon_threadsafe(heard.put_nowait, bytes(sound))  # type: ignore[call-overload]

    with sounddevice.RawInputStream(RATE, CHUNK, channels=1, dtype="int16", callback=hear):
        while True:
            yield await heard.get()


async def speak(voice: str | None, text: str) -> None:
    """Have a program such as espeak-ng say it."""
    if voice is not None:
        await (await asyncio.create_subprocess_exec(voice, text)).wait()
