"""The picture of the curve of latency against accuracy; drawing starts a process for the fonts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.latency.curve import plot


def result(wer: float, p50: float) -> dict[str, Any]:
    latency = {"p50": p50, "p90": 2 * p50, "p95": 2 * p50, "p99": 3 * p50}
    return {"wer": wer, "commit_latency": latency}


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_a_picture_is_drawn_of_any_settings(tmp_path: Path, suffix: str, magic: bytes) -> None:
    file = tmp_path / f"curve{suffix}"
    plot(file, "made", [("low", result(5.2, 0.5)), ("settle=0.3", result(5.2, 0.6))], 4.0)
    assert file.read_bytes().startswith(magic)
