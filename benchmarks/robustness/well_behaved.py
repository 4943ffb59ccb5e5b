"""A well-behaved session of real speech: how long its pongs take, and how far its text lags."""

from __future__ import annotations

import asyncio
import json
import time
from bisect import bisect_right
from dataclasses import dataclass, field

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.lib.speech import Recording
from benchmarks.robustness.attacks import Target

__all__ = ["WellBehaved", "speak"]

_CHUNK = 0.1  # seconds of audio in one message
_PING = 0.05  # seconds between two pings


@dataclass
class WellBehaved:
    """Measurements of the server by one session.

    Attributes:
        sent: moments at which chunks were sent.
        pongs: seconds from each ping to its answer.
        lags: seconds of sent audio that no hypothesis covered, at each status.
        text: the committed text.
        over: when the session ended.
    """

    sent: list[float] = field(default_factory=list)
    pongs: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    text: str = ""
    over: float = 0.0
    _pinged: dict[str, float] = field(default_factory=dict)

    def pinged(self) -> str:
        """Return the next ping."""
        number = str(len(self._pinged) + len(self.pongs))
        self._pinged[number] = time.perf_counter()
        return json.dumps({"type": "ping", "id": number})

    def receive(self, message: dict[str, object]) -> None:
        """Record a message of the server."""
        now = time.perf_counter()
        match message:
            case {"type": "pong", "id": str(number)}:
                self.pongs.append(now - self._pinged.pop(number))
            case {"type": "status", "audio_seconds": float() | int() as seen, "lag_ms": int(lag)}:
                sent = bisect_right(self.sent, now) * _CHUNK
                self.lags.append(sent - (float(seen) - lag / 1000))
            case {"type": "committed", "text": str(text)}:
                self.text += text

    @property
    def worst_pong(self) -> float:
        """The longest wait for a pong in seconds, answered or not."""
        return max(*self.pongs, *(self.over - at for at in self._pinged.values()), 0.0)


async def speak(target: Target, recording: Recording) -> WellBehaved:
    """Send a recording in real time, with a ping every 50 ms, and wait for the end of its text."""
    seen = WellBehaved()
    headers = {"Authorization": f"Bearer {target.token}"}
    url = f"ws://127.0.0.1:{target.port}/v1/stream"
    async with connect(
        url, proxy=None, compression=None, additional_headers=headers, ping_timeout=None
    ) as websocket:
        await websocket.send('{"type": "start", "language": "en", "partials": false}')
        pinging = asyncio.create_task(_ping(websocket, seen))
        speaking = asyncio.create_task(_send(websocket, seen, recording))
        try:
            async for text in websocket:
                seen.receive(json.loads(text))
            await speaking
        finally:
            seen.over = time.perf_counter()
            pinging.cancel()
            speaking.cancel()
    return seen


async def _ping(websocket: ClientConnection, seen: WellBehaved) -> None:
    while True:
        await websocket.send(seen.pinged())
        await asyncio.sleep(_PING)


async def _send(websocket: ClientConnection, seen: WellBehaved, recording: Recording) -> None:
    sound = (recording.samples * 32767).astype("<i2").tobytes()
    step = round(_CHUNK * 16000) * 2
    began = time.perf_counter()
    for number, start in enumerate(range(0, len(sound), step), 1):
        await asyncio.sleep(began + number * _CHUNK - time.perf_counter())
        await websocket.send(sound[start : start + step])
        seen.sent.append(time.perf_counter())
    await websocket.send('{"type": "end"}')
