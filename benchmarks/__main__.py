"""``python -m benchmarks NAME``: run one benchmark; ``--list`` explains each in one line."""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from pathlib import Path

__all__ = ["benchmark_files", "main"]

ROOT = Path(__file__).parent


def benchmark_files() -> dict[str, Path]:
    """Return the file of each benchmark, by name; a benchmark is a module with a ``main``."""
    found = {}
    for file in sorted(ROOT.glob("*/*.py")):
        if "def main(" in file.read_text(encoding="utf-8") and not file.stem.endswith("_worker"):
            found[file.stem] = file
    return found


def main(arguments: list[str]) -> int:
    """Run the benchmark named first, with the other arguments; return the exit status."""
    files = benchmark_files()
    if not arguments or arguments[0] in ("--list", "--help", "-h"):
        print("usage: python -m benchmarks NAME [options]; NAME --help lists the options\n")
        for name, file in files.items():
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            print(f"  {name:16} {file.parent.name:11} {text.partition(chr(10))[0]}")
        return 0
    name = arguments[0]
    if name not in files:
        near = difflib.get_close_matches(name, files, n=1)
        hint = f"did you mean {near[0]}?" if near else "see --list"
        print(f"{name} is not a benchmark; {hint}", file=sys.stderr)
        return 2
    sys.argv = [f"python -m benchmarks {name}", *arguments[1:]]
    importlib.import_module(f"benchmarks.{files[name].parent.name}.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
