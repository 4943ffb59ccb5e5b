"""Where figures are kept, and what stands beside every one of them."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.lib.measure import machine_line

__all__ = ["RESULTS", "heading", "report"]

RESULTS = Path(__file__).parents[1] / "RESULTS.md"


def heading(model: str, threads: int) -> dict[str, Any]:
    """What was measured, when, by which command and on which machine."""
    return {
        "model": model,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", *sys.argv]),
        "machine": machine_line(threads),
    }


def report(result: dict[str, Any], text: str, *, save: bool) -> None:
    """Print a table and the JSON line; append the table to the results if it is to be saved.

    Args:
        result: has what `heading` says.
    """
    print(f"{result['model']} on {result['machine']}\n\n{text}\n")
    if save:
        _save(result, text)
    print(json.dumps(result, ensure_ascii=False))


def _save(result: dict[str, Any], text: str) -> None:
    """Append a dated table to the results."""
    if not RESULTS.is_file():
        RESULTS.write_text("# Results\n\nNewest last; each with the command that made it.\n")
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(f"\n## {result['date']}: {result['model']}\n\n`{result['command']}`\n\n")
        file.write(f"{result['machine']}\n\n{text}\n")
