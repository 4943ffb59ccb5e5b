"""What a Deepgram client says beside its sound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["CloseStream", "Command", "Configure", "Finalize", "KeepAlive", "read_command"]


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The client is there, though nobody speaks."""


@dataclass(frozen=True, slots=True)
class Finalize:
    """Everything heard so far is to stand now; `channel`: on this one alone."""

    channel: int | None = None


@dataclass(frozen=True, slots=True)
class CloseStream:
    """No more sound will come."""


@dataclass(frozen=True, slots=True)
class Configure:
    """What is to change in the middle of a stream.

    Attributes:
        keyterms: in place of those before; None: they stay.
        features: by name, whether each is on from now on.
        wrong: why it cannot be read; empty if it can.
    """

    keyterms: tuple[str, ...] | None = None
    features: Mapping[str, bool] = field(default_factory=dict)
    wrong: str = ""


Command = KeepAlive | Finalize | CloseStream | Configure

_EXPECTED = 'a JSON object whose "type" is KeepAlive, Finalize, CloseStream or Configure'


def read_command(text: str) -> Command:
    """Read a text frame.

    Raises:
        ValueError: what was seen, and what was expected.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"a text frame that is no JSON; expected {_EXPECTED}") from None
    if not isinstance(said, dict):
        raise ValueError(f"a text frame that is no object; expected {_EXPECTED}")
    match said.get("type"):
        case "KeepAlive":
            return KeepAlive()
        case "Finalize":
            return Finalize(_channel(said.get("channel")))
        case "CloseStream":
            return CloseStream()
        case "Configure":
            return _configure(said.get("keyterms"), said.get("features"))
    raise ValueError(f"the type is {str(said.get('type'))[:100]!r}; expected {_EXPECTED}")


def _channel(said: object) -> int | None:
    if said is None or (isinstance(said, int) and not isinstance(said, bool)):
        return said
    raise ValueError(f"channel is {str(said)[:100]!r}; expected its number, from 0")


def _configure(keyterms: object, features: object) -> Configure:
    if keyterms is None:
        terms = None
    elif isinstance(keyterms, list) and all(isinstance(term, str) for term in keyterms):
        terms = tuple(term.strip() for term in keyterms if term.strip())
    else:
        return Configure(wrong=f"keyterms is {_cut(keyterms)}; expected a list of texts, or null")
    if features is None:
        return Configure(terms)
    if isinstance(features, dict) and all(isinstance(on, bool) for on in features.values()):
        return Configure(terms, features)
    return Configure(wrong=f"features is {_cut(features)}; expected names with true or false")


def _cut(said: object) -> str:
    return json.dumps(said)[:100]
