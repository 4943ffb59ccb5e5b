"""What commands share: flags, where their defaults come from, and what loads a model."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.whisper.hub import HubOptions

__all__ = [
    "DEFAULT_MODEL",
    "Adapter",
    "Device",
    "Dtype",
    "Json",
    "Language",
    "Model",
    "Precision",
    "Threads",
    "fetch",
    "hub_options",
    "load",
]

DEFAULT_MODEL = "tiny.en"


class Dtype(StrEnum):
    """Precisions to compute in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    int8 = "int8"


Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        envvar="STREAMWHISPER_MODEL",
        help="Name, checkpoint file or folder, or hub id.",
    ),
]
Device = Annotated[
    str, typer.Option(envvar="STREAMWHISPER_DEVICE", help="Such as cpu or cuda; auto chooses.")
]
Precision = Annotated[
    Dtype, typer.Option("--dtype", envvar="STREAMWHISPER_DTYPE", help="Precision; auto chooses.")
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, envvar="STREAMWHISPER_THREADS", help="CPU threads for one operation."),
]
Adapter = Annotated[
    Path | None,
    typer.Option(envvar="STREAMWHISPER_ADAPTER", help="Folder of a LoRA adapter to merge in."),
]
Language = Annotated[
    str | None, typer.Option("--language", "-l", help="Such as en; default: found by listening.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def hub_options() -> HubOptions:
    """Where models come from, by the environment."""
    from streamwhisper.whisper.hub import HubOptions

    return HubOptions.from_environment(os.environ)


def fetch(name: str) -> Path:
    """Find a model or fetch it, with a bar."""
    from streamwhisper.display import DownloadBar
    from streamwhisper.whisper.hub import resolve

    with DownloadBar(name) as progress:
        return resolve(name, options=hub_options(), progress=progress)


def load(
    model: str, device: str, dtype: Dtype, threads: int | None, adapter: Path | None
) -> LocalRecognizer:
    """Load a model, fetching it where necessary."""
    fetch(model)  # first, for its progress and so that a wrong name costs no import of torch
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer

    options = LocalOptions(device, dtype.value, threads, adapter=adapter)
    return LocalRecognizer.load(model, options, hub_options())
