"""One stretch of speech while it is being recognized: hypotheses in, committed words out."""

from __future__ import annotations

import math

from streamwhisper.audio.mel import HOP, LogMel, scale
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.session.agreement import Draft
from streamwhisper.session.endpoint import silence_after
from streamwhisper.session.language import Evidence, SpokenLanguage
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.window import SAMPLE_RATE, Window, WindowWord

__all__ = ["Utterance"]

STALL_SECONDS = 1.0
"""Speech this far past the last word, and no new word for it, is a stalled decoder."""
STALL_UPDATES = 2
RECENT_WORDS = 20
"""Enough to tell how clear the sound is."""
LAST_WORDS = 3
"""Enough to tell how a text ends: a mark may be a word of its own."""
WHOLE_SECONDS = 0.2
"""A word that ends nearer to where speech was cut off may be half of one."""
PROGRESS_SECONDS = 0.3
"""A cut that moves the window's start by less has not helped."""


class Utterance:
    """Speech from a start to its end; positions are samples since the session began.

    Attributes:
        window: what is being recognized, and what is committed of it.
        draft: the newest guess for what follows the committed words.
        covered: sound up to here was heard by a hypothesis.
    """

    def __init__(
        self, options: SessionOptions, sound: LogMel, start: int, last: Utterance | None = None
    ) -> None:
        """Begin to listen at `start`.

        Args:
            last: the utterance before this one; if it ended not long ago, its window goes on.
        """
        self.options = options
        bridge = round(options.window.bridge * SAMPLE_RATE)
        if last is not None and start - last.covered <= bridge:
            self.window: Window = last.window
            self.window.resume(start, max(0, start - last.covered), sound)
        else:
            self.window = Window(options.window, start)
        self.draft = Draft()
        self.covered: int = start
        translated = options.task == "translate"
        self._agreement = options.agreement.translated() if translated else options.agreement
        self._sound = sound
        self._limit = round(options.window.limit * SAMPLE_RATE)
        self._settle = round(options.endpoint.settle_time * SAMPLE_RATE)
        self._silent_updates = 0

    # When to ask, and for what.

    def due(self, taken: int, spoken: int) -> bool:
        """Whether the sound up to `taken`, with speech up to `spoken`, is worth an update."""
        if taken - self.window.start >= self._limit:
            return True
        if taken - spoken >= self._settle:
            return not self.heard_out(spoken)
        interval = round(self.options.update_interval * SAMPLE_RATE)
        return spoken > self.covered and taken - self.covered >= interval

    def heard_out(self, spoken: int) -> bool:
        """Whether the draft already covers all speech up to `spoken` and silence after it."""
        return self.covered >= spoken + self._settle

    def silence(self, spoken: int, language: str | None) -> float:
        """Seconds of silence after `spoken` that end the utterance, judged by what was heard."""
        usual, endpoint = self.options.gate.silence, self.options.endpoint
        committed = [] if self.window.silent else self.window.committed
        language = "en" if self.options.task == "translate" else language
        words = [*(held.word for held in committed[-LAST_WORDS:]), *self.draft.words][-LAST_WORDS:]
        if not words or not self.heard_out(spoken):
            return usual
        text = "".join(word.text for word in words)
        probability = math.exp(min(0.0, words[-1].log_probability))
        return silence_after(text, language, usual, endpoint, probability)

    def reach(self, end: int) -> int:
        """How far a request for the sound up to `end` can reach."""
        return min(end, self.window.start + self._limit)

    def evidence(self, hypothesis: Hypothesis, end: int, spoken: int) -> Evidence:
        """What the answer about the sound up to `end`, with speech up to `spoken`, tells."""
        window = self.window
        speech = max(0, min(end, spoken) - window.start - window.pauses) / SAMPLE_RATE
        # A recognizer that does not weigh languages is believed.
        heard = hypothesis.languages or {hypothesis.language or "en": 1.0}
        return Evidence(window.start, speech, heard)

    def request(
        self, end: int, language: SpokenLanguage, *, final: bool, vocabulary: tuple[str, ...] = ()
    ) -> RecognitionRequest | None:
        """Ask for the sound up to `end` (see `reach`); None where there is none."""
        window = self.window
        if end - window.start < HOP:
            return None
        return RecognitionRequest(
            mel=scale(self._sound.window(window.start // HOP, end)),
            prefix=window.prefix,
            prefix_end=(window.committed_end - window.start) / SAMPLE_RATE,
            draft=self.draft.tokens,
            prompt=window.prompt,
            initial_prompt=self.options.window.initial_prompt,
            language=language.code,
            languages=language.among,
            detect=language.examining,
            task=self.options.task,
            final=final,
            vocabulary=vocabulary,
            options=self.options.decoding,
            past=window.past,
        )

    # Hypotheses to words.

    def update(self, hypothesis: Hypothesis, end: int, *, hold: bool = False) -> list[WindowWord]:
        """Take in what was heard up to `end`; the words that are committed by it.

        Args:
            hold: commit nothing while the window can still grow.
        """
        window, words = self.window, hypothesis.words
        window.past = hypothesis.past
        full = end - window.start >= self._limit
        now = end / SAMPLE_RATE
        draft = self.draft.renewed(words, now)
        agreement = self._agreement
        if not window.committed:
            agreement = agreement.at_first()
        else:
            recent = [held.word for held in window.committed[-RECENT_WORDS:]]
            agreement = agreement.heard_in([*recent, *words])
        count = 0 if hold else draft.settled(now, window.start / SAMPLE_RATE, agreement)
        if full and count == 0:
            count = max(0, len(words) - 2)  # the window can grow no more: it has to move on
        committed = window.commit(words[:count])
        self.draft, self.covered = draft.after(count), end
        self._silent_updates = 0 if words else self._silent_updates + 1
        return committed

    def move_on(self, end: int, spoken: int) -> None:
        """Cut the window where it has grown too long, or where the decoder has stalled."""
        before = self.window.start
        full = end - before >= self._limit
        if self._silent_updates >= STALL_UPDATES and self._unheard(end, spoken):
            self._go_on_after_committed(end)
        elif self.window.trim(self._sound, end):
            moved = (self.window.start - before) / SAMPLE_RATE
            self.draft = self.draft.moved(moved)
        elif full and not self._go_on_after_committed(end):
            self.window.restart(before + self._limit // 2)
            self.draft = Draft()

    def begin_anew(self, end: int) -> None:
        """Hear what follows the committed words once more, in a window without them."""
        if not self._go_on_after_committed(end):
            self.window.restart(self.window.start)
            self.draft, self.covered = Draft(), self.window.start

    def shown(self, spoken: int) -> list[WindowWord]:
        """The words of the draft that are worth showing."""
        words = self.draft.words
        if not self.heard_out(spoken):
            now = self.covered / SAMPLE_RATE
            words = words[: self.draft.likely(now, self._agreement)]
        return self.window.place(words)

    def hear_out(self, hypothesis: Hypothesis, end: int) -> None:
        """Take in what was heard up to the end; `conclude` commits it."""
        self.window.past = hypothesis.past
        self.draft, self.covered = self.draft.renewed(hypothesis.words, end / SAMPLE_RATE), end

    def conclude(
        self, end: int, spoken: int, *, cut: bool = False
    ) -> tuple[list[WindowWord], bool]:
        """Commit the whole draft, unless it is hardly believed.

        Args:
            cut: the sound was cut off at `end`. If somebody spoke just then, what may be half of
                a word is left out.

        Returns:
            the words, and whether that was all: speech after them may have been left unheard,
            and is then to be asked for again.
        """
        window = self.window
        words = self.draft.words if self.draft.credible(self._agreement) else ()
        if cut and end - spoken < WHOLE_SECONDS * SAMPLE_RATE:
            whole = (end - window.start) / SAMPLE_RATE - WHOLE_SECONDS
            words = tuple(word for word in words if word.end <= whole)
        held = window.commit(words, min(spoken, end))
        self.draft = Draft()
        again = window.silent or (window.committed and self._unheard(end, spoken))
        if again and self._go_on_after_committed(end):
            return held, False
        self.covered = end
        return held, True

    def _unheard(self, end: int, spoken: int) -> bool:
        """Whether there is speech well after the last committed word."""
        return min(spoken, end) - self.window.committed_end > STALL_SECONDS * SAMPLE_RATE

    def _go_on_after_committed(self, end: int) -> bool:
        """Cut at the last committed word and decode afresh from there; False if in vain."""
        before = self.window.start
        self.window.cut_after_committed(self._sound, end)
        self._silent_updates = 0
        if self.window.start - before < PROGRESS_SECONDS * SAMPLE_RATE:
            return False
        self.draft = Draft()
        self.covered = self.window.start
        return True
