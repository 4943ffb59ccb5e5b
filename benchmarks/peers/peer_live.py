"""WhisperLiveKit as a peer: its server in a process of its own, and the meaning of its messages.

The server receives raw PCM through its WebSocket ``/asr`` and answers with the whole transcript so
far: ``lines`` are committed, ``buffer_transcription`` is the present guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.lib.live_run import Run, send_paced
from benchmarks.lib.speech import Recording, tokens
from benchmarks.peers.peer_setup import PeerError
from streamwhisper.events import Committed, Done, Partial

__all__ = ["LiveRun", "Snapshot", "events", "rewritten", "running_peer", "snapshot", "stream_peer"]

START_SECONDS = 180
"""How long the server may take to load its model."""
WATCH_SECONDS = 0.5
"""Between two looks at the memory."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One message: the words shown as committed and those shown as a guess, as written."""

    at: float
    lines: tuple[str, ...]
    buffer: tuple[str, ...]


def snapshot(at: float, message: dict[str, Any]) -> Snapshot | None:
    """Read a message that arrived at the moment `at`; None for one without a transcript."""
    if "lines" not in message:
        return None
    committed = " ".join(line.get("text") or "" for line in message["lines"])
    return Snapshot(at, tuple(committed.split()), tuple(message["buffer_transcription"].split()))


def events(snapshots: Sequence[Snapshot]) -> list[tuple[float, Committed | Partial]]:
    """Turn messages into append-only commits and partials, with the moments they came.

    A word of ``lines`` counts as committed from the message on since which it, and all before
    it, have stood unchanged; until then it was no more than a guess, and is part of the partial.
    """
    found: list[tuple[float, Committed | Partial]] = []
    lasting = [len(shot.lines) for shot in snapshots]
    for i in range(len(snapshots) - 2, -1, -1):
        kept = _common(snapshots[i].lines, snapshots[i + 1].lines)
        lasting[i] = min(kept, lasting[i + 1])
    done = 0
    shown: tuple[str, ...] = ()
    for shot, count in zip(snapshots, lasting, strict=True):
        if count > done:
            text = " ".join(("", *snapshots[-1].lines[done:count]))
            found.append((shot.at, Committed(text, 0.0, 0.0, (), None, 0, False)))
        guess = (*shot.lines[count:], *shot.buffer)
        if guess != shown or count > done:
            found.append((shot.at, Partial(" ".join(guess), 0.0, 0.0)))
        done, shown = count, guess
    return found


def rewritten(snapshots: Sequence[Snapshot]) -> int:
    """How many words of ``lines`` were changed or withdrawn by a later message."""
    return sum(len(a.lines) - _common(a.lines, b.lines) for a, b in pairwise(snapshots))


def _common(before: Iterable[str], after: Iterable[str]) -> int:
    """Length of the longest common prefix, case and punctuation set aside."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other and tokens(one) != tokens(other):
            break
        count += 1
    return count


@dataclass
class LiveRun(Run):
    """One recording's way through the peer, and its messages as they were.

    Attributes:
        finished: whether the peer said that everything was heard.
    """

    snapshots: tuple[Snapshot, ...] = ()
    finished: bool = False


class Peer:
    """A server's process with its children; watches their time and memory."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._watched = psutil.Process(process.pid)
        self.url = url
        self.peak_rss = 0

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its children."""
        seconds, rss = 0.0, 0
        for process in (self._watched, *self._watched.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                seconds += times.user + times.system
                rss += process.memory_info().rss
        self.peak_rss = max(self.peak_rss, rss)
        return seconds


@contextlib.contextmanager
def running_peer(command: Sequence[str], variables: dict[str, str]) -> Iterator[Peer]:
    """A server for as long as the block runs; ``--host`` and ``--port`` are added.

    Raises:
        PeerError: it ended or said nothing for `START_SECONDS`.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [*command, "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, text=True, env={**os.environ, **variables}
        )
        try:
            _await_port(process, port, log)
            yield Peer(process, f"ws://127.0.0.1:{port}/asr")
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(process: subprocess.Popen[str], port: int, log: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            lines = [line.strip() for line in log.read().splitlines() if line.strip()]
            raise PeerError(f"the server ended at once: {lines[-1] if lines else 'no word'}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.3)
    raise PeerError(f"the server did not listen within {START_SECONDS} s")


@dataclass(frozen=True)
class _Ear:
    """Takes the benchmark's float32 samples and sends 16 bit PCM, as ``--pcm-input`` wants it."""

    socket: ClientConnection

    async def send(self, data: bytes) -> None:
        samples = np.clip(np.frombuffer(data, "<f4") * 32768, -32768, 32767)
        await self.socket.send(samples.astype("<i2").tobytes())

    async def end(self) -> None:
        await self.socket.send(b"")


async def stream_peer(
    peer: Peer, recording: Recording, chunk: float, speed: float, patience: float
) -> LiveRun:
    """Send a recording and note everything that comes back.

    Args:
        patience: seconds after the last chunk until what has come must do.
    """
    run = LiveRun(recording)
    before = peer.cpu_seconds()
    shots: list[Snapshot] = []
    async with connect(peer.url, max_size=None, ping_interval=None, close_timeout=5) as websocket:
        tasks = [
            asyncio.create_task(send_paced(_Ear(websocket), run, chunk, speed)),
            asyncio.create_task(_watch(peer)),
        ]
        try:
            async with asyncio.timeout(recording.seconds / speed + patience):
                async for data in websocket:
                    message = json.loads(data)
                    if message.get("type") == "ready_to_stop":
                        run.finished = True
                        break
                    if shot := snapshot(time.perf_counter(), message):
                        shots.append(shot)
        except (TimeoutError, ConnectionClosed):
            pass  # what has come must do
        ended = time.perf_counter()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    run.cpu_seconds = peer.cpu_seconds() - before
    run.snapshots = tuple(shots)
    run.arrivals = [*events(shots)]
    if run.finished:
        run.arrivals.append((ended, Done(recording.seconds, 0.0)))
    return run


async def _watch(peer: Peer) -> None:
    while True:
        peer.cpu_seconds()
        await asyncio.sleep(WATCH_SECONDS)
