"""One recording's way through a server, and the figures it gives."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.lib import measure
from benchmarks.lib.measure import HeardWord, ScreenUpdate
from benchmarks.lib.speech import SAMPLE_RATE, Recording, tokens
from streamwhisper.client import StreamEvent
from streamwhisper.events import Committed, Partial
from streamwhisper.protocol import Status


@dataclass
class Run:
    """One recording's way through the server. Moments are of `time.perf_counter`."""

    recording: Recording
    chunk_ends: list[float] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    arrivals: list[tuple[float, StreamEvent]] = field(default_factory=list)
    end_sent: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def text(self) -> str:
        """The transcript."""
        return "".join(m.text for _, m in self.arrivals if isinstance(m, Committed))

    def sent(self, position: float) -> float:
        """When a position in audio seconds was sent."""
        return measure.moment_sent(self.chunk_ends, self.moments, position)

    def heard(self) -> list[HeardWord]:
        """The committed words and when they came."""
        return [
            HeardWord(token, at)
            for at, message in self.arrivals
            if isinstance(message, Committed)
            for token in tokens(message.text)
        ]

    def screen(self) -> measure.Screen:
        """How the text came to stand on the screen."""
        return measure.watch_screen(
            ScreenUpdate(at, tokens(message.text), isinstance(message, Partial))
            for at, message in self.arrivals
            if isinstance(message, Partial | Committed)
        )

    def lags(self) -> list[tuple[float, float]]:
        """For each status: audio seconds sent, and how many of them no hypothesis covers."""
        points = []
        for at, message in self.arrivals:
            if isinstance(message, Status):
                chunk = bisect_right(self.moments, at)
                sent = self.chunk_ends[chunk - 1] if chunk else 0.0
                covered = message.audio_seconds - message.lag_ms / 1000
                points.append((sent, sent - covered))
        return points

    def finals(self) -> dict[int, float]:
        """When each utterance's final commit came."""
        return {
            message.utterance: at
            for at, message in self.arrivals
            if isinstance(message, Committed) and message.final
        }

    def speech_ends(self) -> dict[int, float]:
        """Where each utterance's last word ends, in audio seconds, if it was recognized."""
        last_word: dict[int, int] = {}
        count = 0
        for _, message in self.arrivals:
            if isinstance(message, Committed):
                count += len(tokens(message.text))
                if message.text.strip():
                    last_word[message.utterance] = count - 1
        spoken = self.recording.words
        ends = {j: spoken[i].end for i, j in measure.recognized(spoken, self.heard())}
        found = {utterance: ends.get(place) for utterance, place in last_word.items()}
        return {utterance: end for utterance, end in found.items() if end is not None}

    def final_latencies(self) -> list[float]:
        """For each utterance: from sending its last recognized word's end to its final commit."""
        ends = self.speech_ends()
        return [at - self.sent(ends[u]) for u, at in self.finals().items() if u in ends]


class Ear(Protocol):
    """Whoever listens: takes float32 little-endian samples, and is told when no more come."""

    async def send(self, data: bytes) -> None:
        """Take the next samples."""
        ...

    async def end(self) -> None:
        """No more sound."""
        ...


async def send_paced(client: Ear, run: Run, chunk: float, speed: float) -> None:
    """Send the recording as a microphone would, and note each chunk's end and moment."""
    samples, step = run.recording.samples, round(chunk * SAMPLE_RATE)
    started = time.perf_counter()
    for start in range(0, len(samples), step):
        piece = samples[start : start + step]
        end = (start + len(piece)) / SAMPLE_RATE
        await asyncio.sleep(started + end / speed - time.perf_counter())
        await client.send(piece.astype("<f4").tobytes())
        run.chunk_ends.append(end)
        run.moments.append(time.perf_counter())
    await client.end()
    run.end_sent = time.perf_counter()
