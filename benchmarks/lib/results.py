"""Saved results: every table with its date, command and machine, one file per month."""

from __future__ import annotations

import datetime
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.lib.measure import machine_line

__all__ = ["HISTORY", "SAVE_HELP", "heading", "report"]

HISTORY = Path(__file__).parents[1] / "history"
SAVE_HELP = "append the table to this month's file in benchmarks/history/"


def heading(model: str, threads: int) -> dict[str, Any]:
    """Return the model, date, command and machine of a run."""
    return {
        "model": model,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join([sys.argv[0], *map(shlex.quote, sys.argv[1:])]),
        "machine": machine_line(threads),
    }


def report(result: dict[str, Any], text: str, *, save: bool) -> None:
    """Print a table and the JSON line, and save the table on request.

    Args:
        result: the figures, with everything that `heading` returns.
        text: the table, as Markdown.
        save: append the table to the file of its month in `HISTORY`.
    """
    print(f"{result['model']} on {result['machine']}\n\n{text}\n")
    if save:
        _save(result, text)
    print(json.dumps(result, ensure_ascii=False))


def _save(result: dict[str, Any], text: str) -> None:
    """Append a dated table to the file of its month."""
    month = result["date"][:7]
    path = HISTORY / f"{month}.md"
    if not path.is_file():
        path.write_text(f"# Results of {month}\n\nNewest last, each with its command.\n")
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n## {result['date']}: {result['model']}\n\n`{result['command']}`\n\n")
        file.write(f"{result['machine']}\n\n{text}\n")
