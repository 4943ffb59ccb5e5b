"""Attacks with large messages: audio in JSON, and JSON without audio."""

from __future__ import annotations

import base64

from benchmarks.robustness.attacks.attack import Attack, Target
from benchmarks.robustness.attacks.wire import TEXT, at_once, flood, frame, session, websocket

__all__ = ["ATTACKS"]

_REALTIME = "/v1/realtime?intent=transcription"


def _append(size: int) -> bytes:
    audio = base64.b64encode(bytes(size)).decode()
    return frame(TEXT, f'{{"type":"input_audio_buffer.append","audio":"{audio}"}}'.encode())


async def _large_events(target: Target) -> None:
    data = _append(12 * 1024 * 1024)

    async def attempt() -> None:
        async with websocket(target, _REALTIME, target.token) as streams:
            await flood(streams, data, read=True)

    await at_once(12, attempt)


def _json(size: int) -> bytes:
    """Return an event of many small values that mentions audio and has none."""
    text = b'{"type":"session.update","note":"input_audio_buffer.append","x":['
    return frame(TEXT, text + b"[]," * (size // 3) + b"0]}")


def _large_json(size: int, clients: int) -> Attack:
    async def run(target: Target) -> None:
        data = _json(size)

        async def attempt() -> None:
            async with websocket(target, _REALTIME, target.token) as streams:
                await flood(streams, data, read=True)

        await at_once(clients, attempt)

    return Attack(f"{clients} clients: JSON of {size >> 20} MiB without audio", run)


async def _vocabularies(target: Target) -> None:
    async def attempt() -> None:
        for number in range(200):
            words = [f"Zqx{number:04}y{entry:04}" * 3 for entry in range(1000)]
            async with session(target, vocabulary=words, language="en") as streams:
                streams[1].write(frame(0x2, bytes(32000)))
                streams[1].write(frame(TEXT, b'{"type":"end"}'))
                while await streams[0].read(1 << 16):
                    pass

    await at_once(4, attempt)


ATTACKS = (
    Attack("12 realtime clients: events of 16 MiB", _large_events),
    _large_json(20 << 20, 4),
    _large_json(1 << 20, 4),
    Attack("4 clients: vocabularies of 1,000 entries", _vocabularies),
)
"""Attacks with large messages."""
