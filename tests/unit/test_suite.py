"""The layout of the test suite: unit tests mirror the package, and test files stand alone."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT

TESTS = ROOT / "tests"
UNIT = TESTS / "unit"
# What concerns the package as a whole.
WHOLE = {"test_layers", "test_moved", "test_package", "test_suite"}
IMPORT = re.compile(r"^\s*(?:from|import)\s+(tests\.[\w.]*test_\w+)", re.MULTILINE)


def test_no_test_file_imports_another() -> None:
    """What several files need is in ``tests/support``."""
    found = {
        str(file.relative_to(TESTS)): IMPORT.findall(file.read_text(encoding="utf-8"))
        for file in TESTS.rglob("*.py")
    }
    assert len(found) > 100
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "file", sorted(UNIT.rglob("test_*.py")), ids=lambda file: str(file.relative_to(UNIT))
)
def test_a_unit_test_lies_where_its_module_does(file: Path) -> None:
    folder = file.parent.relative_to(UNIT)
    if folder == Path("docs") or (folder == Path() and file.stem in WHOLE):
        return
    mirrored = ROOT if folder.parts[:1] == ("benchmarks",) else ROOT / "streamwhisper"
    module = mirrored / folder / file.stem.removeprefix("test_")
    assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file(), (
        f"there is no {module.relative_to(ROOT)}.py"
    )


def test_only_files_that_exist_are_left_out_of_coverage() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    omitted = settings["coverage"]["run"]["omit"]
    assert omitted
    assert [name for name in omitted if not (ROOT / name).is_file()] == []
    assert settings["coverage"]["report"]["fail_under"] >= 90
