"""Cost of a session without speech: encoder calls, and CPU above an idle server's.

    python -m benchmarks idle --model tiny.en --seconds 30

A real server receives digital silence, then faint noise, in real time in 100 ms chunks, with one
session for each. Encoder calls are the requests in the server's ``/metrics``. The CPU share is
that of one core, user and system time, from connecting to done. The server without a session is
watched for the same time. Limits: no encoder call, and at most 2 % CPU.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.latency.streaming import stream
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import SAMPLE_RATE, Recording, load, speech_folder
from streamwhisper.engine.cores import usable_cores

ITEMS = ["synthetic-nonspeech/digital_silence_30s", "noise/transcribecpp_noise"]
ENCODER_CALLS = "streamwhisper_batch_size_sum"
"""The sizes of all batches together: the requests that were recognized."""
MOST_PERCENT = 2.0
"""Of one core, for a session to count as idle."""
WARM_UP_SECONDS = 1.0
"""Of the first session, which loads what all later ones share; it is not counted."""


@dataclass(frozen=True, slots=True)
class Idle:
    """What the server did in a time in which nobody spoke.

    Attributes:
        name: of what it heard.
        seconds: of the wall clock.
        encoder_calls: requests that the recognizer was given.
        cpu_seconds: user and system time.
    """

    name: str
    seconds: float
    encoder_calls: int
    cpu_seconds: float

    @property
    def percent(self) -> float:
        """CPU time, in percent of one core."""
        return 100 * self.cpu_seconds / self.seconds

    @property
    def met(self) -> bool:
        """Whether it stays within the bars."""
        return self.encoder_calls == 0 and self.percent <= MOST_PERCENT


def sample(exposition: str, name: str) -> float:
    """The value of a metric in Prometheus' text format, over all labels; 0 where it is missing."""
    families = text_string_to_metric_families(exposition)
    return sum(each.value for family in families for each in family.samples if each.name == name)


def encoder_calls(server: Server) -> int:
    """The requests that the server's recognizer was given so far."""
    with urlopen(f"http://{urlsplit(server.url).netloc}/metrics", timeout=10) as answer:
        return round(sample(answer.read().decode(), ENCODER_CALLS))


def lasting(recording: Recording, seconds: float) -> Recording:
    """The recording's sound, repeated or cut to so many seconds; nothing is said in it."""
    samples = np.resize(recording.samples, round(seconds * SAMPLE_RATE))
    return replace(recording, samples=samples, text="", words=())


def without_session(server: Server, seconds: float) -> Idle:
    """The server that nobody is connected to."""
    began, before = time.perf_counter(), server.cpu_seconds()
    time.sleep(seconds)
    spent = server.cpu_seconds() - before
    return Idle("no session", time.perf_counter() - began, 0, spent)


def with_session(server: Server, recording: Recording) -> Idle:
    """One session that hears the recording, in which nobody speaks."""
    calls, began = encoder_calls(server), time.perf_counter()
    run = asyncio.run(stream(server, recording, chunk=0.1, speed=1.0))
    seconds = time.perf_counter() - began
    return Idle(recording.key, seconds, encoder_calls(server) - calls, run.cpu_seconds)


def table(rows: Sequence[Idle]) -> str:
    """The rows as a Markdown table."""
    lines = [
        f"| {row.name} | {row.seconds:.0f} s | {row.encoder_calls} | {row.percent:.2f} % "
        f"| {'yes' if row.met else 'no'} |"
        for row in rows
    ]
    bars = f"0 calls, ≤ {MOST_PERCENT:g} %"
    header = f"| heard | for | encoder calls | CPU, of one core | {bars} |\n|---|---|---|---|---|"
    return "\n".join([header, *lines])


def figures(row: Idle) -> dict[str, Any]:
    """A row for the JSON line."""
    cost = {"seconds": round(row.seconds, 1), "cpu_seconds": round(row.cpu_seconds, 2)}
    return asdict(row) | cost | {"cpu_percent": round(row.percent, 2), "met": row.met}


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--items", nargs="*", default=ITEMS, metavar="ID", help="what is heard")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each")
    parser.add_argument("--threads", type=int, default=max(1, usable_cores() - 1))
    parser.add_argument("--serve", default="", help="more flags for streamwhisper serve")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    folder = speech_folder()
    heard = [
        replace(lasting(load(folder, item, gap=0.0), flags.seconds), key=item)
        for item in flags.items
    ]
    with running_server(flags.model, flags.threads, shlex.split(flags.serve)) as server:
        for recording in heard[:1]:
            with_session(server, lasting(recording, WARM_UP_SECONDS))
        rows = [without_session(server, flags.seconds)]
        rows += [with_session(server, recording) for recording in heard]
    result = heading(flags.model, flags.threads) | {"rows": [figures(row) for row in rows]}
    report(result, table(rows), save=flags.save)


if __name__ == "__main__":
    main()
