"""A hundred thousand hostile frames: no crash, no growth, no traceback.

    python -m benchmarks fuzz --frames 100000

Hypothesis generates conversations (``strategies.py``) for a real server, eight at a time over
sockets. Some end with a close, some are cut off, some break the WebSocket protocol itself.
``guided.py`` searches for faults of the dialect and the decoders with atheris.
"""

from __future__ import annotations

import argparse
import asyncio
import random
from dataclasses import asdict
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed

from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.watching import Held, held_by, table
from benchmarks.robustness.strategies import NEVER, conversations
from streamwhisper.protocol import ErrorMessage, parse_server_message

AT_ONCE = 8


class Fuzz:
    """Conversations with one server, until it has had enough frames."""

    def __init__(self, server: Server, frames: int, every: int) -> None:
        """Look at the server every so many frames."""
        self.rows: list[Held] = [held_by(server, 0)]
        self.sent = 0
        self.codes: dict[str, int] = {}
        self._server = server
        self._frames = frames
        self._every = every
        self._chance = random.Random(0)

    @property
    def done(self) -> bool:
        """Whether it was enough."""
        return self.sent >= self._frames

    async def hold(self, talks: list[list[str | bytes]]) -> None:
        """Hold conversations at the same time, and look at the server now and then."""
        await asyncio.gather(*(self._say(said) for said in talks))
        if self.sent >= len(self.rows) * self._every:
            await asyncio.sleep(1)
            self.rows.append(held_by(self._server, self.sent))
            print(table("frames", self.rows[-1:]).splitlines()[-1], flush=True)

    async def _say(self, said: list[str | bytes]) -> None:
        url = self._server.url
        async with connect_websocket(
            url, proxy=None, compression=None, max_queue=None
        ) as websocket:
            hearing = asyncio.create_task(self._hear(websocket))
            try:
                for frame in said:
                    clean = (
                        frame.encode(errors="replace").decode() if isinstance(frame, str) else frame
                    )
                    await websocket.send(clean)
                    self.sent += 1
                match self._chance.randrange(6):
                    case 0:
                        websocket.transport.abort()
                    case 1:  # what is no WebSocket frame, or one that never ends
                        websocket.transport.write(self._chance.randbytes(200))
                        self.sent += 1
                    case 2 | 3:
                        await websocket.send('{"type":"end"}')
                        self.sent += 1
                    case _:
                        await websocket.close()
                async with asyncio.timeout(3):
                    await hearing
            except ConnectionClosed:
                await hearing
            except TimeoutError:  # it waits for the rest of a frame, as it should
                websocket.transport.abort()

    async def _hear(self, websocket: Any) -> None:
        try:
            while True:
                text = await websocket.recv(decode=True)
                assert "Traceback" not in text, text
                _, message = parse_server_message(text)
                if isinstance(message, ErrorMessage):
                    assert message.code not in NEVER, text
                    self.codes[message.code] = self.codes.get(message.code, 0) + 1
        except ConnectionClosed:
            pass


def with_hypothesis(server: Server, frames: int, every: int) -> Fuzz:
    """Have Hypothesis make up conversations until there were enough frames."""
    fuzz = Fuzz(server, frames, every)
    with asyncio.Runner() as runner:

        @settings(
            max_examples=200,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(conversations, min_size=AT_ONCE, max_size=AT_ONCE))
        def hold(talks: list[list[str | bytes]]) -> None:
            if not fuzz.done:
                runner.run(fuzz.hold(talks))

        while not fuzz.done:
            hold()
    return fuzz


def main() -> None:
    """Fuzz, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--every", type=int, default=10_000, help="frames between two rows")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    arguments = ["--max-wait", "0", "--resume", "1"]
    with running_server(flags.model, 1, arguments) as server:
        fuzz = with_hypothesis(server, flags.frames, flags.every)
        log = server.log()
    assert "Traceback" not in log, log[log.index("Traceback") :][:3000]
    result = heading(flags.model, 1) | {
        "frames": fuzz.sent,
        "rows": [asdict(row) for row in fuzz.rows],
        "codes": fuzz.codes,
    }
    report(result, table("frames", fuzz.rows), save=flags.save)


if __name__ == "__main__":
    main()
