"""Window: the audio that is being transcribed, and the words that are committed of it.

All positions are integer samples on the session's clock. A window begins on a mel frame, grows
with the speech, also over short pauses, and is cut between committed words. The text that is cut
off becomes the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.mel import HOP, LogMel
from streamwhisper.intervals import spread
from streamwhisper.recognition import HypothesisWord
from streamwhisper.typography import ends_sentence

__all__ = ["LEAST", "SAMPLE_RATE", "Window", "WindowOptions", "WindowWord", "quietest_frame"]

VALLEY_FRAMES = 5
LEAST = SAMPLE_RATE // 50
"""Minimum length of a word in samples; one position of the encoder."""
MOST = SAMPLE_RATE // 10
"""Samples that a shorter word takes at most from the pause beside it."""
SENTENCE_BONUS = 1.0
"""The end of a sentence is as good a place to cut as a dip of this many decades of power."""


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """Length of windows and the context they keep; times in seconds.

    Attributes:
        limit: maximum audio in one window.
        trim_after: length from which a window is cut at committed words.
        keep: minimum audio that a cut leaves.
        bridge: speech after a longer pause starts a window of its own; after a shorter one it is
            transcribed with the previous utterance as context.
        prompt_tokens: maximum number of tokens carried over as the prompt. 0 by default: with
            small models a prompt cost time and caused more errors than it prevented.
        initial_prompt: text that precedes each window, as if it had been spoken.
        fresh_below: windows up to this length are always computed afresh, which is cheap. Audio
            that was encoded without what follows it is heard worse.
        fresh_growth: a longer window is computed afresh once it has grown by this factor.
    """

    limit: float = 28.0
    trim_after: float = 25.0
    keep: float = 16.0
    bridge: float = 2.0
    prompt_tokens: int = 0
    initial_prompt: str = ""
    fresh_below: float = 6.0
    fresh_growth: float = 1.25


@dataclass(frozen=True, slots=True)
class WindowWord:
    """A word placed on the session's clock; times in samples."""

    word: HypothesisWord
    start: int
    end: int


class Window:
    """The current window of a session.

    Attributes:
        start: first sample of the window.
        committed: committed words inside the window.
        prompt: tokens of the text before the window.
        resumed: sample at which speech continued after the last pause; no later word starts
            before it.
        pauses: samples without speech inside the window.
        past: recognizer state from the last answer; reset when the window's start moves.
        fresh_length: length in samples at which the window was last computed afresh.
    """

    def __init__(
        self, options: WindowOptions, start: int = 0, prompt: tuple[int, ...] = ()
    ) -> None:
        self.options = options
        self.start = start // HOP * HOP
        self.committed: list[WindowWord] = []
        self.prompt = prompt
        self.resumed = self.start
        self.pauses = 0
        self.past: object | None = None
        self.fresh_length = 0

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens of the committed words inside the window."""
        return tuple(token for word in self.committed for token in word.word.tokens)

    @property
    def committed_end(self) -> int:
        """End of the last committed word, or the start of the speech after it."""
        return max(self.resumed, self.committed[-1].end if self.committed else self.start)

    @property
    def silent(self) -> bool:
        """True if no word of the speech after the last pause is committed yet."""
        return bool(self.committed) and self.resumed >= self.committed[-1].end

    def reuse(self, end: int) -> object | None:
        """Return `past` for a request about audio up to `end`; None computes it afresh."""
        length, options = end - self.start, self.options
        short = length <= options.fresh_below * SAMPLE_RATE
        if short or length >= self.fresh_length * options.fresh_growth:
            self.past = None
        if self.past is None:
            self.fresh_length = length
        return self.past

    def resume(self, start: int, pause: int, mel: LogMel) -> None:
        """Continue at `start` with speech after a pause of `pause` samples.

        The prefix loses the punctuation of its last word: after a full stop, the model often
        writes nothing more.
        """
        self.resumed = start
        self.pauses += pause
        if self.committed:
            self.committed[-1] = _unpunctuated(self.committed[-1])
        self.trim(mel, start)

    def restart(self, start: int) -> None:
        """Restart at `start`; all committed words become the prompt."""
        self._forget(len(self.committed))
        self._begin(start // HOP)

    def place(self, words: Sequence[HypothesisWord], latest: int | None = None) -> list[WindowWord]:
        """Return words after the committed ones on the session's clock.

        Args:
            words: words with times from the window's start.
            latest: last sample with speech, which limits the words' ends.
        """
        times = [
            (self.start + round(w.start * SAMPLE_RATE), self.start + round(w.end * SAMPLE_RATE))
            for w in words
        ]
        earliest = self.committed_end
        if latest is None:
            latest = max((end for _, end in times), default=earliest)
        placed = spread(times, earliest=earliest, latest=latest, least=LEAST, most=MOST)
        return [WindowWord(word, *own) for word, own in zip(words, placed, strict=True)]

    def commit(
        self, words: Sequence[HypothesisWord], latest: int | None = None
    ) -> list[WindowWord]:
        """Commit words; see `place` for the arguments."""
        placed = self.place(words, latest)
        self.committed += placed
        return placed

    def trim(self, mel: LogMel, end: int) -> bool:
        """Cut a window that has grown too long, at a quiet place between committed words."""
        options = self.options
        if end - self.start <= options.trim_after * SAMPLE_RATE:
            return False
        latest = end - round(options.keep * SAMPLE_RATE)
        candidates = [
            index
            for index, word in enumerate(self.committed)
            if self.start + (end - self.start) // 3 <= word.end <= latest
        ]
        if not candidates:
            candidates = [i for i, word in enumerate(self.committed) if word.end <= latest][-1:]
        if not candidates:
            return False
        cuts = {index: self._valley(mel, index, end) for index in candidates}
        best = min(candidates, key=lambda index: cuts[index][1])
        self._cut(best + 1, cuts[best][0])
        return True

    def cut_after_committed(self, mel: LogMel, end: int) -> bool:
        """Cut after the last committed word, or the pause after it; return False without one."""
        if not self.committed:
            return False
        if self.silent:
            self.restart(self.resumed)
            return True
        frame, _ = self._valley(mel, len(self.committed) - 1, end)
        self._cut(len(self.committed), frame)
        return True

    def _valley(self, mel: LogMel, index: int, end: int) -> tuple[int, float]:
        """Return the quietest frame between a committed word and the next, and its level."""
        word = self.committed[index]
        following = self.committed[index + 1] if index + 1 < len(self.committed) else None
        first = (word.start + word.end) // 2
        last = (following.start + following.end) // 2 if following else word.end + SAMPLE_RATE // 5
        frame, level = quietest_frame(mel, first // HOP, min(last, end) // HOP)
        bonus = SENTENCE_BONUS if ends_sentence(word.word.text) else 0.0
        return frame, level - bonus

    def _cut(self, words: int, frame: int) -> None:
        self._forget(words)
        self._begin(frame)

    def _begin(self, frame: int) -> None:
        self.start = frame * HOP
        self.pauses = 0
        self.past = None

    def _forget(self, words: int) -> None:
        """Move the first `words` committed words to the prompt."""
        carried = [token for word in self.committed[:words] for token in word.word.tokens]
        del self.committed[:words]
        most = self.options.prompt_tokens
        self.prompt = (*self.prompt, *carried)[-most:] if most else ()


def _unpunctuated(held: WindowWord) -> WindowWord:
    """Return a word without the tokens of the punctuation at its end."""
    kept = len(held.word.tokens) - held.word.mark_tokens
    if kept < 1:
        return held
    return replace(held, word=replace(held.word, tokens=held.word.tokens[:kept], mark_tokens=0))


def quietest_frame(mel: LogMel, first: int, last: int) -> tuple[int, float]:
    """Return the middle of the quietest 50 ms in frames `first` to `last`, and its log power."""
    first = max(first, mel.start_frame)
    last = max(first + 1, min(last, mel.end_frame))
    power = mel.frames(first, last).mean(axis=0)
    if len(power) <= VALLEY_FRAMES:
        return first + int(power.argmin()), float(power.min())
    smooth = np.convolve(power, np.full(VALLEY_FRAMES, 1 / VALLEY_FRAMES), mode="valid")
    best = int(smooth.argmin())
    return first + best + VALLEY_FRAMES // 2, float(smooth[best])
