"""Items of a Realtime session: options, state and log probabilities."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from streamwhisper.events import Word
from streamwhisper.server.dialects.openai_realtime.client_events import Json

__all__ = ["Item", "ItemOptions", "Mark", "log_probabilities"]


@dataclass(frozen=True, slots=True)
class ItemOptions:
    """Options of items.

    Attributes:
        detecting: whether speech begins and ends items; otherwise only commits end them.
        lead: seconds before speech that are transcribed but not part of the reported item.
        idle: seconds without speech until `timeout_triggered` is sent; None: never.
        log_probabilities: whether texts have the log probabilities of their words.
    """

    detecting: bool = True
    lead: float = 0.0
    idle: float | None = None
    log_probabilities: bool = False


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        id: identifier for the client.
        start: start in seconds.
        end: end in seconds; None while the item is open; only the newest one may be.
        announced: whether the client knows the item.
        muted: whether the client cleared the item.
        committed: whether the item is committed.
        text: transcript so far.
        language: language code of the text.
        log_probabilities: log probabilities of the words so far.
    """

    id: str
    start: float
    end: float | None = None
    announced: bool = False
    muted: bool = False
    committed: bool = False
    text: str = ""
    language: str | None = None
    log_probabilities: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Mark:
    """Commit or clear at an audio position that is not completely transcribed yet.

    With turn detection, the item that a commit ends is only known then. The end of speech may
    answer the commit first.

    Attributes:
        position: audio position in seconds.
        clearing: True for a clear, False for a commit.
        answered: whether the client received the answer.
    """

    position: float
    clearing: bool
    answered: bool


def log_probabilities(text: str, words: tuple[Word, ...]) -> list[Json]:
    """Return the log probability of each word of `text`; the joined tokens are `text`.

    A word that is not found in the text is part of the next one.
    """
    found: list[Json] = []
    begun = 0
    for word in words:
        at = text.find(word.word, begun)
        if at < 0:
            continue
        end = at + len(word.word)
        found.append(_token(text[begun:end], word.confidence))
        begun = end
    if found and begun < len(text):
        found[-1] = _token(found[-1]["token"] + text[begun:], math.exp(found[-1]["logprob"]))
    return found


def _token(text: str, probability: float) -> Json:
    return {
        "token": text,
        "bytes": list(text.encode()),
        "logprob": round(math.log(max(probability, 1e-9)), 4),
    }
