"""Many short sessions: memory, open files, threads and tasks of the server stay constant.

    python -m benchmarks sessions --sessions 2000

A session is a second or two of speech, raw or in a container, eight at a time. Of six, three end
normally, one closes without an end, one is cut off for good, and one is cut off and resumed.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import running_server
from benchmarks.lib.watching import Held, held_by, table
from benchmarks.robustness.strategies import containers, speech
from streamwhisper.client import Reconnection, connect

AT_ONCE = 8
KINDS = 6
QUICK = Reconnection(first_delay=0.01)


async def session(url: str, number: int) -> None:
    """One session; its number says of which kind it is."""
    if number % 4 == 0:
        start = {"encoding": "container"}
        sound = containers()[number % len(containers())]
    else:
        start, sound = {"publish": f"room-{number}"}, speech()[: 32000 * (1 + number % 2)]
    kind = number % KINDS
    async with connect(url, reconnect=QUICK if kind == 5 else None, **start) as stream:
        for at in range(0, len(sound), 6400):
            await stream.send(sound[at : at + 6400])
        if kind == 3:
            return
        if kind in (4, 5):
            assert stream._websocket is not None
            stream._websocket.transport.abort()
        if kind == 4:
            return
        await stream.end()
        async for _ in stream:
            pass


async def hold(url: str, first: int, count: int) -> None:
    """So many sessions, several at a time."""
    numbers = iter(range(first, first + count))

    async def one_after_another() -> None:
        for number in numbers:
            await session(url, number)

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--every", type=int, default=200, help="sessions between two rows")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    with running_server(flags.model, 1, ["--resume", "1", "--max-wait", "0"]) as server:
        rows: list[Held] = [held_by(server, 0)]
        for first in range(0, flags.sessions, flags.every):
            asyncio.run(hold(server.url, first, min(flags.every, flags.sessions - first)))
            asyncio.run(asyncio.sleep(2))  # for those that were cut off to be given up
            rows.append(held_by(server, min(first + flags.every, flags.sessions)))
            print(table("sessions", rows[-1:]).splitlines()[-1], flush=True)
        assert "Traceback" not in server.log()
    result = heading(flags.model, 1) | {"rows": [asdict(row) for row in rows]}
    report(result, table("sessions", rows), save=flags.save)


if __name__ == "__main__":
    main()
