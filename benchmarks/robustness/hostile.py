"""Every attack of one client on the others: pongs, lag and memory beside a good session.

    python -m benchmarks hostile --model tiny.en --seconds 20

Each attack runs in a process of its own against a real server (``serve --token``), beside a
session that sends real speech in real time and a ping every 50 ms. Halfway, a newcomer asks for a
session, for ``/healthz`` and for an upload. The first row is the session without an attack.
``attacks/`` holds the attacks, ``--only`` selects some.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import resource
import socket
import statistics
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psutil

from benchmarks.latency.streams import recordings
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import running_server
from benchmarks.lib.speech import Recording
from benchmarks.robustness.attacks import ATTACKS, Attack, Target
from benchmarks.robustness.newcomer import newcomer
from benchmarks.robustness.well_behaved import WellBehaved, speak
from streamwhisper.engine.cores import usable_cores

__all__ = ["MemoryWatch", "attacking", "beside"]

_TOKEN = "a-token-of-the-benchmark"
_ALONE = Attack("none", lambda target: asyncio.sleep(0))


def _attack(attack: str, target: Target) -> None:
    """Run an attack in this process until it is terminated."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    run = next(found.run for found in ATTACKS if found.name == attack)
    asyncio.run(run(target))


@contextlib.contextmanager
def attacking(attack: Attack, target: Target) -> Iterator[None]:
    """Run an attack in a process of its own while the body runs."""
    if attack is _ALONE:
        yield
        return
    process = multiprocessing.get_context("spawn").Process(
        target=_attack, args=(attack.name, target)
    )
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


class MemoryWatch:
    """Resident memory of a process while the body runs, in MB: before, peak and after."""

    def __init__(self, pid: int) -> None:
        """Watch the process with this number."""
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before = self.peak = self.after = self._now()

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.after = self._now()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self.peak = max(self.peak, self._now())

    def _now(self) -> float:
        return float(self._process.memory_info().rss / 1e6)


def beside(pid: int, target: Target, attack: Attack, recording: Recording) -> dict[str, Any]:
    """Return the figures of a good session beside an attack on the server process `pid`."""
    with MemoryWatch(pid) as memory:
        with attacking(attack, target):
            seen, came = asyncio.run(_witnesses(target, recording))
        threading.Event().wait(2)  # the server notices that the attackers are gone
    return {
        "pong_p50_ms": round(1000 * statistics.median(seen.pongs), 1),
        "pong_max_ms": round(1000 * seen.worst_pong),
        "lag_max_s": round(max(seen.lags, default=0.0), 2),
        "memory_before_mb": round(memory.before),
        "memory_peak_mb": round(memory.peak),
        "memory_after_mb": round(memory.after),
        **came,
    }


async def _witnesses(
    target: Target, recording: Recording
) -> tuple[WellBehaved, dict[str, int | None]]:
    """Speak, and let a newcomer come when half of it is said."""

    async def later() -> dict[str, int | None]:
        await asyncio.sleep(recording.seconds / 2)
        return await newcomer(target)

    return await asyncio.gather(speak(target, recording), later())


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| attack | pong p50 / max | lag at most | memory | newcomer: session, health, upload |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['pong_p50_ms']} / {row['pong_max_ms']} ms | {row['lag_max_s']} s "
        f"| {row['memory_before_mb']} / {row['memory_peak_mb']} / {row['memory_after_mb']} MB "
        f"| {_times(row['session_ms'], row['health_ms'], row['upload_ms'])} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines)


def _times(*milliseconds: int | None) -> str:
    return " / ".join("no answer" if each is None else f"{each} ms" for each in milliseconds)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def measured(model: str, threads: int, attack: Attack, recording: Recording) -> dict[str, Any]:
    """Return the figures of a good session beside an attack on a new server."""
    rest_port = _free_port()
    arguments = ["--token", _TOKEN, "--max-wait", "0", "--rest-port", str(rest_port)]
    arguments += attack.arguments
    with running_server(model, threads, arguments, open_files=attack.open_files) as server:
        target = Target(int(server.url.split(":")[2].split("/")[0]), rest_port, _TOKEN)
        return beside(server.pid, target, attack, recording)


def _chosen(names: Sequence[str]) -> list[Attack]:
    """Return the attacks whose names contain one of these parts; all if there are none."""
    return [each for each in ATTACKS if not names or any(name in each.name for name in names)]


def main() -> None:
    """Run the attacks, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds of speech per attack")
    parser.add_argument("--only", nargs="+", default=[], help="parts of the names of some attacks")
    parser.add_argument("--json", action="store_true", help="print the JSON line only")
    parser.add_argument("--threads", type=int, default=max(1, usable_cores() // 2))
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    recording = recordings(1, flags.seconds, 0.3)[0]
    rows: dict[str, dict[str, Any]] = {}
    for attack in (_ALONE, *_chosen(flags.only)):
        rows[attack.name] = measured(flags.model, flags.threads, attack, recording)
        if not flags.json:
            print(table({attack.name: rows[attack.name]}).splitlines()[-1], flush=True)
    result = heading(flags.model, flags.threads) | {"rows": rows}
    if flags.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        report(result, table(rows), save=flags.save)


if __name__ == "__main__":
    main()
