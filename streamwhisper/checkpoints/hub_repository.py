"""Models as repositories of the Hugging Face hub: a folder with the files that are needed.

That is ``model.safetensors``, or the shards that its index names, and what is declared beside
them. All come from one commit. A file that is whole is not fetched again, so that a fetch which
was cut off goes on with the shard where it stopped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from streamwhisper.checkpoints import model_cache
from streamwhisper.checkpoints.download import DownloadProgress, fetch_address, reason
from streamwhisper.checkpoints.model_folder import (
    ADDED_TOKENS,
    CONFIG,
    GENERATION_CONFIG,
    INDEX,
    TOKENIZER,
    WEIGHTS,
    shard_names,
)
from streamwhisper.errors import CheckpointError, ModelDownloadError

__all__ = ["fetch_repository"]

_NOT_FOUND = 404


class _NoSuchFileError(ModelDownloadError):
    """The hub answers, but the repository has no such file."""


@dataclass(frozen=True, slots=True)
class _Repository:
    """Where files come from, and what they are fetched for; see `fetch_repository`."""

    name: str
    model: str
    endpoint: str | None
    timeout: float
    progress: DownloadProgress


@dataclass(frozen=True, slots=True)
class _File:
    """One file of a repository, on this machine now.

    Attributes:
        commit: the one it is from, or None where the hub does not say.
    """

    path: Path
    sha256: str
    commit: str | None


def fetch_repository(
    repo: str,
    part: Path,
    *,
    model: str,
    endpoint: str | None,
    timeout: float,
    progress: DownloadProgress,
) -> str:
    """Fetch the model in the repository `repo`; return the SHA-256 of its weights or index.

    Args:
        repo: ``owner/name``; private ones through the user's own Hugging Face login.
        part: the folder where the files go; whole ones and parts of an earlier try serve.
        model: what the files are stamped with.
        endpoint: another hub than the user's Hugging Face configuration names.
        timeout: seconds to wait for a connection, and for each block.
        progress: told of every block.

    Raises:
        ModelDownloadError: the hub cannot be reached, or has no such files.
    """
    source = _Repository(repo, model, endpoint, timeout, progress)
    try:
        first = _fetch(source, WEIGHTS, part)
    except _NoSuchFileError as error:
        try:
            first = _fetch(source, INDEX, part)
        except _NoSuchFileError:
            raise error from None
    names = [first.path.name]
    if first.path.name == INDEX:
        try:
            shards = shard_names(first.path)
        except CheckpointError as error:
            raise ModelDownloadError(f"{repo} cannot be used: {error}") from error
        for n, shard in enumerate(shards, 1):
            progress.message(f"fetching {shard} ({n} of {len(shards)})")
            _fetch(source, shard, part, first.commit)
        names += shards
    for name in (CONFIG, GENERATION_CONFIG, ADDED_TOKENS, TOKENIZER):
        if name == TOKENIZER and ADDED_TOKENS in names:
            continue  # says the same at greater length
        try:
            _fetch(source, name, part, first.commit)
        except _NoSuchFileError:
            continue
        names.append(name)
    _keep_only(names, part)
    return first.sha256


def _fetch(source: _Repository, name: str, folder: Path, commit: str | None = None) -> _File:
    """Fetch one file, from `commit` where one is given; one that is there and whole stays."""
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    repo, file = source.name, folder / name
    try:
        url = hf_hub_url(repo, name, revision=commit, endpoint=source.endpoint)
        facts = get_hf_file_metadata(url, timeout=source.timeout)
    except _huggingface_errors() as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        kind = _NoSuchFileError if status == _NOT_FOUND else ModelDownloadError
        raise kind(f"{repo} cannot be fetched: {reason(error)}") from error
    # The entity tag of a large file is its SHA-256.
    tag = facts.etag or ""
    sha256 = tag if re.fullmatch("[0-9a-f]{64}", tag) else None
    if sha256 and file.is_file() and model_cache.fault(file, {sha256}) is None:
        return _File(file, sha256, facts.commit_hash)
    same_host = urlsplit(facts.location).netloc == urlsplit(url).netloc
    token = get_token() if same_host else None
    folder.mkdir(exist_ok=True)
    part = file.with_name(f"{name}.part")
    found = fetch_address(
        facts.location,
        part,
        sha256=sha256,
        timeout=source.timeout,
        progress=source.progress,
        headers={"Authorization": f"Bearer {token}"} if token else None,
    )
    model_cache.place(part, file, model=source.model, source="huggingface", sha256=found)
    return _File(file, found, facts.commit_hash)


def _keep_only(names: list[str], folder: Path) -> None:
    """Delete what an earlier commit left behind."""
    wanted = {*names, *(model_cache.stamp_path(folder / name).name for name in names)}
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


def _huggingface_errors() -> tuple[type[Exception], ...]:
    """What huggingface_hub raises: its own errors, and those of its HTTP client.

    Which client that is depends on its version; the errors of either descend from one
    ``HTTPError``, and so does its own.
    """
    from huggingface_hub.errors import HfHubHTTPError

    clients = (base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    return (OSError, ValueError, *(base for base in clients if issubclass(base, Exception)))
