"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

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
