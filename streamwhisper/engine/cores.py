"""Number of CPU cores that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["usable_cores"]

_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Return the number of CPU cores for this process: 1 or more.

    The number is limited by the CPU affinity (``taskset``, ``docker --cpuset-cpus``) and by the
    quotas of Linux control groups (``docker --cpus``, ``limits.cpu`` of Kubernetes).

    Args:
        root: folder that has ``proc`` and ``sys``.
    """
    return max(1, min([_affinity(), *_quotas(root)]))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[int]:
    """Yield the quota of the process's control group and of each group above it, in cores."""
    groups = root / "sys/fs/cgroup"
    for line in _words(root / "proc/self/cgroup", "\n"):
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            for folder in _upwards(groups, path):
                yield from _cores(*_words(folder / "cpu.max")[:2])
        elif "cpu" in controllers.split(","):
            for folder in _upwards(groups / "cpu", path):
                names = "cpu.cfs_quota_us", "cpu.cfs_period_us"
                yield from _cores(*(word for name in names for word in _words(folder / name)))


def _upwards(top: Path, path: str) -> Iterator[Path]:
    """Yield the folder of a control group and those above it; a container sees only the top."""
    folder = top / path.strip("/")
    yield folder
    while folder != top:
        folder = folder.parent
        yield folder


def _cores(quota: str = "", period: str = "") -> Iterator[int]:
    if quota.isdecimal() and period.isdecimal() and int(period):
        yield math.ceil(int(quota) / int(period))


def _words(file: Path, separator: str | None = None) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split(separator)
    except (OSError, ValueError):
        return []
