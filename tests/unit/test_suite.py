"""The layout of the test suite: unit tests mirror the package, and test files stand alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.paths import ROOT

TESTS = ROOT / "tests"
UNIT = TESTS / "unit"
# What concerns the package or the repository as a whole.
WHOLE = {"test_documents", "test_layers", "test_moved", "test_package", "test_suite"}
TEST_FILES = sorted(TESTS.rglob("test_*.py"))


def imports(file: Path) -> set[str]:
    """The modules that a file imports, by their full names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: str(file.relative_to(TESTS)))
def test_a_test_file_imports_no_other_test_file(file: Path) -> None:
    others = {".".join(other.relative_to(ROOT).with_suffix("").parts) for other in TEST_FILES}
    assert not imports(file) & others, "move what is shared to tests/support"


@pytest.mark.parametrize(
    "file", sorted(UNIT.rglob("test_*.py")), ids=lambda file: str(file.relative_to(UNIT))
)
def test_a_unit_test_lies_where_its_module_does(file: Path) -> None:
    folder = file.parent.relative_to(UNIT)
    if folder == Path() and file.stem in WHOLE:
        return
    mirrored = ROOT if folder.parts[:1] == ("benchmarks",) else ROOT / "streamwhisper"
    module = mirrored / folder / file.stem.removeprefix("test_")
    assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file(), (
        f"there is no {module.relative_to(ROOT)}.py"
    )
