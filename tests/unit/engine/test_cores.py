"""The cores that a process may use: its affinity, and the quotas of its control groups."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamwhisper.engine import cores
from streamwhisper.engine.cores import usable_cores


def machine(root: Path, affinity: int, monkeypatch: pytest.MonkeyPatch, **files: str) -> Path:
    """A machine of 64 cores with these files under proc and sys."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(cores, "_affinity", lambda: affinity)
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


V2 = "proc/self/cgroup", "0::/pod/box\n"
V1 = "proc/self/cgroup", "12:memory:/pod\n7:cpu,cpuacct:/pod\n0::/\n"
GROUPS = "sys/fs/cgroup"


@pytest.mark.parametrize(
    ("affinity", "files", "expected"),
    [
        (64, {}, 64),
        (2, {}, 2),
        (64, dict([V2, (f"{GROUPS}/pod/box/cpu.max", "150000 100000\n")]), 2),
        (64, dict([V2, (f"{GROUPS}/pod/cpu.max", "400000 100000\n")]), 4),
        (3, dict([V2, (f"{GROUPS}/pod/cpu.max", "400000 100000\n")]), 3),
        (64, dict([V2, (f"{GROUPS}/pod/box/cpu.max", "max 100000\n")]), 64),
        (64, dict([V2, (f"{GROUPS}/cpu.max", "10000 100000\n")]), 1),
        (
            64,
            dict(
                [
                    V1,
                    (f"{GROUPS}/cpu/pod/cpu.cfs_quota_us", "250000\n"),
                    (f"{GROUPS}/cpu/pod/cpu.cfs_period_us", "100000\n"),
                ]
            ),
            3,
        ),
        (
            64,
            dict(
                [
                    V1,
                    (f"{GROUPS}/cpu/cpu.cfs_quota_us", "-1\n"),
                    (f"{GROUPS}/cpu/cpu.cfs_period_us", "100000\n"),
                ]
            ),
            64,
        ),
        (64, dict([V2, (f"{GROUPS}/pod/box/cpu.max", "nonsense")]), 64),
        (64, dict([V2, (f"{GROUPS}/pod/box/cpu.max", "")]), 64),
    ],
)
def test_the_smallest_limit_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    affinity: int,
    files: dict[str, str],
    expected: int,
) -> None:
    assert usable_cores(machine(tmp_path, affinity, monkeypatch, **files)) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_process_that_may_use_one_core_has_one() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_without_affinity_the_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores(Path("/nowhere")) == 7
