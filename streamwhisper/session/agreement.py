"""Local agreement: commit a word once it has stood long enough for how sure the model is of it.

LocalAgreement-2 (Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System",
2023) commits what two successive hypotheses share. How likely a shared word is to change still
depends on more: on its probability first of all, then on how long it has stood, and on whether
another word follows it. `risk` puts these together, so that a sure word need not wait for a fixed
number of updates and a doubtful one waits for more of them.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamwhisper.deprecation import renamed_fields
from streamwhisper.recognition import HypothesisWord

__all__ = ["MOST_PATIENCE", "AgreementOptions", "Draft", "normalized", "risk", "terms"]

MOST_DOUBLINGS = 1000
MOST_PATIENCE = 3.0
TRANSLATED = 1.5
"""Base's translations of speech have means above -1.6, those of noise have means below -1.9."""
COEFFICIENTS = (-0.336, -1.193, -2.031, -2.72, -0.873)
"""Of the `terms`; fitted by benchmarks/latency/changes.py on tiny.en and base together."""


@renamed_fields(
    risk="max_change_risk",
    patience="risk_doubling_time",
    slack="max_age",
    fresh="first_window_factor",
    clear="clear_logprob",
    shown="max_shown_risk",
    disbelief="min_mean_logprob",
)
@dataclass(frozen=True, slots=True)
class AgreementOptions:
    """When a word is stable enough to be committed, or to be shown.

    Attributes:
        max_change_risk: highest probability of a later change at which a new word is committed.
        risk_doubling_time: seconds in which the accepted risk doubles while a word stays
            unchanged, so that no word waits long.
        max_age: seconds after a word was spoken from which the accepted risk doubles as well,
            even for words that keep changing.
        first_window_factor: multiplies `risk_doubling_time` and `max_age` in a window without
            committed text, because first words are easily misheard.
        clear_logprob: mean log probability of words in clear speech. Below it,
            `risk_doubling_time` and `max_age` grow in proportion, up to `MOST_PATIENCE` times.
        max_shown_risk: highest probability of a later change at which a word appears in a partial.
        min_mean_logprob: drafts with a lower mean log probability are never committed early, and
            are dropped at the end of an utterance: in noise nine of ten such words are wrong, and
            without speech all are.
    """

    max_change_risk: float = 0.005
    risk_doubling_time: float = 0.2
    max_age: float = 0.5
    first_window_factor: float = 2.0
    clear_logprob: float = -0.3
    max_shown_risk: float = 0.3
    min_mean_logprob: float = -1.2

    def at_first(self) -> AgreementOptions:
        """The options for a window without committed text."""
        return self._slower(self.first_window_factor)

    def translated(self) -> AgreementOptions:
        """The options for a translation, whose words are all less probable."""
        return replace(self, min_mean_logprob=self.min_mean_logprob * TRANSLATED)

    def heard_in(self, words: Sequence[HypothesisWord]) -> AgreementOptions:
        """The options for sound in which so likely words were heard of late."""
        if not words:
            return self
        mean = sum(word.log_probability for word in words) / len(words)
        return self._slower(min(MOST_PATIENCE, max(1.0, mean / self.clear_logprob)))

    def _slower(self, times: float) -> AgreementOptions:
        return replace(
            self, risk_doubling_time=self.risk_doubling_time * times, max_age=self.max_age * times
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """What was heard after the committed text.

    Attributes:
        words: of the newest hypothesis; times from the window's start.
        since: for each word, how far the sound reached, in seconds on the session's clock, when
            it was first heard in this place; it was in every hypothesis since.
    """

    words: tuple[HypothesisWord, ...] = ()
    since: tuple[float, ...] = ()

    @property
    def tokens(self) -> tuple[int, ...]:
        """All tokens of the words."""
        return tuple(token for word in self.words for token in word.tokens)

    def renewed(self, words: Sequence[HypothesisWord], now: float) -> Draft:
        """The draft after a new hypothesis, heard in sound up to `now`; its spelling is taken."""
        since = [now] * len(words)
        for index, (old, new) in enumerate(zip(self.words, words, strict=False)):
            if normalized(old.text) == normalized(new.text):
                since[index] = self.since[index]
        return Draft(tuple(words), tuple(since))

    def after(self, count: int) -> Draft:
        """The draft without its first `count` words."""
        return Draft(self.words[count:], self.since[count:])

    def moved(self, seconds: float) -> Draft:
        """The draft in a window that starts so many seconds later."""
        words = tuple(
            replace(word, start=word.start - seconds, end=word.end - seconds) for word in self.words
        )
        return Draft(words, self.since)

    def settled(self, now: float, start: float, options: AgreementOptions) -> int:
        """How many leading words can be committed.

        Args:
            now: how far the sound reached that they were heard in.
            start: where the window begins that their times count from.
        """
        count, hurry = 0, self.credible(options)
        for word, since, doubt in zip(self.words, self.since, self._risks(now), strict=True):
            waited = max(now - since, now - start - word.end - options.max_age)
            doublings = min(MOST_DOUBLINGS, waited / options.risk_doubling_time) if hurry else 0.0
            if doubt > options.max_change_risk * 2**doublings:
                break
            count += 1
        return count

    def credible(self, options: AgreementOptions) -> bool:
        """Whether the words are worth committing though they are in doubt."""
        scores = [word.log_probability for word in self.words]
        return not scores or sum(scores) / len(scores) >= options.min_mean_logprob

    def likely(self, now: float, options: AgreementOptions) -> int:
        """How many leading words are worth showing before they are committed."""
        doubts = self._risks(now)
        return sum(
            1 for _ in itertools.takewhile(lambda doubt: doubt <= options.max_shown_risk, doubts)
        )

    def evidence(self, now: float) -> list[tuple[float, float, bool]]:
        """For each word the arguments of `risk`, when the sound reaches up to `now`."""
        last = len(self.words) - 1
        return [
            (math.exp(word.log_probability), now - since, index < last)
            for index, (word, since) in enumerate(zip(self.words, self.since, strict=True))
        ]

    def _risks(self, now: float) -> list[float]:
        return [risk(*each) for each in self.evidence(now)]


def normalized(word: str) -> str:
    """`word` without case, spaces and punctuation: what agreement is judged by."""
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", word).casefold()
        if unicodedata.category(character)[0] not in "PZ"
    )


def terms(probability: float, age: float, followed: bool) -> tuple[float, ...]:
    """What the `risk` is made of; see there."""
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    odds = math.log(probability / (1 - probability))
    return 1.0, min(6.0, max(-3.0, odds)), min(age, 2.0), min(age, 0.2), float(followed)


def risk(probability: float, age: float, followed: bool) -> float:
    """How likely a word is to change when more is heard: a logistic regression.

    Args:
        probability: that the model gives the word.
        age: seconds of sound since it was first heard so; the first update that confirms it
            counts for more than later ones.
        followed: whether there is another word after it; the last one may be half spoken.
    """
    features = terms(probability, age, followed)
    score = math.fsum(c * x for c, x in zip(COEFFICIENTS, features, strict=True))
    return 1 / (1 + math.exp(-score))
