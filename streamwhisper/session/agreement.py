"""Local agreement: a word is committed once it is stable enough for its probability.

LocalAgreement-2 (Macháček, Dabre and Bojar, "Turning Whisper into Real-Time Transcription System",
2023) commits what two successive hypotheses share. How likely a shared word is to change also
depends on its probability, on how long it has been unchanged, and on whether another word follows.
`risk` combines these, so that a probable word does not wait for a fixed number of updates and an
improbable one waits for more of them.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streamwhisper.deprecation import renamed_fields
from streamwhisper.recognition import HypothesisWord

__all__ = ["MOST_CAUTION", "AgreementOptions", "Draft", "normalized", "risk", "terms"]

MOST_DOUBLINGS = 1000
MOST_CAUTION = 8.0
"""Largest caution that unclear speech causes."""
TRANSLATED = 1.5
"""Mean log probabilities of base's translations: speech above -1.6, noise below -1.9."""
COEFFICIENTS = (-0.336, -1.193, -2.031, -2.72, -0.873)
"""Weights of the `terms`, fitted by benchmarks/latency/changes.py on tiny.en and base."""


@renamed_fields(
    risk="max_change_risk",
    patience="risk_doubling_time",
    slack="max_age",
    fresh="short_window_factor",
    clear="clear_logprob",
    shown="max_shown_risk",
    disbelief="min_mean_logprob",
)
@dataclass(frozen=True, slots=True)
class AgreementOptions:
    """Thresholds for committing and for showing a word.

    Attributes:
        max_change_risk: highest probability of a later change at which a new word is committed.
        risk_doubling_time: seconds in which the accepted risk doubles while a word stays
            unchanged, so that no word waits long.
        max_age: seconds after a word was spoken from which the accepted risk doubles as well,
            even for words that keep changing.
        short_window: seconds of audio from which a window has enough context. In a shorter one
            words change more often than `risk` says.
        short_window_factor: caution at the start of a window, which falls to 1 at
            `short_window`: it divides `max_change_risk`, and multiplies the two times.
        clear_logprob: mean log probability of words in clear speech. Below it, caution grows in
            proportion (in short windows with the square), up to `MOST_CAUTION` times.
        max_shown_risk: highest probability of a later change at which a word appears in a partial.
        min_mean_logprob: drafts with a lower mean log probability are never committed early, and
            are dropped at the end of an utterance: in noise nine of ten such words are wrong, and
            without speech all are.
    """

    max_change_risk: float = 0.005
    risk_doubling_time: float = 0.2
    max_age: float = 0.5
    short_window: float = 10.0
    short_window_factor: float = 5.0
    clear_logprob: float = -0.25
    max_shown_risk: float = 0.2
    min_mean_logprob: float = -1.2

    def translated(self) -> AgreementOptions:
        """Return the options for a translation, whose words are all less probable."""
        return replace(self, min_mean_logprob=self.min_mean_logprob * TRANSLATED)

    def adapted_to(self, seconds: float, words: Sequence[HypothesisWord]) -> AgreementOptions:
        """Return the options for a window of this length whose newest words are `words`."""
        missing = max(0.0, 1 - seconds / self.short_window) if self.short_window else 0.0
        caution = 1 + (self.short_window_factor - 1) * missing
        if words:
            mean = sum(word.log_probability for word in words) / len(words)
            unclear = max(1.0, mean / self.clear_logprob)
            caution *= min(MOST_CAUTION, unclear ** (1 + missing))
        return replace(
            self,
            max_change_risk=self.max_change_risk / caution,
            risk_doubling_time=self.risk_doubling_time * caution,
            max_age=self.max_age * caution,
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """Hypothesis for the text after the committed words.

    Attributes:
        words: words of the newest hypothesis; times from the window's start.
        since: for each word, the end of the audio, in seconds on the session's clock, at which it
            first appeared in this place; every hypothesis since has it.
    """

    words: tuple[HypothesisWord, ...] = ()
    since: tuple[float, ...] = ()

    @property
    def tokens(self) -> tuple[int, ...]:
        """Tokens of all words."""
        return tuple(token for word in self.words for token in word.tokens)

    def renewed(self, words: Sequence[HypothesisWord], now: float) -> Draft:
        """Return the draft after a new hypothesis about audio up to `now` seconds."""
        since = [now] * len(words)
        for index, (old, new) in enumerate(zip(self.words, words, strict=False)):
            if normalized(old.text) == normalized(new.text):
                since[index] = self.since[index]
        return Draft(tuple(words), tuple(since))

    def after(self, count: int) -> Draft:
        """Return the draft without its first `count` words."""
        return Draft(self.words[count:], self.since[count:])

    def moved(self, seconds: float) -> Draft:
        """Return the draft for a window that starts `seconds` later."""
        words = tuple(
            replace(word, start=word.start - seconds, end=word.end - seconds) for word in self.words
        )
        return Draft(words, self.since)

    def stable(self, now: float, start: float, options: AgreementOptions) -> int:
        """Return how many leading words can be committed.

        Args:
            now: end of the audio of the newest hypothesis, in seconds on the session's clock.
            start: start of the window, from which word times count.
            options: accepted risk.
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
        """Return whether the words are probable enough to be committed at all."""
        scores = [word.log_probability for word in self.words]
        return not scores or sum(scores) / len(scores) >= options.min_mean_logprob

    def likely(self, now: float, options: AgreementOptions) -> int:
        """Return how many leading words are likely enough to be shown in a partial."""
        doubts = self._risks(now)
        return sum(
            1 for _ in itertools.takewhile(lambda doubt: doubt <= options.max_shown_risk, doubts)
        )

    def evidence(self, now: float) -> list[tuple[float, float, bool]]:
        """Return the arguments of `risk` for each word, for audio up to `now`."""
        last = len(self.words) - 1
        return [
            (math.exp(word.log_probability), now - since, index < last)
            for index, (word, since) in enumerate(zip(self.words, self.since, strict=True))
        ]

    def _risks(self, now: float) -> list[float]:
        return [risk(*each) for each in self.evidence(now)]


def normalized(word: str) -> str:
    """Return `word` without case, spaces and punctuation, for comparisons."""
    return "".join(
        character
        for character in unicodedata.normalize("NFKC", word).casefold()
        if unicodedata.category(character)[0] not in "PZ"
    )


def terms(probability: float, age: float, followed: bool) -> tuple[float, ...]:
    """Return the features of the regression in `risk`."""
    probability = min(max(probability, 1e-9), 1 - 1e-9)
    odds = math.log(probability / (1 - probability))
    return 1.0, min(6.0, max(-3.0, odds)), min(age, 2.0), min(age, 0.2), float(followed)


def risk(probability: float, age: float, followed: bool) -> float:
    """Return the probability that more audio changes a word, by a logistic regression.

    Args:
        probability: the model's probability of the word.
        age: seconds of audio since it first appeared; the first confirmation counts for more
            than later ones.
        followed: whether another word follows; the last one may be half spoken.
    """
    features = terms(probability, age, followed)
    score = math.fsum(c * x for c, x in zip(COEFFICIENTS, features, strict=True))
    return 1 / (1 + math.exp(-score))
