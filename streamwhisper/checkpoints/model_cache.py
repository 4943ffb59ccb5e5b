"""Cache of verified model files; a model can be a folder of several files.

Each file has a stamp beside it: its verified SHA-256, size and modification time. A file that still
matches its stamp is not hashed again, which saves reading gigabytes at each start.
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
    """Verified state of a file, or of all files of a folder.

    Attributes:
        sha256: hash of the content.
        model: name of the model.
        source: source that delivered the file.
        size: size in bytes.
        mtime_ns: modification time in nanoseconds, as reported by the file system.
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
    """Return the stamp of `file`, or None if it has no readable one.

    The stamp of a folder combines those of its files; its hash is the hash of their hashes.
    """
    if file.is_dir():
        return _folder_stamp(file)
    try:
        return Stamp(**json.loads(stamp_path(file).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def stamps(folder: Path) -> Iterator[tuple[Path, Stamp]]:
    """Yield every stamped file and every folder of stamped files, sorted by name."""
    files = {path.with_suffix("") for path in folder.glob("*.stamp")}
    folders = {path.parent for path in folder.glob("*/*.stamp") if path.parent.suffix != ".part"}
    for file in sorted(files | folders):
        stamp = read_stamp(file) if file.exists() else None
        if stamp is not None:
            yield file, stamp


def place(part: Path, file: Path, *, model: str, source: str, sha256: str) -> None:
    """Move the verified `part` to `file` atomically, and write its stamp.

    Files inside a folder already have stamps.
    """
    if part.is_dir():
        part.replace(file)
        return
    # Stamp first: if this is interrupted before the move, the file is hashed again.
    _write_stamp(part, file, model=model, source=source, sha256=sha256)
    part.replace(file)


def fault(file: Path, expected: Collection[str]) -> str | None:
    """Return the fault of `file`, or None if it is valid.

    Args:
        file: an existing file, or a folder of stamped ones.
        expected: accepted hashes; if empty, the hash in the stamp is expected.
    """
    if file.is_dir():
        return _folder_fault(file)
    stamp = read_stamp(file)
    if not expected and stamp is None:
        return "its expected SHA-256 is unknown"
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
    # In a read-only folder, the next start computes the hash again.
    with contextlib.suppress(OSError):
        model, source = (stamp.model, stamp.source) if stamp else ("", "unknown")
        _write_stamp(file, file, model=model, source=source, sha256=found)
    return None


def stamp_path(file: Path) -> Path:
    """Return the path of a file's stamp."""
    return file.with_name(f"{file.name}.stamp")


def _stamped(folder: Path) -> list[Path]:
    """Return the files of a folder that have a stamp, including missing files."""
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
        return "its expected files are unknown"
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
