"""Effect of recordings that the same server transcribes on a live session.

    python -m benchmarks recordings --model tiny.en --limit 60

A session receives a recording in real time, first alone, then while a client sends another
recording to ``POST /v1/listen`` again and again, so that the server transcribes without a break.
"""

from __future__ import annotations

import asyncio
import re
import shlex
import time
from http.client import HTTPConnection
from typing import Any

from benchmarks.latency.streaming import figures, live_arguments, stream
from benchmarks.lib.results import heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import Recording, load, speech_folder

ROWS = ("commit_latency", "display_latency", "final_latency")


def rest_port(server: Server) -> int:
    """Where it takes recordings in."""
    [port] = re.findall(r"accepting recordings at \S+:(\d+)/", server.log())
    return int(port)


def transcribe(port: int, recording: Recording) -> float:
    """Have the server transcribe a recording; its seconds."""
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    body = recording.samples.astype("<f4").tobytes()
    connection.request("POST", "/v1/listen?encoding=linear32", body)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()
    connection.close()
    return recording.seconds


async def beside(
    server: Server, heard: Recording, sent: Recording | None, flags: Any
) -> dict[str, Any]:
    """A session's figures, and how fast the other recording was transcribed meanwhile."""
    done, began, over = 0.0, time.perf_counter(), False

    async def send() -> None:
        nonlocal done
        while sent is not None and not over:
            done += await asyncio.to_thread(transcribe, rest_port(server), sent)

    sending = asyncio.create_task(send())
    found = figures([await stream(server, heard, flags.chunk, flags.speed)])
    over = True
    await sending
    return found | {"transcribed": round(done / (time.perf_counter() - began), 1)}


def table(alone: dict[str, Any], loaded: dict[str, Any]) -> str:
    """Both side by side, as a Markdown table."""
    rows = [
        (name.replace("_", " "), *(_spread(one[name]) for one in (alone, loaded))) for name in ROWS
    ]
    rows.append(("word error rate", *(f"{one['wer']} %" for one in (alone, loaded))))
    rows.append(("lag, at most", *(f"{one['lag_max']} s" for one in (alone, loaded))))
    rows.append(("recordings", "none", f"{loaded['transcribed']} times real time"))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["| session | alone | beside recordings |", "|---|---|---|", *lines])


def _spread(values: dict[str, float]) -> str:
    return f"{', '.join(f'{name} {value:.2f}' for name, value in values.items())} s"


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = live_arguments(__doc__ or "", "longform/61-70968", "the server")
    parser.add_argument("--sent", default="longform/260-123286", help="what is transcribed")
    flags = parser.parse_args()
    folder = speech_folder()
    heard = load(folder, flags.items[0], flags.gap, flags.limit)
    sent = load(folder, flags.sent, flags.gap)
    extra = ["--rest-port", "0", *shlex.split(flags.serve)]
    with running_server(flags.model, flags.threads, extra) as server:
        alone = asyncio.run(beside(server, heard, None, flags))
        loaded = asyncio.run(beside(server, heard, sent, flags))
    result = heading(flags.model, flags.threads) | {"alone": alone, "loaded": loaded}
    report(result, table(alone, loaded), save=flags.save)


if __name__ == "__main__":
    main()
