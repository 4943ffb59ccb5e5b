"""The language of a session: given from the start, or found by listening and then kept.

Answers about the first second of speech are no evidence: base takes most of it for English, with
probabilities of up to 0.9, and after two or three seconds it is hardly ever wrong (the figures are
in benchmarks/RESULTS.md). So a language is found from enough speech, and once it stands, it takes
as much to change it. Nothing here does any work: evidence comes in, decisions go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from streamwhisper.deprecation import renamed_fields
from streamwhisper.errors import check_fields
from streamwhisper.recognition import ModelInfo

__all__ = ["Evidence", "LanguageDetection", "SpokenLanguage", "spoken_language"]


@renamed_fields(
    among="candidates",
    floor="min_probability",
    shortest="min_speech",
    agree="confirmations",
    limit="max_speech",
    gap="recheck_after_silence",
    collapse="recheck_below_logprob",
)
@dataclass(frozen=True, slots=True)
class LanguageDetection:
    """How a session finds its language; times in seconds.

    Attributes:
        among: codes of the languages that may be spoken; none: all that the model knows.
        floor: a language is believed from this probability on,
        shortest: once so much speech was heard,
        agree: and when so many answers in a row say so.
        limit: after so much speech the likeliest language is taken, or the one that stands is
            kept unless another is ahead.
        gap: after a longer silence the language that stands is examined again,
        collapse: and so it is after an answer with a lower mean log probability.

    Raises:
        ValueError: a value that makes no sense.
    """

    candidates: tuple[str, ...] = ()
    min_probability: float = 0.7
    min_speech: float = 2.0
    confirmations: int = 2
    max_speech: float = 6.0
    recheck_after_silence: float = 2.0
    recheck_below_logprob: float = -1.0

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("min_probability", 0.5 < self.min_probability <= 1, "above 0.5, up to 1"),
            ("min_speech", self.min_speech >= 0, "0 s or more"),
            ("confirmations", self.confirmations >= 2, "2 or more"),
            (
                "max_speech",
                self.max_speech >= self.min_speech,
                f"at least min_speech ({self.min_speech} s)",
            ),
            ("recheck_after_silence", self.recheck_after_silence > 0, "above 0 s"),
            ("recheck_below_logprob", self.recheck_below_logprob < 0, "below 0"),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """How likely each language is, as one answer says.

    Attributes:
        window: tells windows apart; an answer speaks for all sound in its window.
        seconds: of speech there.
        probabilities: by the language's code.
    """

    window: int
    seconds: float
    probabilities: Mapping[str, float]

    def joined(self, other: Evidence) -> Evidence:
        """Both windows' evidence, each weighing as much as it has speech."""
        seconds = self.seconds + other.seconds
        share = self.seconds / seconds if seconds else 0.5
        codes = {*self.probabilities, *other.probabilities}
        mean = {
            code: share * self.probabilities.get(code, 0.0)
            + (1 - share) * other.probabilities.get(code, 0.0)
            for code in codes
        }
        return Evidence(other.window, seconds, mean)


@dataclass(frozen=True, slots=True)
class SpokenLanguage:
    """What is known of the language; its methods say what is known next.

    Attributes:
        detection: None where the language was given: it stands for good.
        code: of the language that stands; None until one is found.
        examining: whether answers are to weigh the languages.
        candidate: the language that the last answer believed in; None if it did in none.
        streak: so many answers in a row have believed in it, since enough was heard.
        earlier: of windows before the last one, while it is examined.
        latest: of the last one.
    """

    detection: LanguageDetection | None
    code: str | None = None
    examining: bool = False
    candidate: str | None = None
    streak: int = 0
    earlier: Evidence | None = field(default=None, repr=False)
    latest: Evidence | None = field(default=None, repr=False)

    @classmethod
    def of(cls, language: str | LanguageDetection) -> SpokenLanguage:
        """A language that is given, or is to be found."""
        if isinstance(language, str):
            return cls(None, language)
        if len(language.candidates) == 1:
            return cls(None, language.candidates[0])
        return cls(language, examining=True)

    @property
    def among(self) -> tuple[str, ...]:
        """The languages that may be spoken; none: all that the model knows."""
        return self.detection.candidates if self.detection else ()

    @property
    def settled(self) -> bool:
        """Whether text may be committed: a language stands, and no other is about to take over."""
        return self.code is not None and self.candidate in (None, self.code)

    def heard(self, evidence: Evidence) -> SpokenLanguage:
        """After an answer that was asked to weigh the languages."""
        detection = self.detection
        if detection is None or not self.examining:
            return self
        among = detection.candidates or tuple(evidence.probabilities)
        allowed = {c: p for c, p in evidence.probabilities.items() if c in among}
        if not allowed:
            return self
        evidence = replace(evidence, probabilities=allowed)
        earlier, latest = self.earlier, self.latest
        if latest is not None and latest.window != evidence.window:
            earlier = latest if earlier is None else earlier.joined(latest)
        every = evidence if earlier is None else earlier.joined(evidence)
        best = max(every.probabilities, key=lambda code: every.probabilities[code])
        candidate = best if every.probabilities[best] >= detection.min_probability else None
        streak = 0
        if candidate is not None and every.seconds >= detection.min_speech:
            streak = self.streak + 1 if candidate == self.candidate else 1
        if streak >= detection.confirmations:
            return SpokenLanguage(detection, best)
        rival = self.code is not None and candidate not in (None, self.code)
        if every.seconds >= detection.max_speech and not rival:
            return SpokenLanguage(detection, self.code or best)
        return SpokenLanguage(detection, self.code, True, candidate, streak, earlier, evidence)

    def after_silence(self, seconds: float) -> SpokenLanguage:
        """When somebody speaks after a silence."""
        long = self.detection is not None and seconds > self.detection.recheck_after_silence
        return SpokenLanguage(self.detection, self.code, True) if long and self.code else self

    def doubted(self, log_probability: float) -> SpokenLanguage:
        """After an answer with this mean log probability of its tokens."""
        low = self.detection is not None and log_probability < self.detection.recheck_below_logprob
        return replace(self, examining=True) if low else self


def spoken_language(language: str | LanguageDetection, info: ModelInfo) -> SpokenLanguage:
    """What is known of the language at first, with this model.

    Raises:
        RecognitionError: the model does not know the language.
    """
    known = SpokenLanguage.of(language)
    info.check_languages((known.code or "en", *known.among))
    return known if info.multilingual else SpokenLanguage.of("en")
