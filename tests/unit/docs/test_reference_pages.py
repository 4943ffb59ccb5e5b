"""Reference pages: every command with its options, and every public name."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import streamwhisper
from streamwhisper.cli.main import app
from tests.support.paths import DOCS

PAGE = (DOCS / "CLI.md").read_text(encoding="utf-8")


def commands(command: Any, name: str = "streamwhisper") -> Iterator[tuple[str, Any]]:
    """Return all commands below `command`, with their full names."""
    for child, below in getattr(command, "commands", {}).items():
        yield f"{name} {child}", below
        yield from commands(below, f"{name} {child}")


COMMANDS = dict(commands(typer.main.get_command(app)))
hooks_file = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
assert hooks_file is not None
assert hooks_file.loader is not None
hooks: Any = importlib.util.module_from_spec(hooks_file)
hooks_file.loader.exec_module(hooks)


def test_every_command_has_a_section_with_an_example() -> None:
    sections = dict(re.findall(r"^##+ (streamwhisper .+)\n((?:(?!^#).*\n)*)", PAGE, re.MULTILINE))
    assert set(sections) == set(COMMANDS)
    for name, text in sections.items():
        if not getattr(COMMANDS[name], "commands", None):
            assert f"\n{name} " in text or f"\n{name}\n" in text, name


def test_every_command_with_options_has_a_table_of_them() -> None:
    shown = set(hooks.OPTIONS.findall(PAGE))
    for name, command in COMMANDS.items():
        options = [p for p in command.params if p.param_type_name == "option"]
        if len(options) > 1 and not getattr(command, "commands", None):  # more than --help
            assert name.removeprefix("streamwhisper ") in shown


@pytest.mark.parametrize("name", hooks.OPTIONS.findall(PAGE))
def test_the_table_of_a_command_has_all_its_options(name: str) -> None:
    rows = re.findall(r"^    \| (`-.+?) \| (.*?) \| .*\|$", hooks.option_table(name), re.MULTILINE)
    shown = {flag for flags, _ in rows for flag in re.findall(r"`(-[^`]+)`", flags)}
    command = COMMANDS[f"streamwhisper {name}"]
    flags = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)}
    assert shown == {flag for flag in flags if flag.startswith("-")} - {"--help", "-h"}


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("docs/PROTOCOL.md", "PROTOCOL.md"),
        ("README.md", "index.md"),
        ("examples/embed.py", "examples/embed.md"),
        ("benchmarks/RESULTS.md", "benchmarks/RESULTS.md"),
    ],
)
def test_files_of_the_repository_have_their_place_in_the_site(source: str, path: str) -> None:
    assert hooks.site_path(source) == path


def test_the_page_on_the_api_lists_every_public_name_once() -> None:
    page = (DOCS / "reference" / "api.md").read_text(encoding="utf-8")
    names = re.findall(r"^::: streamwhisper\.(\w+)$", page, re.MULTILINE)
    assert sorted(names) == sorted({*streamwhisper.__all__} - {"__version__"})


@pytest.mark.parametrize("page", sorted((DOCS / "tutorials").glob("*.md")), ids=lambda p: p.stem)
def test_the_programs_of_the_tutorials_use_public_names(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for node in ast.walk(ast.parse("\n".join(blocks))):
        if isinstance(node, ast.ImportFrom) and node.module == "streamwhisper":
            assert {alias.name for alias in node.names} <= {*streamwhisper.__all__}
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "streamwhisper":
            assert node.attr in streamwhisper.__all__
