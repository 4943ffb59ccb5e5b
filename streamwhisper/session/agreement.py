"""LocalAgreement-2: commit what two successive hypotheses agree on.

After Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System" (2023).
Both hypotheses follow the same committed text, so they are compared from their first word on.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from streamwhisper.recognition import HypothesisWord

__all__ = ["AgreementOptions", "agreed_words", "normalized"]


@dataclass(frozen=True, slots=True)
class AgreementOptions:
    """When a word is committed; margins are seconds from its end to the end of the sound.

    A word waits for a later update while it ends within the margin, since it may be half spoken:
    "there" becomes "therefore".

    Attributes:
        margin: of a word that two hypotheses share.
        doubt: a word that is less probable than this needs the doubtful margin.
        doubtful_margin: see there.
        confidence: a word that is more probable than this needs no second hypothesis.
        confident_margin: of such a word.
        context: in windows with less sound than this and no committed text yet, a word is
            committed only if it is more probable than `first_doubt`: the first words of an
            utterance are easily misheard.
        first_doubt: see there.
    """

    margin: float = 0.1
    doubt: float = 0.7
    doubtful_margin: float = 0.4
    confidence: float = 0.95
    confident_margin: float = 0.25
    context: float = 2.0
    first_doubt: float = 0.8


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
    agreed, count = True, 0
    for new in current:
        old = previous[count] if count < len(previous) else None
        agreed = agreed and old is not None and normalized(old.text) == normalized(new.text)
        probability = math.exp(new.log_probability)
        if agreed:
            margin = options.margin if probability >= options.doubt else options.doubtful_margin
        elif probability > options.confidence:
            margin = options.confident_margin
        else:
            break
        if sound_end - new.end < margin:
            break
        count += 1
    return count
