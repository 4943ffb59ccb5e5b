"""Documents: links lead somewhere, named files exist, and figures are those of the benchmarks."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main
import yaml

import streamwhisper
from streamwhisper.cli.main import app
from streamwhisper.version import __version__
from tests.support.layers import LAYERS
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "benchmarks").rglob("*.md"),
    ROOT / "clients/web/README.md",
    ROOT / "deploy/README.md",
]
FOLDERS = (".", "streamwhisper", "streamwhisper/checkpoints", "clients/web", "tests")
LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|href)=\"([^\"]+)\"")
COMMAND = re.compile(
    r"(?:^|`|&& |\| )streamwhisper ((?:serve|stream|mic|transcribe|models|cluster)\b[^`|&<>\n]*)",
    re.MULTILINE,
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """Return the text without blocks of code."""
    return CODE.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the anchors of all headings, as GitHub forms them."""
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(prose(text)))
    return {heading.replace(" ", "-") for heading in kept}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for link in (a or b for a, b in LINK.findall(prose(text))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = document.parent / name if name else document
        assert target.exists(), f"{link}: no such file"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link}: no such heading"


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("text", [ARCHITECTURE, CONTRIBUTING], ids=["ARCHITECTURE", "CONTRIBUTING"])
def test_every_file_that_is_named_exists(text: str) -> None:
    for name in re.findall(r"`([\w./-]+/[\w./-]*|[\w-]+\.py)`", prose(text)):
        assert any((ROOT / folder / name).exists() for folder in FOLDERS), name


def test_the_table_of_layers_is_that_of_the_imports() -> None:
    table = ARCHITECTURE.split("## Layers")[1].split("Inside `server/`")[0]
    ranks: list[set[str]] = []
    for number, members in re.findall(r"^\| (\d*) ?\| (`.+?) \|", table, re.MULTILINE):
        ranks += [set()] if number else []
        ranks[-1] |= set(re.findall(r"`(\w+)(?:/|\.py)`", members))
    assert ranks == LAYERS


def test_the_python_of_the_readme_uses_public_names_only() -> None:
    programs = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(programs) == 2
    for program in programs:
        for node in ast.walk(ast.parse(program)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "streamwhisper":
                assert node.attr in streamwhisper.__all__


def test_the_citation_names_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__


def test_the_figures_of_the_readme_are_those_of_the_benchmarks() -> None:
    sources = [ROOT / "benchmarks/RESULTS.md", *(ROOT / "benchmarks/history").glob("*.md")]
    measured = "\n".join(source.read_text(encoding="utf-8") for source in sources)
    numbers = [float(number) for number in re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", measured)]
    rows = [line for line in README.splitlines() if re.search(r"\d (s|%|GB)", line)]
    stated = re.findall(r"(?<![\w.])(\d+\.\d+) (s|%)(?!\w)", "\n".join(rows))
    assert len(stated) >= 6
    for number, unit in stated:
        digits = len(number.split(".")[1])
        assert any(round(found, digits) == float(number) for found in numbers), f"{number} {unit}"


def options(command: Any) -> set[str]:
    """Return all flags of a command, under every spelling."""
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_of_a_document_exists_with_its_flags(document: Path) -> None:
    if document.name in ("LOG.md", "RESULTS.md", "CHANGELOG.md") or "history" in document.parts:
        return  # they record what was run then
    root: Any = typer.main.get_command(app)
    for line in COMMAND.findall(document.read_text(encoding="utf-8")):
        words = line.split("#")[0].replace("=", " ").split()
        command, known = root, options(root)
        for word in words:
            if word in getattr(command, "commands", ()):
                command = command.commands[word]
                known |= options(command)
            elif word.startswith("--"):
                assert word.rstrip(".,;:)'\"") in known, f"streamwhisper {line}: no {word}"


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_make_target_of_a_document_exists(text: str) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r"(?:^|`)(?:\w+=\w+ )?make (\w+)", text, re.MULTILINE)
    assert len(named) >= 3
    assert set(named) <= set(targets)
