"""How many speakers one server handles at once, in real time.

    python -m benchmarks streams --model tiny.en --counts 1 4 8 --limit 60

Each stream sends a different part of long recordings over its own WebSocket at the pace of a
microphone, and the server rejects no session. A count is handled well if the 95th percentile of
commit latency is at most 2 s and the lag does not grow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.latency.streaming import figures, stream
from benchmarks.lib.live_run import Run
from benchmarks.lib.measure import machine_line
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import Recording, clips, joined, speech_folder
from streamwhisper.engine.cores import usable_cores

GROWING = 0.01
"""Seconds of lag a second from which it counts as growing."""


def recordings(count: int, seconds: float, gap: float) -> list[Recording]:
    """`count` different recordings of about `seconds` each, joined from single utterances."""
    folder = speech_folder()
    every = clips(folder, "ls-dev", 10_000)
    found: list[Recording] = []
    pending: list[Recording] = []
    while len(found) < count:
        for clip in every:
            pending.append(clip)
            if sum(part.seconds + gap for part in pending) >= seconds:
                found.append(joined(pending, gap))
                pending = []
    return found[:count]


async def play(server: Server, chosen: Sequence[Recording], stagger: float = 0.37) -> list[Run]:
    """All recordings at once, each begun so many seconds after the one before."""

    async def later(index: int, recording: Recording) -> Run:
        await asyncio.sleep(index * stagger)
        return await stream(server, recording, chunk=0.1, speed=1.0)

    return await asyncio.gather(*(later(i, recording) for i, recording in enumerate(chosen)))


def measured(server: Server, chosen: Sequence[Recording], stagger: float) -> dict[str, Any]:
    """The figures of one count; the cost is that of the whole server."""
    before = server.cpu_seconds()
    runs = asyncio.run(play(server, chosen, stagger))
    seconds = sum(recording.seconds for recording in chosen)
    cost = (server.cpu_seconds() - before) / seconds
    result = figures([replace(run, cpu_seconds=0.0) for run in runs])
    served = result["commit_latency"]["p95"] <= 2 and result["lag_slope"] < GROWING
    return result | {
        "streams": len(runs),
        "cpu_per_audio_second": round(cost, 3),
        "peak_rss_mb": round(server.peak_rss / 1e6),
        "served_well": served,
    }


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of each stream")
    parser.add_argument("--gap", type=float, default=0.3, help="seconds of silence between clips")
    parser.add_argument("--stagger", type=float, default=0.37, help="seconds between two starts")
    parser.add_argument("--threads", type=int, default=max(1, usable_cores() // 2))
    parser.add_argument("--serve", default="", help="more flags for streamwhisper serve")
    flags = parser.parse_args()
    chosen = recordings(max(flags.counts), flags.limit, flags.gap)
    print(f"{flags.model} on {machine_line(flags.threads)}\n")
    print(
        "| streams | commit p50 / p95 | display p50 | lag at most | lag grows by | WER "
        "| CPU-s per s of audio | memory | served well |\n|---|---|---|---|---|---|---|---|---|"
    )
    rows = []
    arguments = ["--max-wait", "0", *shlex.split(flags.serve)]
    with running_server(flags.model, flags.threads, arguments) as server:
        for count in flags.counts:
            row = measured(server, chosen[:count], flags.stagger)
            rows.append(row)
            commit = row["commit_latency"]
            print(
                f"| {count} | {commit['p50']:.2f} / {commit['p95']:.2f} s "
                f"| {row['display_latency']['p50']:.2f} s | {row['lag_max']} s "
                f"| {60 * row['lag_slope']:+.2f} s/min | {row['wer']} % "
                f"| {row['cpu_per_audio_second']} | {row['peak_rss_mb']} MB "
                f"| {'yes' if row['served_well'] else 'no'} |",
                flush=True,
            )
    print(json.dumps({"model": flags.model, "rows": rows}))


if __name__ == "__main__":
    main()
