"""Records that a server could not finish, for it was killed or the power went.

The next one to record in the same folder does: it cuts off what is torn, and gives the files their
names. A server that lives has its files locked, which ends with its process, however that ends.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from streamwhisper.audio.wav import mend_wav

if sys.platform != "win32":
    import fcntl

__all__ = ["PART", "finish_records", "lock"]

log = logging.getLogger(__name__)

PART = ".part"
"""Stands in the names of files that are not finished, before what they are."""

_NAME = re.compile(r"\d{8}T\d{6}Z-[^.]+\.part\.(jsonl|srt|vtt|wav)")


def lock(descriptor: int) -> None:
    """Keep a file for this process until it is closed.

    Raises:
        BlockingIOError: another one has it.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def finish_records(folder: Path) -> None:
    """Finish what servers that live no more have left here; the log tells of each file.

    Raises:
        OSError: the folder cannot be read.
    """
    for part in sorted(folder.iterdir()):
        if not _NAME.fullmatch(part.name):  # somebody else's
            continue
        try:
            descriptor = os.open(part, os.O_RDWR)
        except OSError as error:
            _complain(part, error.strerror or str(error))
            continue
        try:
            lock(descriptor)
            _finish(part, descriptor)
        except BlockingIOError:  # it is being written
            pass
        except OSError as error:
            _complain(part, error.strerror or str(error))
        finally:
            os.close(descriptor)


def _finish(part: Path, descriptor: int) -> None:
    whole = part.with_name(part.name.replace(f"{PART}.", ".", 1))
    if whole.exists():
        _complain(part, f"{whole.name} is there already, and is not written over")
        return
    size = os.fstat(descriptor).st_size
    _MENDERS[part.suffix](descriptor)
    os.fsync(descriptor)
    part.rename(whole)
    log.warning(
        "record %s: finished, for the server that kept it could not; %d bytes at its end were cut "
        "off as torn",
        whole.name,
        max(0, size - os.fstat(descriptor).st_size),
    )


def _complain(part: Path, why: str) -> None:
    log.error("record %s: cannot be finished (%s); it stays as it is", part.name, why)


def _mend_lines(descriptor: int) -> None:
    """Keep all up to the last line that is whole, and JSON."""
    lines = _read(descriptor).splitlines(keepends=True)
    while lines and not _is_json(lines[-1]):
        lines.pop()
    os.ftruncate(descriptor, sum(map(len, lines)))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return line.endswith(b"\n")


def _mend_cues(descriptor: int) -> None:
    """Keep all that ends with an empty line."""
    end = _read(descriptor).rstrip(b"\0").rfind(b"\n\n")
    os.ftruncate(descriptor, end + 2 if end >= 0 else 0)


def _read(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


_MENDERS: dict[str, Callable[[int], None]] = {
    ".jsonl": _mend_lines,
    ".srt": _mend_cues,
    ".vtt": _mend_cues,
    ".wav": mend_wav,
}
