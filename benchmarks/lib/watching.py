"""Resources of a server process over time: memory, files, threads and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.lib.server_process import Server

__all__ = ["Held", "held_by", "metrics", "table"]


@dataclass(frozen=True, slots=True)
class Held:
    """What the process held after so many of whatever is counted."""

    count: int
    memory_mb: float
    files: int
    threads: int
    tasks: int
    sessions: int


def metrics(server: Server) -> dict[str, float]:
    """All figures of ``/metrics``, added up over their labels."""
    opener = build_opener(ProxyHandler({}))
    with opener.open(f"http://{urlsplit(server.url).netloc}/metrics", timeout=30) as answer:
        page = answer.read().decode()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def held_by(server: Server, count: int) -> Held:
    """Ask the system and the server itself."""
    process = psutil.Process(server.pid)
    said = metrics(server)
    return Held(
        count,
        round(process.memory_info().rss / 1e6, 1),
        process.num_fds(),
        process.num_threads(),
        int(said["streamwhisper_tasks"]),
        int(said["streamwhisper_open_sessions"] + said["streamwhisper_parked_sessions"]),
    )


def table(name: str, rows: Sequence[Held]) -> str:
    """The rows as a Markdown table."""
    lines = [
        f"| {name} | memory | open files | threads | tasks | sessions |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.count:,} | {row.memory_mb:.0f} MB | {row.files} | {row.threads} | {row.tasks} "
        f"| {row.sessions} |"
        for row in rows
    ]
    return "\n".join(lines)
