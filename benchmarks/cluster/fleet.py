"""Speakers that a fleet of workers can serve: a simulation, checked by real runs.

    python -m benchmarks fleet                          # tables of predictions
    python -m benchmarks fleet --check 1 2 4            # real workers: predicted and measured

Speakers talk and pause. During speech an update is due at intervals, with one update of a speaker
under way at a time. It goes to the worker that caches the speaker's window, or to another one if
that worker is busy or gone; the other worker computes everything anew. Workers die and return
without a cache. Worker processes may share fewer cores, in time slices.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.cluster.simulation import Fleet, Service, chunked, simulate
from benchmarks.lib.results import SAVE_HELP, heading, report

# Seconds of an update with tiny.en, used when no measured times are given.
TIMES = {"recalled": [0.05], "forgotten": [0.16]}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of the same figures as a table."""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row[name]) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def predictions(service: Service, workers: int, seconds: float) -> list[dict[str, Any]]:
    """Print lag and utilization by load, and with workers that die."""
    mean = sum(service.recalled) / len(service.recalled)
    fleet = Fleet(1, workers)
    # Speakers that would keep all workers busy all of the time.
    share = fleet.talk.speech / (fleet.talk.speech + fleet.talk.pause)
    full = workers * chunked(fleet.interval) / mean / share
    rows = []
    for load in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0):
        for lifetime in (None, 60.0 * workers / 4):
            tried = replace(fleet, speakers=max(1, round(load * full)), lifetime=lifetime)
            outcome = simulate(tried, service, seconds)
            deaths = "never" if lifetime is None else f"{lifetime / workers:.0f} s"
            rows.append(
                {"workers": workers, "speakers": tried.speakers, "one dies every": deaths}
                | outcome.row()
            )
    return rows


def main() -> None:
    """Print tables, and JSON on the last line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 32])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run")
    parser.add_argument("--check", type=int, nargs="*", help="counts of real workers")
    parser.add_argument("--model", default="tiny.en", help="for the real ones")
    parser.add_argument("--speakers", type=int, default=4, help="speakers per worker")
    parser.add_argument("--times", type=argparse.FileType(), help="the JSON line of a check")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    if flags.check is not None:
        from benchmarks.cluster.fleet_check import check

        result = check(flags.check or [1, 2, 4], flags.model, flags.speakers, flags.seconds)
    else:
        times = json.load(flags.times)["times"] if flags.times else TIMES
        service = Service(times["recalled"], times["forgotten"])
        rows = [
            row for count in flags.workers for row in predictions(service, count, flags.seconds)
        ]
        result = heading(flags.model, 1) | {"rows": rows}
    report(result, table(result["rows"]), save=flags.save)


if __name__ == "__main__":
    main()
