"""Transcription of one utterance: hypotheses in, committed words out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamwhisper.audio.mel import HOP, LogMel, scale
from streamwhisper.recognition import (
    Hypothesis,
    HypothesisWord,
    LanguageOptions,
    RecognitionRequest,
    TextContext,
)
from streamwhisper.session.agreement import Draft, normalized
from streamwhisper.session.endpoint import silence_after
from streamwhisper.session.language import Evidence, SpokenLanguage
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.sentences import confirmed
from streamwhisper.session.window import LEAST, SAMPLE_RATE, Window, WindowWord
from streamwhisper.vad.gate import VadGate

__all__ = ["PendingRequest", "Utterance"]

STALL_SECONDS = 1.0
"""Speech this far past the last word without a new word: the decoder has stalled."""
STALL_UPDATES = 2
RECENT_WORDS = 20
"""Enough to judge how clear the audio is."""
LAST_WORDS = 3
"""Enough to judge how a text ends: punctuation may be a word of its own."""
WHOLE_SECONDS = 0.2
"""A word that ends closer to the end of cut-off audio may be incomplete."""
PROGRESS_SECONDS = 0.3
"""A cut that moves the window's start by less is useless."""


@dataclass(frozen=True, slots=True)
class PendingRequest:
    """Request in flight.

    Attributes:
        end: sample at which its audio ends.
        final: whether its answer commits all audio up to there.
    """

    end: int
    final: bool


class Utterance:
    """Speech from its start to its end; positions are samples since the session began.

    Attributes:
        window: audio that is being transcribed, and the words that are committed of it.
        draft: newest hypothesis for what follows the committed words.
        covered: sample up to which a hypothesis covers the audio.
    """

    def __init__(
        self, options: SessionOptions, mel: LogMel, start: int, last: Utterance | None = None
    ) -> None:
        """Begin at `start`.

        Args:
            options: of the session.
            mel: log-mel frames of the session's audio.
            start: first sample of the utterance.
            last: the previous utterance; if it ended recently, its window continues.
        """
        self.options = options
        bridge = round(options.window.bridge * SAMPLE_RATE)
        if last is not None and start - last.covered <= bridge:
            self.window: Window = last.window
            self.window.resume(start, max(0, start - last.covered), mel)
        else:
            self.window = Window(options.window, start)
        self.draft = Draft()
        self.covered: int = start
        translated = options.task == "translate"
        self._agreement = options.agreement.translated() if translated else options.agreement
        self._mel = mel
        self._limit = round(options.window.limit * SAMPLE_RATE)
        self._settle_samples = round(options.endpoint.settle_time * SAMPLE_RATE)
        self._silent_updates = 0

    # Requests.

    def due(self, taken: int, spoken: int) -> bool:
        """Return whether audio up to `taken`, with speech up to `spoken`, deserves an update."""
        if taken - self.window.start >= self._limit:
            return True
        if taken - spoken >= self._settle_samples:
            return not self.covers(spoken)
        interval = round(self.options.update_interval * SAMPLE_RATE)
        return spoken > self.covered and taken - self.covered >= interval

    def covers(self, spoken: int) -> bool:
        """Return whether the draft covers all speech up to `spoken` and the silence after it."""
        return self.covered >= spoken + self._settle_samples

    def silence(self, spoken: int, language: str | None) -> float:
        """Return the seconds of silence after `spoken` that end the utterance, given its text."""
        usual, endpoint = self.options.gate.silence, self.options.endpoint
        committed = [] if self.window.silent else self.window.committed
        language = "en" if self.options.task == "translate" else language
        words = [*(held.word for held in committed[-LAST_WORDS:]), *self.draft.words][-LAST_WORDS:]
        if not words or not self.covers(spoken):
            return usual
        text = "".join(word.text for word in words)
        probability = math.exp(min(0.0, words[-1].log_probability))
        return silence_after(text, language, usual, endpoint, probability)

    def elapsed_silence(self, gate: VadGate, taken: int) -> float:
        """Return the elapsed share of the silence that ends the utterance, 0 to 1."""
        if not self.covers(gate.last_speech):
            return 0.0
        return min(1.0, (taken - gate.last_speech) / SAMPLE_RATE / gate.silence)

    def reach(self, end: int) -> int:
        """Return how far a request for the audio up to `end` can reach."""
        return min(end, self.window.start + self._limit)

    def evidence(self, hypothesis: Hypothesis, end: int, spoken: int) -> Evidence:
        """Return the language evidence of an answer about audio up to `end`.

        Args:
            hypothesis: the answer.
            end: sample at which its audio ends.
            spoken: last sample with speech.
        """
        window = self.window
        speech = max(0, min(end, spoken) - window.start - window.pauses) / SAMPLE_RATE
        # A recognizer that returns no probabilities is believed.
        heard = hypothesis.languages or {hypothesis.language or "en": 1.0}
        return Evidence(window.start, speech, heard)

    def request(
        self, end: int, language: SpokenLanguage, *, final: bool, vocabulary: tuple[str, ...] = ()
    ) -> RecognitionRequest | None:
        """Return a request for the audio up to `end` (see `reach`); None if there is none."""
        window = self.window
        if end - window.start < HOP:
            return None
        return RecognitionRequest(
            mel=scale(self._mel.window(window.start // HOP, end)),
            prefix=window.prefix,
            prefix_end=(window.committed_end - window.start) / SAMPLE_RATE,
            draft=self.draft.tokens,
            context=TextContext(window.prompt, self._initial_prompt(language), vocabulary),
            language=language.code,
            language_options=LanguageOptions(
                language.candidate_tags, language.examining, self.options.task
            ),
            final=final,
            options=self.options.decoding,
            past=window.reuse(end),
        )

    def _initial_prompt(self, language: SpokenLanguage) -> str:
        own = self.options.window.initial_prompt
        return own if self.options.task == "translate" else language.prompt(own)

    # Hypotheses.

    def update(self, hypothesis: Hypothesis, end: int, *, hold: bool = False) -> list[WindowWord]:
        """Receive a hypothesis about audio up to `end`; return the words it commits.

        Args:
            hypothesis: the answer.
            end: sample at which its audio ends.
            hold: commit nothing while the window can still grow.
        """
        window, words = self.window, self._heard(hypothesis)
        window.past = hypothesis.past
        full = end - window.start >= self._limit
        now = end / SAMPLE_RATE
        draft = self.draft.renewed(words, now)
        recent = [held.word for held in window.committed[-RECENT_WORDS:]]
        seconds = (end - window.start) / SAMPLE_RATE
        agreement = self._agreement.adapted_to(seconds, [*recent, *words])
        count = 0 if hold else draft.stable(now, window.start / SAMPLE_RATE, agreement)
        count = confirmed(words, count, now - draft.since[count - 1] if count else 0.0)
        if full and count == 0:
            count = max(0, len(words) - 2)  # the window cannot grow: it has to move on
        committed = window.commit(words[:count], end)
        self.draft, self.covered = draft.after(count), end
        self._silent_updates = 0 if words else self._silent_updates + 1
        return committed

    def move_on(self, end: int, spoken: int) -> None:
        """Cut a window that has grown too long, or whose decoder has stalled."""
        before = self.window.start
        full = end - before >= self._limit
        if self._silent_updates >= STALL_UPDATES and self._has_uncovered_speech(end, spoken):
            self._cut_after_committed(end)
        elif self.window.trim(self._mel, end):
            moved = (self.window.start - before) / SAMPLE_RATE
            self.draft = self.draft.moved(moved)
        elif full and not self._cut_after_committed(end):
            self.window.restart(before + self._limit // 2)
            self.draft = Draft()

    def restart_after_committed(self, end: int) -> None:
        """Transcribe what follows the committed words again, in a window without them."""
        if not self._cut_after_committed(end):
            self.window.restart(self.window.start)
            self.draft, self.covered = Draft(), self.window.start

    def likely_words(self, spoken: int) -> list[WindowWord]:
        """Return the words of the draft that are likely enough for a partial."""
        words = self.draft.words
        if not self.covers(spoken):
            now = self.covered / SAMPLE_RATE
            words = words[: self.draft.likely(now, self._agreement)]
        return self.window.place(words, self.covered)

    def complete(self, hypothesis: Hypothesis, end: int) -> None:
        """Receive the final hypothesis, about audio up to `end`; `conclude` commits it."""
        self.window.past = hypothesis.past
        self.draft = self.draft.renewed(self._heard(hypothesis), end / SAMPLE_RATE)
        self.covered = end

    def conclude(
        self, end: int, spoken: int, *, cut: bool = False
    ) -> tuple[list[WindowWord], bool]:
        """Commit the whole draft, unless its probability is too low.

        Args:
            end: sample at which the utterance ends.
            spoken: last sample with speech.
            cut: the audio was cut off at `end`; a last word that may be incomplete is left out.

        Returns:
            The words, and whether the utterance is complete. If not, speech after the words was
            not transcribed and has to be requested again.
        """
        window = self.window
        words = self.draft.words if self.draft.credible(self._agreement) else ()
        if cut and end - spoken < WHOLE_SECONDS * SAMPLE_RATE:
            whole = (end - window.start) / SAMPLE_RATE - WHOLE_SECONDS
            words = tuple(word for word in words if word.end <= whole)
        # Even words that are heard after the end of the speech get some time.
        needed = window.committed_end + LEAST * len(words)
        committed = window.commit(words, min(max(spoken, needed), end))
        self.draft = Draft()
        again = window.silent or (window.committed and self._has_uncovered_speech(end, spoken))
        if again and self._cut_after_committed(end):
            return committed, False
        self.covered = end
        return committed, True

    def _heard(self, hypothesis: Hypothesis) -> tuple[HypothesisWord, ...]:
        """Return the words of a hypothesis; none if it only punctuates the words before a pause."""
        words = hypothesis.words
        marks = self.window.silent and not any(normalized(word.text) for word in words)
        return () if marks else words

    def _has_uncovered_speech(self, end: int, spoken: int) -> bool:
        """Return whether there is speech well after the last committed word."""
        return min(spoken, end) - self.window.committed_end > STALL_SECONDS * SAMPLE_RATE

    def _cut_after_committed(self, end: int) -> bool:
        """Cut at the last committed word; return False if that does not shorten the window."""
        before = self.window.start
        self.window.cut_after_committed(self._mel, end)
        self._silent_updates = 0
        if self.window.start - before < PROGRESS_SECONDS * SAMPLE_RATE:
            return False
        self.draft = Draft()
        self.covered = self.window.start
        return True
