"""The stretch of sound that is being recognized, and what is committed of it.

All positions are integer samples on the session's clock. A window begins on a mel frame, grows
with the speech, over short pauses too, and is cut between committed words; the text that is cut
off becomes the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.mel import HOP, LogMel
from streamwhisper.recognition import HypothesisWord

__all__ = ["SAMPLE_RATE", "Window", "WindowOptions", "WindowWord", "quietest_frame"]

VALLEY_FRAMES = 5
SENTENCE_END = (".", "?", "!", "\u3002", "\uff1f", "\uff01")
SENTENCE_BONUS = 1.0
"""A sentence's end is as good a place to cut as a dip of this many decades of power."""


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How long a window grows and what it remembers.

    Attributes:
        limit: the most seconds of sound in one window.
        trim_after: a longer window is cut at committed words.
        keep: a cut leaves at least this many seconds of sound.
        bridge: speech after a longer pause than this gets a window of its own. After a shorter
            one it is heard with what was said before it as context.
        prompt_tokens: the most tokens carried over as the prompt (none by default: with the
            small models it cost time and brought more errors than it spared).
        initial_prompt: text that is taken for what was said before each window.
    """

    limit: float = 28.0
    trim_after: float = 25.0
    keep: float = 16.0
    bridge: float = 2.0
    prompt_tokens: int = 0
    initial_prompt: str = ""


@dataclass(frozen=True, slots=True)
class WindowWord:
    """A word placed on the session's clock; times in samples."""

    word: HypothesisWord
    start: int
    end: int


class Window:
    """What is being recognized now.

    Attributes:
        resumed: where speech went on after the last pause; no later word begins before.
        pauses: samples between speech inside the window.
        past: what the last answer left for the next; it ends with the window's start.
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

    @property
    def prefix(self) -> tuple[int, ...]:
        """Tokens of the committed words inside the window."""
        return tuple(token for held in self.committed for token in held.word.tokens)

    @property
    def committed_end(self) -> int:
        """Where the last committed word ends, or where speech began or went on after it."""
        return max(self.resumed, self.committed[-1].end if self.committed else self.start)

    @property
    def silent(self) -> bool:
        """Whether speech went on after a pause, and no word of it is committed yet."""
        return bool(self.committed) and self.resumed >= self.committed[-1].end

    def resume(self, start: int, pause: int, sound: LogMel) -> None:
        """Go on at `start` with speech after a pause of so many samples."""
        self.resumed = start
        self.pauses += pause
        self.trim(sound, start)

    def restart(self, start: int) -> None:
        """Begin again at `start`; everything committed so far becomes the prompt."""
        self._forget(len(self.committed))
        self._begin(start // HOP)

    def place(self, words: Sequence[HypothesisWord], latest: int | None = None) -> list[WindowWord]:
        """Words after the committed ones (times from the window's start) on the session's clock.

        Args:
            latest: where speech ends: no word ends later if it can be helped.
        """
        placed = []
        earliest = self.committed_end
        for word in words:
            start = max(earliest, self.start + round(word.start * SAMPLE_RATE))
            end = self.start + round(word.end * SAMPLE_RATE)
            end = max(start, end if latest is None else min(end, latest))
            placed.append(WindowWord(word, start, end))
            earliest = end
        return placed

    def commit(
        self, words: Sequence[HypothesisWord], latest: int | None = None
    ) -> list[WindowWord]:
        """Add words (see `place`); they stand from now on."""
        placed = self.place(words, latest)
        self.committed += placed
        return placed

    def trim(self, sound: LogMel, end: int) -> bool:
        """Cut a window that has grown too long, where it is quiet between committed words."""
        options = self.options
        if end - self.start <= options.trim_after * SAMPLE_RATE:
            return False
        latest = end - round(options.keep * SAMPLE_RATE)
        candidates = [
            index
            for index, held in enumerate(self.committed)
            if self.start + (end - self.start) // 3 <= held.end <= latest
        ]
        if not candidates:
            candidates = [i for i, held in enumerate(self.committed) if held.end <= latest][-1:]
        if not candidates:
            return False
        cuts = {index: self._valley(sound, index, end) for index in candidates}
        best = min(candidates, key=lambda index: cuts[index][1])
        self._cut(best + 1, cuts[best][0])
        return True

    def cut_after_committed(self, sound: LogMel, end: int) -> bool:
        """Cut right after the last committed word or the pause after it; False if there is none."""
        if not self.committed:
            return False
        if self.silent:
            self.restart(self.resumed)
            return True
        frame, _ = self._valley(sound, len(self.committed) - 1, end)
        self._cut(len(self.committed), frame)
        return True

    def _valley(self, sound: LogMel, index: int, end: int) -> tuple[int, float]:
        """The quietest frame between a committed word and the next, and how loud it is."""
        held = self.committed[index]
        following = self.committed[index + 1] if index + 1 < len(self.committed) else None
        first = (held.start + held.end) // 2
        last = (following.start + following.end) // 2 if following else held.end + SAMPLE_RATE // 5
        frame, level = quietest_frame(sound, first // HOP, min(last, end) // HOP)
        bonus = SENTENCE_BONUS if held.word.text.rstrip().endswith(SENTENCE_END) else 0.0
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
        carried = [token for held in self.committed[:words] for token in held.word.tokens]
        del self.committed[:words]
        most = self.options.prompt_tokens
        self.prompt = (*self.prompt, *carried)[-most:] if most else ()


def quietest_frame(sound: LogMel, first: int, last: int) -> tuple[int, float]:
    """The middle of the quietest 50 ms among frames `first` to `last`, and its mean log power."""
    first = max(first, sound.start_frame)
    last = max(first + 1, min(last, sound.end_frame))
    power = sound.frames(first, last).mean(axis=0)
    if len(power) <= VALLEY_FRAMES:
        return first + int(power.argmin()), float(power.min())
    smooth = np.convolve(power, np.full(VALLEY_FRAMES, 1 / VALLEY_FRAMES), mode="valid")
    best = int(smooth.argmin())
    return first + best + VALLEY_FRAMES // 2, float(smooth[best])
