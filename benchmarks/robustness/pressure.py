"""Commit latency of a well-behaved client beside each kind of hostile client.

    python -m benchmarks pressure --model tiny.en --limit 30

One stream of speech goes through a real server in real time: alone, and beside a client that does
not read, floods the server with audio, stops in the middle of a frame, keeps a thousand silent
sessions open, or reconnects again and again to an overloaded server.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from benchmarks.latency.streaming import figures
from benchmarks.latency.streams import play, recordings
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import Recording
from benchmarks.lib.watching import metrics
from benchmarks.robustness.strategies import speech
from streamwhisper.client import connect
from streamwhisper.engine.cores import usable_cores
from streamwhisper.errors import ServerError

__all__ = ["flooding", "half_a_frame", "idle", "raw_session", "unread"]

IDLE = 1000
CROWD = 40  # clients that come to an overloaded server
Pressure = Callable[[str], AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def raw_session(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A session by hand, which is cut off in the end."""
    websocket = await connect_websocket(url, proxy=None, compression=None, **options)
    try:
        await websocket.send('{"type": "start"}')
        await websocket.recv()
        yield websocket
    finally:
        websocket.transport.abort()
        await websocket.wait_closed()


@contextlib.asynccontextmanager
async def during(*work: Any) -> AsyncIterator[None]:
    """Tasks that run beside the body, and end with it."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def unread(url: str) -> AsyncIterator[None]:
    """Somebody asks and asks, and reads no answer."""
    question = '{"type": "ping", "id": "' + "x" * 60_000 + '"}'
    async with raw_session(url, max_queue=1) as websocket:
        websocket.transport.pause_reading()

        async def ask() -> None:
            with contextlib.suppress(ConnectionClosed, OSError):
                while True:
                    await websocket.send(question)

        async with during(ask()):
            yield


@contextlib.asynccontextmanager
async def flooding(url: str) -> AsyncIterator[None]:
    """Somebody sends speech as fast as the server takes it."""

    async def flood() -> None:
        async with connect(url, reconnect=None) as stream, during(_read(stream)):
            while True:
                await stream.send(speech())

    async with during(flood()):
        yield


@contextlib.asynccontextmanager
async def half_a_frame(url: str) -> AsyncIterator[None]:
    """Somebody stops after the head of a masked frame of 4,000 bytes, and a tenth of it."""
    async with raw_session(url) as websocket:
        websocket.transport.write(bytes([0x82, 0xFE, 4000 >> 8, 4000 & 255]) + bytes(404))
        yield


@contextlib.asynccontextmanager
async def idle(url: str, count: int = IDLE) -> AsyncIterator[None]:
    """So many sessions in which nothing is said."""
    async with contextlib.AsyncExitStack() as stack:
        for first in range(0, count, 50):
            some = range(first, min(first + 50, count))
            await asyncio.gather(*(stack.enter_async_context(raw_session(url)) for _ in some))
        yield


@contextlib.asynccontextmanager
async def crowd(url: str) -> AsyncIterator[None]:
    """More clients than the server can hear, each in real time; one comes every half second."""

    async def come(number: int) -> None:
        await asyncio.sleep(number / 2)
        with contextlib.suppress(ServerError):
            async with connect(url, reconnect=None) as stream, during(_read(stream)):
                while True:
                    for at in range(0, len(speech()), 3200):
                        await stream.send(speech()[at : at + 3200])
                        await asyncio.sleep(0.1)

    async with during(*(come(number) for number in range(CROWD))):
        yield


async def _read(stream: Any) -> None:
    async for _ in stream:
        pass


@contextlib.asynccontextmanager
async def nothing(url: str) -> AsyncIterator[None]:
    """No pressure."""
    yield


KINDS: dict[str, Pressure] = {
    "alone": nothing,
    "a client that does not read": unread,
    "a client that floods": flooding,
    "a client that stops in a frame": half_a_frame,
    f"{IDLE:,} idle sessions": idle,
    f"{CROWD} clients come": crowd,
    "alone again": nothing,
}


async def beside(server: Server, pressure: Pressure, chosen: Sequence[Recording]) -> dict[str, Any]:
    """The stream's figures beside a kind of pressure, once the one before it is over."""
    while metrics(server)["streamwhisper_wait_seconds"] > 0.1:
        await asyncio.sleep(0.5)
    async with pressure(server.url):
        runs = await play(server, chosen)
    result = figures(runs)
    refused = metrics(server).get("streamwhisper_sessions_refused_total", 0.0)
    return {
        "p50": result["commit_latency"]["p50"],
        "p95": result["commit_latency"]["p95"],
        "lag_max": result["lag_max"],
        "wer": result["wer"],
        "refused": int(refused),
        "memory_mb": round(server.peak_rss / 1e6),
    }


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| beside | commit p50 / p95 | lag at most | WER | refused so far | memory |"]
    lines.append("|---|---|---|---|---|---|")
    lines += [
        f"| {name} | {row['p50']:.2f} / {row['p95']:.2f} s | {row['lag_max']} s | {row['wer']} % "
        f"| {row['refused']} | {row['memory_mb']} MB |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--limit", type=float, default=30.0, help="seconds of the stream")
    parser.add_argument("--threads", type=int, default=max(1, usable_cores() // 2))
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    chosen = recordings(1, flags.limit, 0.3)
    rows: dict[str, dict[str, Any]] = {}
    arguments = ["--max-sessions", str(2 * IDLE)]
    with running_server(flags.model, flags.threads, arguments) as server:
        for name, pressure in KINDS.items():
            rows[name] = asyncio.run(beside(server, pressure, chosen))
            print(table({name: rows[name]}).splitlines()[-1], flush=True)
    report(heading(flags.model, flags.threads) | {"rows": rows}, table(rows), save=flags.save)


if __name__ == "__main__":
    main()
