"""Model files on disk, known to be whole; a model may be a folder of several.

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

__all__ = ["Stamp", "fault", "place", "read_stamp", "sha256_of", "stamp_path", "stamps"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What was found in a file, and how the file looked then. Of a folder: in all its files.

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
    """Return the stamp of `file`, or None where it has no readable one.

    A folder's is made of those of its files; its hash is that of their hashes.
    """
    if file.is_dir():
        return _folder_stamp(file)
    try:
        return Stamp(**json.loads(stamp_path(file).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield every stamped file, and every folder of such, in the order of their names."""
    files = {path.with_suffix("") for path in folder.glob("*.stamp")}
    folders = {path.parent for path in folder.glob("*/*.stamp") if path.parent.suffix != ".part"}
    for file in sorted(files | folders):
        stamp = read_stamp(file) if file.exists() else None
        if stamp is not None:
            yield file, stamp


def place(part: Path, file: Path, *, model: str, source: str, sha256: str) -> None:
    """Move the verified `part` to `file` in one step, and stamp it.

    A folder's files have their stamps already.
    """
    if part.is_dir():
        part.replace(file)
        return
    # The stamp goes first: were this cut off between the two, the file would be hashed again.
    _write_stamp(part, file, model=model, source=source, sha256=sha256)
    part.replace(file)


def fault(file: Path, expected: Collection[str]) -> str | None:
    """Return what is wrong with `file`, or None where it is whole.

    Args:
        file: an existing file, or a folder of stamped ones.
        expected: the hashes it may have; where there are none, the one in its stamp counts.
    """
    if file.is_dir():
        return _folder_fault(file)
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


def stamp_path(file: Path) -> Path:
    """Where the stamp of a file lies."""
    return file.with_name(f"{file.name}.stamp")


def _stamped(folder: Path) -> list[Path]:
    """The files of a folder that have a stamp, whether or not they are there."""
    return sorted(path.with_suffix("") for path in folder.glob("*.stamp"))


def _folder_stamp(folder: Path) -> Stamp | None:
    found = [(file.name, read_stamp(file)) for file in _stamped(folder)]
    whole = {name: stamp for name, stamp in found if stamp is not None}
    if not whole or len(whole) < len(found):
        return None
    lines = "".join(f"{stamp.sha256}  {name}\n" for name, stamp in whole.items())
    first = next(iter(whole.values()))
    return Stamp(
        first.model,
        first.source,
        hashlib.sha256(lines.encode()).hexdigest(),
        sum(stamp.size for stamp in whole.values()),
        max(stamp.mtime_ns for stamp in whole.values()),
    )


def _folder_fault(folder: Path) -> str | None:
    files = _stamped(folder)
    if not files:
        return "nothing tells which files it should have"
    for file in files:
        found = fault(file, ()) if file.is_file() else "it is missing"
        if found is not None:
            return f"{file.name}: {found}"
    return None


def _write_stamp(content: Path, file: Path, *, model: str, source: str, sha256: str) -> None:
    facts = content.stat()
    stamp = Stamp(model, source, sha256, facts.st_size, facts.st_mtime_ns)
    fresh = file.with_name(f"{file.name}.stamp.part")
    fresh.write_text(json.dumps(asdict(stamp)), encoding="utf-8")
    fresh.replace(stamp_path(file))
