"""The command ``python -m benchmarks``."""

from __future__ import annotations

import ast

import pytest

from benchmarks.__main__ import benchmark_files, main
from tests.support.paths import ROOT

FILES = sorted((ROOT / "benchmarks").rglob("*.py"))


def test_the_list_explains_each_benchmark_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == [*benchmark_files()]
    assert all(line.endswith(".") and len(line.split()) > 5 for line in lines)


def test_a_name_that_is_none_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["steaming"]) == 2
    assert "did you mean streaming?" in capsys.readouterr().err


def test_every_benchmark_can_be_run_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr("benchmarks.latency.curve.main", lambda: seen.append("curve"))
    assert main(["curve"]) == 0
    assert seen == ["curve"]
    assert {"streaming", "accuracy", "fleet", "peers", "soak"} <= set(benchmark_files())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_short_and_says_what_it_is(file) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    assert ast.get_docstring(ast.parse(text))
