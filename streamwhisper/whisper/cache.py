"""Model files on disk, known to be whole.

Beside each file lies its stamp: the SHA-256 that was found in it, with the size and the moment
of change it had then. A file that still fits its stamp is not hashed again, so that a start
does not read gigabytes twice; one that has changed in any way is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Stamp", "fault", "place", "read_stamp", "sha256_of", "stamps"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What was found in a file, and how the file looked then.

    Attributes:
        model: the model's name.
        source: who served the file.
        size: in bytes.
        mtime_ns: moment of the last change, as the file system keeps it.
    """

    model: str
    source: str
    sha256: str
    size: int
    mtime_ns: int


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def read_stamp(file: Path) -> Stamp | None:
    """Return the stamp of `file`, or None where it has no readable one."""
    try:
        return Stamp(**json.loads(_stamp_path(file).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield every stamped file of a folder, in the order of their names."""
    for path in sorted(folder.glob("*.stamp")):
        file = path.with_suffix("")
        stamp = read_stamp(file)
        if stamp is not None and file.is_file():
            yield file, stamp


def place(part: Path, file: Path, *, model: str, source: str, sha256: str) -> None:
    """Move the verified `part` to `file` in one step, and stamp it."""
    # The stamp goes first: were this cut off between the two, the file would be hashed again.
    _write_stamp(part, file, model=model, source=source, sha256=sha256)
    part.replace(file)


def fault(file: Path, expected: Collection[str]) -> str | None:
    """Return what is wrong with `file`, or None where it is whole.

    Args:
        file: an existing file.
        expected: the hashes it may have; where there are none, the one in its stamp counts.
    """
    stamp = read_stamp(file)
    if not expected and stamp is None:
        return "nothing tells what its SHA-256 should be"
    allowed = expected or {stamp.sha256 if stamp else ""}
    facts = file.stat()
    if (
        stamp is not None
        and (stamp.size, stamp.mtime_ns) == (facts.st_size, facts.st_mtime_ns)
        and stamp.sha256 in allowed
    ):
        return None
    found = sha256_of(file)
    if found not in allowed:
        return f"its SHA-256 is {found}, expected {' or '.join(sorted(allowed))}"
    # A folder that cannot be written to only costs the next start this hash again.
    with contextlib.suppress(OSError):
        model, source = (stamp.model, stamp.source) if stamp else ("", "unknown")
        _write_stamp(file, file, model=model, source=source, sha256=found)
    return None


def _stamp_path(file: Path) -> Path:
    return file.with_name(f"{file.name}.stamp")


def _write_stamp(content: Path, file: Path, *, model: str, source: str, sha256: str) -> None:
    facts = content.stat()
    stamp = Stamp(model, source, sha256, facts.st_size, facts.st_mtime_ns)
    fresh = file.with_name(f"{file.name}.stamp.part")
    fresh.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
    fresh.replace(_stamp_path(file))
