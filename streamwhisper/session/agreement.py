"""LocalAgreement-2: commit what two successive hypotheses agree on.

After Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System" (2023).
Both hypotheses follow the same committed text, so they are compared from their first word on.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from streamwhisper.recognition import HypothesisWord

__all__ = ["AgreementOptions", "agreed_words", "normalized"]


@dataclass(frozen=True, slots=True)
class AgreementOptions:
    """When a word that two hypotheses share is committed.

    Attributes:
        edge_margin: a word that begins less than this many seconds before the end of the sound
            waits for the next update, since it may be half spoken.
    """

    edge_margin: float = 0.1


def normalized(word: str) -> str:
    """`word` without case, spaces and punctuation: what agreement is judged by."""
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", word).casefold()
        if unicodedata.category(character)[0] not in "PZ"
    )


def agreed_words(
    previous: Sequence[HypothesisWord],
    current: Sequence[HypothesisWord],
    sound_end: float,
    options: AgreementOptions,
) -> int:
    """How many leading words of `current` can be committed.

    Args:
        previous: what the last hypothesis said after the committed text.
        current: what the newest one says; its spelling is the one to commit.
        sound_end: end of the sound `current` was heard in, on the clock of its words.
    """
    count = 0
    for old, new in zip(previous, current, strict=False):
        if normalized(old.text) != normalized(new.text):
            break
        if new.start > sound_end - options.edge_margin:
            break
        count += 1
    return count
