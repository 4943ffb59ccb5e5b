"""Recovery of records that a killed server left unfinished.

The next server that records in the same folder truncates incomplete data and gives the files their
final names. A running server holds a lock on its files; the lock ends with the process.
"""

from __future__ import annotations

import json
import logging
import os
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from streamwhisper.audio.wav import mend_wav

if sys.platform != "win32":
    import fcntl

__all__ = ["PART", "finish_records", "lock"]

log = logging.getLogger(__name__)

PART = ".part"
"""Marks unfinished files, before the suffix."""

_NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Neither follow a link, nor wait for the other end of a pipe."""

_NAME = re.compile(r"\d{8}T\d{6}Z-[^.]+\.part\.(jsonl|srt|vtt|wav)")


def lock(descriptor: int) -> None:
    """Lock a file until this process closes it.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def finish_records(folder: Path) -> None:
    """Finish the records of killed servers in a folder, and log each file.

    Raises:
        OSError: the folder cannot be read.
    """
    for part in sorted(folder.iterdir()):
        if not _NAME.fullmatch(part.name):  # not a record
            continue
        try:
            descriptor = os.open(part, os.O_RDWR | _NOT_FOLLOWED)
        except OSError as error:
            _log_failure(part, error.strerror or str(error))
            continue
        try:
            _check_own(descriptor)
            lock(descriptor)
            _finish(part, descriptor)
        except BlockingIOError:  # a running server writes it
            pass
        except OSError as error:
            _log_failure(part, error.strerror or str(error))
        finally:
            os.close(descriptor)


def _check_own(descriptor: int) -> None:
    """Check that a file is one that a server has written, and not a link to another.

    Raises:
        OSError: it is not a regular file, or has a second name.
    """
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError("it is not a regular file")
    if found.st_nlink > 1:
        raise OSError("it is a link to another file")


def _finish(part: Path, descriptor: int) -> None:
    whole = part.with_name(part.name.replace(f"{PART}.", ".", 1))
    if os.path.lexists(whole):
        _log_failure(part, f"{whole.name} exists already and is not overwritten")
        return
    size = os.fstat(descriptor).st_size
    _MENDERS[part.suffix](descriptor)
    os.fsync(descriptor)
    part.rename(whole)
    log.warning(
        "record %s: finished after its server was killed; %d incomplete bytes at its end were "
        "removed",
        whole.name,
        max(0, size - os.fstat(descriptor).st_size),
    )


def _log_failure(part: Path, why: str) -> None:
    log.error("record %s: cannot be finished (%s); left unchanged", part.name, why)


def _mend_lines(descriptor: int) -> None:
    """Truncate a file after its last complete line of JSON."""
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
    """Truncate a file after its last empty line, which ends a cue."""
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
