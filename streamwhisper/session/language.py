"""Language of a session: given from the start, or detected and then kept.

Answers about the first second of speech are no evidence: base takes most of it for English, with
probabilities of up to 0.9; after two or three seconds it is hardly ever wrong (figures in
benchmarks/RESULTS.md). A language is detected from enough speech, and it takes as much to change
it. This module is pure: evidence comes in, decisions go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from streamwhisper.deprecation import renamed_fields
from streamwhisper.errors import check_fields
from streamwhisper.languages import Language
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
    """Options of language detection; times in seconds of speech.

    Attributes:
        candidates: codes or tags of the languages that may be spoken; empty: all of the model.
        min_probability: probability from which an answer counts for a language.
        min_speech: speech needed before answers count.
        confirmations: consecutive answers that have to agree.
        max_speech: speech after which detection ends with the most likely language, or keeps
            the current one unless another is ahead.
        recheck_after_silence: seconds of silence after which the language is detected again.
        recheck_below_logprob: mean log probability of an answer below which the language is
            detected again.

    Raises:
        ValueError: a value is out of range.
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
    """Language probabilities of one answer.

    Attributes:
        window: identifies the window; an answer covers all audio in its window.
        seconds: seconds of speech in the window.
        probabilities: probability of each language code.
    """

    window: int
    seconds: float
    probabilities: Mapping[str, float]

    def joined(self, other: Evidence) -> Evidence:
        """Return the evidence of both windows, weighted by their speech."""
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
    """Immutable state of language detection; methods return the next state.

    Attributes:
        detection: options; None when the language was given and never changes.
        code: the current language; None until one is detected.
        examining: whether answers are to include language probabilities.
        candidate: language that the last answer counted for; None if for none.
        streak: consecutive answers for the candidate, since there was enough speech.
        earlier: evidence of windows before the last one, during detection.
        latest: evidence of the last window.
        named: languages that the client named, with their scripts.
    """

    detection: LanguageDetection | None
    code: str | None = None
    examining: bool = False
    candidate: str | None = None
    streak: int = 0
    earlier: Evidence | None = field(default=None, repr=False)
    latest: Evidence | None = field(default=None, repr=False)
    named: tuple[Language, ...] = ()

    @classmethod
    def of(cls, language: str | LanguageDetection) -> SpokenLanguage:
        """Return the first state for a given language code, or for detection."""
        if isinstance(language, str):
            return cls(None, language)
        if len(language.candidates) == 1:
            return cls(None, language.candidates[0])
        return cls(language, examining=True)

    def prompt(self, own: str) -> str:
        """Return the decoder's prompt: the script of the language, then the prompt `own`."""
        if self.code is None:
            return own
        given = (language for language in self.named if language.code == self.code)
        return next(given, Language(self.code)).prompt(own)

    @property
    def candidates(self) -> tuple[str, ...]:
        """Codes of the languages that may be spoken; empty: all of the model."""
        return self.detection.candidates if self.detection else ()

    @property
    def candidate_tags(self) -> tuple[str, ...]:
        """Tags of the languages that may be spoken, with their scripts; empty: all of the model."""
        return tuple(map(str, self.named)) if self.candidates else ()

    @property
    def confirmed(self) -> bool:
        """True if text may be committed: a language is detected, and no other one is ahead."""
        return self.code is not None and self.candidate in (None, self.code)

    def updated(self, evidence: Evidence) -> SpokenLanguage:
        """Return the state after an answer with language probabilities."""
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
            return self._kept(best)
        rival = self.code is not None and candidate not in (None, self.code)
        if every.seconds >= detection.max_speech and not rival:
            return self._kept(self.code or best)
        return SpokenLanguage(
            detection, self.code, True, candidate, streak, earlier, evidence, self.named
        )

    def after_silence(self, seconds: float) -> SpokenLanguage:
        """Return the state at speech after `seconds` of silence."""
        long = self.detection is not None and seconds > self.detection.recheck_after_silence
        return replace(self._kept(self.code), examining=True) if long and self.code else self

    def doubted(self, log_probability: float) -> SpokenLanguage:
        """Return the state after an answer with this mean log probability of its tokens."""
        low = self.detection is not None and log_probability < self.detection.recheck_below_logprob
        return replace(self, examining=True) if low else self

    def _kept(self, code: str) -> SpokenLanguage:
        return SpokenLanguage(self.detection, code, named=self.named)


def spoken_language(language: str | LanguageDetection, info: ModelInfo) -> SpokenLanguage:
    """Return the first state of detection with this model.

    Raises:
        UnknownLanguageError: the model does not know the language.
    """
    detection = language if isinstance(language, LanguageDetection) else LanguageDetection()
    given = detection.candidates if isinstance(language, LanguageDetection) else (language,)
    named = tuple(found for value in given if (found := info.language(value)) is not None)
    codes = tuple(dict.fromkeys(found.code for found in named))
    if len(info.languages) == 1:
        codes = info.languages
    return replace(SpokenLanguage.of(replace(detection, candidates=codes)), named=named)
