"""docs/OPERATING.md lists the server's metrics, and limits with their defaults."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import streamwhisper
from streamwhisper.cli.main import app
from streamwhisper.server.metrics import Metrics
from tests.support.paths import DOCS

PAGE = (DOCS / "OPERATING.md").read_text(encoding="utf-8")
SIZES = {"KiB": 2**10, "MiB": 2**20}


def followed() -> Iterator[str]:
    """Return the names of the gauges that modules add to the metrics; Ray is not needed."""
    for file in Path(streamwhisper.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in ("follow", "Figure") and isinstance(node.args[0], ast.Constant):
                    yield node.args[0].value
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_COUNTS":
                yield from (f"cluster_requests_{key}" for key in ast.literal_eval(node.value))


def documented() -> set[str]:
    """Return the names in the first column of the table of metrics."""
    table = PAGE.partition("| metric |")[2].partition("\n\n")[0]
    names = list[str]()
    for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE):
        for name in re.findall(r"`(\w+)(?:\{[\w,]+\})?`", cell):
            names.append(f"cluster_requests{name}" if name.startswith("_") else name)
    return {name.removesuffix("_total") for name in names}


def test_the_table_has_every_metric_and_no_other() -> None:
    registered = {metric.name for metric in Metrics().registry.collect()}
    metrics = {name.removeprefix("streamwhisper_") for name in (*registered, *followed())}
    processes = {name for name in metrics if name.startswith("process_")}
    assert documented() - processes == metrics - processes


DEFAULTS = [
    (flags, default)
    for flags, default in re.findall(r"^\| (`--.+?) \| (.+?) \|", PAGE, re.MULTILINE)
    if default != "none"
]


@pytest.mark.parametrize(("flags", "default"), DEFAULTS)
def test_the_limits_have_these_defaults(flags: str, default: str) -> None:
    command: Any = typer.main.get_command(app)
    options = {name: option for option in command.commands["serve"].params for name in option.opts}
    names = re.findall(r"`(--[\w-]+)`", flags)
    values = re.findall(r"(none|[\d.]+)(?: (MiB|KiB|s))?", default)
    for name, (number, unit) in zip(names, values, strict=False):
        expected = None if number == "none" else float(number) * SIZES.get(unit, 1)
        assert options[name].default == expected, name
