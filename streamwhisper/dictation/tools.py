"""Programs of the desktop, e.g. wtype and xclip: run with UTF-8 text and a time limit."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamwhisper.control_characters import without_controls
from streamwhisper.errors import StreamWhisperError

__all__ = ["Result", "ToolError", "run_tool"]

_LONGEST_REASON = 200  # characters


class ToolError(StreamWhisperError, OSError):
    """A program that is not installed, cannot run, or does not end."""


@dataclass(frozen=True, slots=True)
class Result:
    """Result of a program that has ended.

    Attributes:
        status: exit status; 0: success.
        out: its standard output.
        reason: its error message or, without one, its exit status.
    """

    status: int
    out: bytes
    reason: str


def run_tool(command: Sequence[str], data: bytes = b"", *, timeout: float = 5.0) -> Result:
    """Run a program with `data` on its standard input.

    Args:
        command: program and arguments.
        data: standard input.
        timeout: seconds after which the program is ended.

    Raises:
        ToolError: the program is not installed, cannot run, or does not end in time.
    """
    name = Path(command[0]).name
    # Files instead of pipes: a program that goes on in the background keeps its pipes open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            status = subprocess.run(
                command,
                input=data,
                stdout=out,
                stderr=errors,
                env=_utf8(os.environ),
                timeout=timeout,
                check=False,
            ).returncode
        except FileNotFoundError as error:
            raise ToolError(f"{name} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{name} did not end within {timeout:g} s") from error
        except OSError as error:
            raise ToolError(f"{name} cannot run: {error.strerror}") from error
        said = b""
        for file in (errors, out):  # ydotool reports failures on standard output
            file.seek(0)
            said = said.strip() or file.read()
        out.seek(0)
        return Result(status, out.read(), _reason(said) or f"exit status {status}")


def _utf8(environment: os._Environ[str]) -> dict[str, str]:
    """Return an environment in which programs read and write UTF-8, and English."""
    changed = dict(environment)
    if sys.platform == "darwin":  # pbcopy, which a program without a terminal starts without locale
        changed.pop("LC_ALL", None)
        return {**changed, "LC_CTYPE": "UTF-8"}
    return {**changed, "LC_ALL": "C.UTF-8"}


def _reason(said: bytes) -> str:
    """Return the last lines of a program's messages as one clause."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    lines = [line.removeprefix("what():").strip() for line in lines if _tells(line)]
    text = without_controls(". ".join(lines[-2:])).replace("; ", ", ")
    return text[-_LONGEST_REASON:].rstrip(".")


def _tells(line: str) -> bool:
    return bool(line) and not line.startswith("terminate called")  # by an exception of C++
