"""The page on embedding is true: its programs run, one after the other, on real speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.support.paths import ROOT


def programs() -> str:
    """All blocks of Python of the page, each at its own line, so that an error names it."""
    lines = (ROOT / "docs" / "EMBEDDING.md").read_text(encoding="utf-8").split("\n")
    inside = False
    kept = []
    for line in lines:
        if line.startswith("```"):
            inside = line == "```python"
            kept.append("")
        else:
            kept.append(line if inside else "")
    return "\n".join(kept)


@pytest.fixture
def place(speech: Any, tmp_path: Path) -> Path:
    """A folder with other examples: the same few words twice, with a pause between."""
    life = speech.load(speech.clip("librispeech/61-70968-0002"))
    sound = np.concatenate([life, np.zeros(32000, np.float32), life])
    (tmp_path / "examples").mkdir()
    soundfile.write(tmp_path / "examples" / "sample.flac", sound, 16000)
    return tmp_path


def test_the_page_runs_and_hears_what_is_said(
    tiny_en_path: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(place)
    names: dict[str, Any] = {}
    exec(compile(programs(), "EMBEDDING.md", "exec"), names)
    printed = capsys.readouterr().out
    for text in (printed, names["text"], names["first"], *names["both"]):
        assert text.lower().count("happy life") == 2
    assert [turn.lower().count("happy life") for turn in names["turns"]] == [1, 1, 0]
    assert "cannot connect to ws://127.0.0.1:9" in printed
