"""Languages of a recording: which is spoken where.

A stretch of speech is in the language of the stretch before it unless another one is clear, as in
live sessions (see `streamwhisper.session.language`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import HOP, SAMPLE_RATE, WINDOW_SAMPLES
from streamwhisper.audio.mel import log_mel
from streamwhisper.segment import Segment
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.vad.spans import Span
from streamwhisper.whisper.windows import WindowRequest

__all__ = [
    "LanguageEvidence",
    "detected_languages",
    "language_units",
    "main_language",
    "spoken_languages",
]

MIN_SPEECH = 4.0
"""Seconds of speech from which its language counts; less is often misjudged."""
CLEAR = 0.7
"""Probability from which a language is clear."""
PAUSE = 0.3
"""Seconds between two spans of speech from which the language may change there."""
BATCH = 16


@dataclass(frozen=True, slots=True)
class LanguageEvidence:
    """Language probabilities of a stretch of speech.

    Attributes:
        seconds: its length.
        probabilities: by language code.
    """

    seconds: float
    probabilities: Mapping[str, float]

    @property
    def clear(self) -> str | None:
        """The language if it is clear."""
        best = max(self.probabilities, key=self.probabilities.__getitem__)
        sure = self.seconds >= MIN_SPEECH and self.probabilities[best] >= CLEAR
        return best if sure else None


def spoken_languages(evidence: Sequence[LanguageEvidence], before: str | None = None) -> list[str]:
    """Return the language of each stretch.

    Args:
        evidence: of all stretches, in order.
        before: language of the speech before the first stretch; None: no speech.
    """
    clear = [each.clear for each in evidence]
    current = before or next(filter(None, clear), None) or _likeliest(evidence)
    languages = []
    for code in clear:
        current = code or current
        languages.append(current)
    return languages


def detected_languages(
    recognizer: WindowRecognizer, samples: NDArray[np.float32], spans: Sequence[Span]
) -> list[LanguageEvidence]:
    """Return the language probabilities of each span; its first 30 s count."""
    requests = [
        WindowRequest(
            log_mel(samples[span.start : span.end][:WINDOW_SAMPLES], recognizer.info.n_mels),
            search=None,
        )
        for span in spans
    ]
    found = [
        hypothesis
        for first in range(0, len(requests), BATCH)
        for hypothesis in recognizer.transcribe_windows(requests[first : first + BATCH])
    ]
    return [
        LanguageEvidence(span.seconds, hypothesis.languages)
        for span, hypothesis in zip(spans, found, strict=True)
    ]


def language_units(spans: Sequence[Span]) -> list[Span]:
    """Join spans of speech to units between which the language may change."""
    units: list[Span] = []
    for span in spans:
        if units and (
            span.start - units[-1].end < PAUSE * SAMPLE_RATE
            or min(span.seconds, units[-1].seconds) < MIN_SPEECH
        ):
            units[-1] = Span(units[-1].start, span.end)
        else:
            units.append(Span(span.start - span.start % HOP, span.end))
    return units


def main_language(segments: Sequence[Segment]) -> str:
    """Return the language that is spoken longest; an empty text without segments."""
    seconds: dict[str, float] = defaultdict(float)
    for segment in segments:
        seconds[segment.language or ""] += segment.end - segment.start
    return max(seconds, key=seconds.__getitem__, default="")


def _likeliest(evidence: Sequence[LanguageEvidence]) -> str:
    total: dict[str, float] = defaultdict(float)
    for each in evidence:
        for code, probability in each.probabilities.items():
            total[code] += each.seconds * probability
    return max(total, key=total.__getitem__, default="en")
