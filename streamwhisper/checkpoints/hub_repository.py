"""Downloads of models from repositories of the Hugging Face hub.

A model needs ``model.safetensors``, or the shards that its index names, and the declarations beside
them. All files come from one commit. Complete files are not downloaded again, so an interrupted
download resumes at its last shard.
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
    """Missing file of a repository that exists."""


@dataclass(frozen=True, slots=True)
class _Repository:
    """Source and destination of a download; see `fetch_repository`."""

    name: str
    model: str
    endpoint: str | None
    timeout: float
    progress: DownloadProgress


@dataclass(frozen=True, slots=True)
class _File:
    """Downloaded file of a repository.

    Attributes:
        commit: commit of the file; None if the hub does not report it.
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
    """Download the model in the repository `repo`; return the SHA-256 of its weights or index.

    Args:
        repo: ``owner/name``; private repositories need the user's Hugging Face login.
        part: destination folder; files of an interrupted download are reused.
        model: model name for the stamps of the files.
        endpoint: address of another hub; None takes that of the user's Hugging Face configuration.
        timeout: timeout of the connection and of each block, in seconds.
        progress: receives messages and the progress of every block.

    Raises:
        ModelDownloadError: the hub cannot be reached, or lacks the files.
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
            progress.message(f"downloading {shard} ({n} of {len(shards)})")
            _fetch(source, shard, part, first.commit)
        names += shards
    for name in (CONFIG, GENERATION_CONFIG, ADDED_TOKENS, TOKENIZER):
        if name == TOKENIZER and ADDED_TOKENS in names:
            continue  # redundant
        try:
            _fetch(source, name, part, first.commit)
        except _NoSuchFileError:
            continue
        names.append(name)
    _keep_only(names, part)
    return first.sha256


def _fetch(source: _Repository, name: str, folder: Path, commit: str | None = None) -> _File:
    """Download one file, from `commit` if given; a complete file is kept."""
    from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url

    repo, file = source.name, folder / name
    try:
        url = hf_hub_url(repo, name, revision=commit, endpoint=source.endpoint)
        facts = get_hf_file_metadata(url, timeout=source.timeout)
    except _huggingface_errors() as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        kind = _NoSuchFileError if status == _NOT_FOUND else ModelDownloadError
        raise kind(f"{repo} cannot be downloaded: {reason(error)}") from error
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
    """Delete the files of an earlier commit."""
    wanted = {*names, *(model_cache.stamp_path(folder / name).name for name in names)}
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


def _huggingface_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that huggingface_hub raises, including those of its HTTP client.

    The client depends on the version; all its errors derive from one ``HTTPError``.
    """
    from huggingface_hub.errors import HfHubHTTPError

    clients = (base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError")
    return (OSError, ValueError, *(base for base in clients if issubclass(base, Exception)))
