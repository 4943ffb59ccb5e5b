"""The package's clock is defined once, in `streamwhisper.audio.constants`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import streamwhisper
from streamwhisper.audio import constants

ROOT = Path(streamwhisper.__file__).parent
FILES = [file for file in sorted(ROOT.rglob("*.py")) if file.name != "constants.py"]
OLD_NAMES = {"MAX_FRAMES", "TIMESTAMP_STEP", "HOP_LENGTH"}


def _literals(file: Path) -> list[str]:
    """Return numbers that repeat the sample rate, and assignments to a constant's name."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value == constants.SAMPLE_RATE:
            found.append(f"line {node.lineno}: {node.value}")
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name) and (
                target.id.lstrip("_") in {*constants.__all__, *OLD_NAMES}
            ):
                found.append(f"line {node.lineno}: {target.id}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_defines_the_clock_again(file):
    assert not _literals(file), "import it from streamwhisper.audio.constants"


def test_a_new_definition_is_found(tmp_path):
    file = tmp_path / "again.py"
    file.write_text("_HOP = 1\nx = round(2.0 * 16000)\n")
    assert _literals(file) == ["line 1: _HOP", "line 2: 16000"]


def test_the_clock_is_whispers():
    assert constants.FRAMES_PER_SECOND == 100
    assert constants.POSITIONS_PER_SECOND == 50
    assert constants.SECONDS_PER_POSITION == 0.02
    assert (constants.WINDOW_SAMPLES, constants.WINDOW_FRAMES) == (480_000, 3000)
    assert constants.WINDOW_POSITIONS == 1500
