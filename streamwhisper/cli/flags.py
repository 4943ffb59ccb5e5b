"""Flags that several commands share, and how every flag gets its environment variable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from streamwhisper.audio.opening import Selection
    from streamwhisper.session.options import SessionOptions

__all__ = [
    "DEFAULT_ADDRESS",
    "DEFAULT_MODEL",
    "Address",
    "DetectionFlag",
    "Dtype",
    "Endpoint",
    "Json",
    "LanguageFlag",
    "Latency",
    "LiveFlags",
    "ModelFlags",
    "SelectionFlags",
    "Task",
    "Token",
    "option",
    "split_names",
]

DEFAULT_MODEL = "tiny.en"
DEFAULT_ADDRESS = "127.0.0.1:6379"

# The values of the options behind these flags; importing the options would cost `--help` a second.
Latency = Literal["low", "balanced", "accurate"]
Endpoint = Literal["fixed", "sentence"]
Dtype = Literal["auto", "float32", "bfloat16", "float16", "int8"]


def option(flag: str, *short: str, help: str, **more: Any) -> Any:
    """Return a Typer option with an environment variable.

    The variable is ``STREAMWHISPER_`` and the flag's name: ``--max-sessions`` is
    ``STREAMWHISPER_MAX_SESSIONS``.
    """
    name = flag.split("/")[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        flag, *short, envvar=f"STREAMWHISPER_{name}", show_envvar=False, help=help, **more
    )


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the names in a comma-separated list; an empty tuple for None."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


_model_option = partial(option, rich_help_panel="Model")

Address = Annotated[
    str,
    option(
        "--address",
        help="HOST:PORT of the Ray cluster's head (--engine ray); auto: this machine's cluster.",
    ),
]
Token = Annotated[str | None, option("--token", help="Access token for the server.")]
Task = Annotated[
    Literal["transcribe", "translate"],
    typer.Option("--task", help="translate: English text, whatever language is spoken."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")]


@dataclass(frozen=True, slots=True)
class SelectionFlags:
    """Flags for what is read of a recording."""

    channel: Annotated[
        int | None,
        typer.Option(
            "--channel",
            min=1,
            help="Only use this channel, counted from 1. Default: all, mixed.",
            rich_help_panel="Input",
        ),
    ] = None
    audio_track: Annotated[
        int | None,
        typer.Option(
            "--audio-track",
            min=1,
            help="Audio track of a file, counted from 1. Default: the file's default track.",
            rich_help_panel="Input",
        ),
    ] = None

    def selection(self) -> Selection:
        """Return the track and the channel to read."""
        from streamwhisper.audio.opening import Selection

        return Selection(self.audio_track, self.channel)


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """Flags for the model, its device and its precision."""

    model: Annotated[
        str,
        _model_option(
            "--model",
            "-m",
            help="Model name, checkpoint file or folder, or hub id. The default tiny.en knows "
            "only English; base knows 99 languages.",
        ),
    ] = DEFAULT_MODEL
    device: Annotated[
        str, _model_option("--device", help="cpu, cuda, cuda:1 or mps; auto chooses.")
    ] = "auto"
    dtype: Annotated[Dtype, _model_option("--dtype", help="Precision; auto chooses.")] = "auto"
    threads: Annotated[
        int | None,
        _model_option(
            "--threads",
            min=1,
            help="CPU threads per operation. Default: half the cores, at most 4.",
        ),
    ] = None
    adapter: Annotated[
        Path | None, _model_option("--adapter", help="Folder of a LoRA adapter to merge.")
    ] = None
    compiled: Annotated[
        bool,
        _model_option("--compile", help="Compile the decoder step with torch (needs a compiler)."),
    ] = False


@dataclass(frozen=True, slots=True)
class LanguageFlag:
    """Flag for the spoken language."""

    language: Annotated[
        str | None,
        typer.Option(
            "--language", "-l", help="Spoken language, e.g. en, pt-BR, zh-TW. Default: auto-detect."
        ),
    ] = None

    def tag(self) -> str | None:
        """Return the language's tag, which the model may not know; None: to be detected."""
        from streamwhisper.languages import normalize_language

        return normalize_language(self.language or "") or None


@dataclass(frozen=True, slots=True)
class DetectionFlag:
    """Flag for the languages that detection may choose from."""

    languages: Annotated[
        str | None,
        option(
            "--languages",
            help="Limit language detection to these, e.g. de,fr (multilingual models).",
        ),
    ] = None

    def names(self) -> tuple[str, ...]:
        """Return the languages as they are written."""
        return split_names(self.languages)

    def tags(self) -> tuple[str, ...]:
        """Return the languages' tags, which the model may not know; none: any of the model's."""
        from streamwhisper.languages import normalize_language

        return tuple(filter(None, map(normalize_language, self.names())))


@dataclass(frozen=True, slots=True)
class LiveFlags:
    """Flags for the latency of commits and the end of utterances."""

    latency: Annotated[
        Latency,
        option("--latency", help="low commits words earlier; accurate waits for more audio."),
    ] = "balanced"
    endpoint: Annotated[
        Endpoint,
        option(
            "--endpoint",
            help="End an utterance after a fixed silence (0.6 s), or sooner after a complete "
            "sentence and later inside one.",
        ),
    ] = "sentence"

    def session_options(self, spoken: str | None, among: tuple[str, ...]) -> SessionOptions:
        """Return options of a session for a spoken language, or for detection among several."""
        from streamwhisper.session.endpoint import EndpointOptions
        from streamwhisper.session.language import LanguageDetection
        from streamwhisper.session.options import SessionOptions

        options = SessionOptions(
            spoken or LanguageDetection(among), endpoint=EndpointOptions(self.endpoint)
        )
        return options.tuned(self.latency)
