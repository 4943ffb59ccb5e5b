"""Text messages of Deepgram clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from streamwhisper.validation import FieldError, read, shown

__all__ = ["CloseStream", "Command", "Configure", "Finalize", "KeepAlive", "read_command"]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Sign of life of a silent client."""


@dataclass(frozen=True, slots=True)
class Finalize:
    """Request to commit the audio received so far, of one channel or of all (None)."""

    channel: int | None = None


@dataclass(frozen=True, slots=True)
class CloseStream:
    """End of the audio."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Change of options during a stream.

    Attributes:
        keyterms: new vocabulary; None: unchanged.
        features: features to switch on or off, by name.
        wrong: error message if the command is invalid, otherwise empty.
    """

    keyterms: tuple[str, ...] | None = None
    features: Mapping[str, bool] = field(default_factory=dict)
    wrong: str = ""


Command = KeepAlive | Finalize | CloseStream | Configure

_EXPECTED = 'a JSON object whose "type" is KeepAlive, Finalize, CloseStream or Configure'


def read_command(text: str) -> Command:
    """Parse a text frame.

    Raises:
        ValueError: the frame is not a supported command.
    """
    try:
        command = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"the text frame is not JSON; expected {_EXPECTED}") from None
    if not isinstance(command, dict):
        raise ValueError(f"the text frame is {shown(command)}; expected {_EXPECTED}")
    match command.get("type"):
        case "KeepAlive":
            return KeepAlive()
        case "Finalize":
            return Finalize(_channel(command.get("channel")))
        case "CloseStream":
            return CloseStream()
        case "Configure":
            return _configure(command)
    raise ValueError(f"the type is {shown(command.get('type'))}; expected {_EXPECTED}")


def _channel(value: object) -> int | None:
    try:
        return cast("int | None", read(value, int | None))
    except FieldError as error:
        raise ValueError(f"channel {error}, counted from 0") from None


def _configure(command: Mapping[str, object]) -> Configure:
    keyterms, features = command.get("keyterms"), command.get("features")
    try:
        terms = read(keyterms, tuple[str, ...] | None)
    except FieldError as error:
        return Configure(wrong=f"keyterms {error}")
    if terms is not None:
        terms = tuple(term.strip() for term in terms if term.strip())
    try:
        return Configure(terms, read(features, dict[str, bool] | None) or {})
    except FieldError as error:
        return Configure(wrong=f"features {error}, each true or false")
