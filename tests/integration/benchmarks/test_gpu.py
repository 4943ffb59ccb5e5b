"""The benchmark for GPUs runs on a CPU as well."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.latency import gpu
from streamwhisper.checkpoints.catalog import KNOWN_MODELS


def test_it_measures_made_up_weights_and_reports_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "gpu.json"
    monkeypatch.setenv("STREAMWHISPER_CACHE", str(tmp_path))
    flags = ["--models", "tiny", "nobody", "--dtypes", "float32", "--device", "cpu", "--quick"]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *flags, "--ways", "graph", "--json", str(out)])
    gpu.main()
    rows = json.loads(out.read_text())["rows"]
    done = [row for row in rows if row["model"] == "tiny"]
    assert {row["part"].split(",")[0] for row in done} == {
        "load",
        "encoder",
        "prefill",
        "token",
        "request",
    }
    assert all(row["ms"] > 0 for row in done)
    assert all("20 drafted" in row["note"] for row in done if row["part"] == "request, 6 s")
    (failed,) = (row for row in rows if row["model"] == "nobody")
    assert failed["ms"] is None
    assert "nobody" in failed["note"]
    assert capsys.readouterr().out.count("\n| tiny") == len(done)


def test_made_up_weights_are_the_same_each_time_in_the_dimensions_of_their_model() -> None:
    one, other = (gpu.made_up("tiny", torch.device("cpu"), torch.float16) for _ in range(2))
    assert one.dims == KNOWN_MODELS["tiny"].dims
    assert all(map(torch.equal, one.parameters(), other.parameters()))
