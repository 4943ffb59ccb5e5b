"""The package's imports run downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import streamwhisper
from tests.support.layers import RANKS, TORCH

ROOT = Path(streamwhisper.__file__).parent


def _module(file: Path) -> str:
    parts = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# `streamwhisper/__init__.py` names the homes of the public names, wherever they are.
FILES = {_module(file): file for file in sorted(ROOT.rglob("*.py"))}
del FILES["streamwhisper"]


def _imports(file: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            assert node.module is not None
            # `from package import module` names a module, too.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in names if name in FILES} or {node.module}
    return found


def _noun(module: str) -> str:
    return module.split(".")[1]


def _within(module: str, *packages: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)


@pytest.mark.parametrize("module", FILES)
def test_every_module_has_a_layer(module):
    assert _noun(module) in RANKS


@pytest.mark.parametrize("module", FILES)
def test_imports_run_downwards(module):
    own = _noun(module)
    others = {
        name
        for name in _imports(FILES[module])
        if name.startswith("streamwhisper.") and _noun(name) != own
    }
    wrong = {name for name in others if RANKS[_noun(name)] <= RANKS[own]}
    assert not wrong, f"{module} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("module", FILES)
def test_nobody_imports_the_command_line(module):
    if _noun(module) not in ("__main__", "cli"):
        assert not any(_within(name, "streamwhisper.cli.main") for name in _imports(FILES[module]))


@pytest.mark.parametrize("module", FILES)
def test_only_the_network_imports_torch(module):
    if _noun(module) not in TORCH:
        assert not any(_within(name, "torch") for name in _imports(FILES[module]))


@pytest.mark.parametrize("module", FILES)
def test_the_recognizing_wing_knows_neither_asyncio_nor_sessions(module):
    if _noun(module) == "whisper" or module == "streamwhisper.engine.local":
        for name in _imports(FILES[module]):
            assert not _within(name, "asyncio", "streamwhisper.session")
