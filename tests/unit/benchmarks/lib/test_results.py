from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import benchmark_files
from benchmarks.lib import results


def test_a_saved_table_goes_to_the_file_of_its_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "HISTORY", tmp_path)
    monkeypatch.setattr(sys, "argv", ["python -m benchmarks idle", "--model", "a b", "--save"])
    heading = results.heading("tiny.en", 1) | {"date": "2026-12-01 10:00 UTC"}

    results.report(heading, "| one |", save=True)
    results.report(heading, "| two |", save=True)
    results.report(heading, "| three |", save=False)

    assert [path.name for path in tmp_path.iterdir()] == ["2026-12.md"]
    text = (tmp_path / "2026-12.md").read_text(encoding="utf-8")
    assert text.count("# Results of 2026-12\n") == 1
    assert text.index("| one |") < text.index("| two |")
    assert "| three |" not in text
    assert text.count("\n## 2026-12-01 10:00 UTC: tiny.en\n") == 2
    assert "`python -m benchmarks idle --model 'a b' --save`" in text
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["model"] == "tiny.en"


def test_the_results_name_benchmarks_that_exist() -> None:
    text = (results.HISTORY.parent / "RESULTS.md").read_text(encoding="utf-8")
    named = set(re.findall(r"python -m benchmarks (\w+)", text))
    assert len(named) > 10
    assert named <= set(benchmark_files())
