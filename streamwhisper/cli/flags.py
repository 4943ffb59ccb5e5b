"""Options that several commands share, and how every option gets its environment variable."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

__all__ = [
    "DEFAULT_ADDRESS",
    "DEFAULT_MODEL",
    "Adapter",
    "Address",
    "Compile",
    "Device",
    "Dtype",
    "Endpoint",
    "Engine",
    "HowSoon",
    "Json",
    "Language",
    "Languages",
    "Latency",
    "Model",
    "Precision",
    "Task",
    "Threads",
    "Token",
    "WhatEnds",
    "option",
    "split_names",
]

DEFAULT_MODEL = "tiny.en"
DEFAULT_ADDRESS = "127.0.0.1:6379"


class Latency(StrEnum):
    """How soon text is committed."""

    low = "low"
    balanced = "balanced"
    accurate = "accurate"


class Endpoint(StrEnum):
    """What ends an utterance: a silence, or one whose length follows from the text before it."""

    fixed = "fixed"
    sentence = "sentence"


class Engine(StrEnum):
    """Where sound is recognized."""

    local = "local"
    ray = "ray"


class Dtype(StrEnum):
    """Precisions to compute in."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"
    int8 = "int8"


def option(flag: str, *short: str, help: str, **more: Any) -> Any:
    """An option whose variable is STREAMWHISPER_ and its name: ``--max-sessions`` is in
    ``STREAMWHISPER_MAX_SESSIONS``.
    """
    name = flag.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(flag, *short, envvar=f"STREAMWHISPER_{name}", help=help, **more)


def split_names(text: str | None) -> tuple[str, ...]:
    """Names with commas between them; none for None."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


Model = Annotated[str, option("--model", "-m", help="Name, checkpoint file or folder, or hub id.")]
Device = Annotated[str, option("--device", help="cpu, cuda, cuda:1, mps; auto chooses.")]
Precision = Annotated[Dtype, option("--dtype", help="Precision; auto chooses.")]
Threads = Annotated[int | None, option("--threads", min=1, help="CPU threads for one operation.")]
Adapter = Annotated[Path | None, option("--adapter", help="Folder of a LoRA adapter to merge in.")]
Compile = Annotated[
    bool,
    option("--compile", help="Compile the step that writes a token; needs a compiler."),
]
HowSoon = Annotated[Latency, option("--latency", help="Sooner, or fewer errors.")]
WhatEnds = Annotated[
    Endpoint,
    option(
        "--endpoint",
        help="End utterances after a fixed silence, or sooner where a sentence is finished "
        "and later where it goes on.",
    ),
]
Address = Annotated[
    str,
    option("--address", help="HOST:PORT of a cluster's head; auto: the one this machine is in."),
]
Token = Annotated[str | None, option("--token", help="The key that the server wants.")]
Language = Annotated[
    str | None, typer.Option("--language", "-l", help="Such as en; default: found by listening.")
]
Languages = Annotated[
    str | None,
    option("--languages", help="Those that may be spoken where it is found, such as de,fr."),
]
Task = Annotated[
    Literal["transcribe", "translate"], typer.Option("--task", help="translate: into English.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
