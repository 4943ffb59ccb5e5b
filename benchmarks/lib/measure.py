"""Arithmetic of the benchmarks: pure functions over words and moments.

Moments are seconds of one wall clock unless a name says audio seconds. The module ends with what
every table needs: the text normalizer and the line that describes the machine.
"""

from __future__ import annotations

import contextlib
import math
import platform
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from streamwhisper.engine.cores import usable_cores

__all__ = [
    "Errors",
    "HeardWord",
    "Screen",
    "ScreenUpdate",
    "SpokenWord",
    "align",
    "count_errors",
    "latencies",
    "machine_line",
    "met",
    "moment_sent",
    "normalize_any",
    "normalize_english",
    "percentile",
    "percentiles",
    "recognized",
    "slope",
    "watch_screen",
]

Pair = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A reference word, normalized, and where it ends in audio seconds (None: not known)."""

    text: str
    end: float | None


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A committed word, normalized, and the moment it came."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Word errors of a transcript against its reference."""

    substitutions: int
    deletions: int
    insertions: int
    words: int

    @property
    def total(self) -> int:
        """All errors."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """All errors over all reference words; without any, 0 or infinity."""
        if not self.words:
            return math.inf if self.total else 0.0
        return self.total / self.words

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.words + other.words,
        )


def align(reference: Sequence[str], heard: Sequence[str]) -> list[Pair]:
    """Align two word sequences by Levenshtein distance, ties in favour of the diagonal.

    Returns:
        pairs of indices in order; None on one side is a deletion or an insertion.
    """
    width = len(heard) + 1
    above = list(range(width))
    moves = [bytearray([2]) * width]  # 0 diagonal, 1 up (deletion), 2 left (insertion)
    for i, word in enumerate(reference, 1):
        row, move = [i] * width, bytearray(width)
        move[0] = 1
        for j in range(1, width):
            best, step = above[j - 1] + (word != heard[j - 1]), 0
            if above[j] + 1 < best:
                best, step = above[j] + 1, 1
            if row[j - 1] + 1 < best:
                best, step = row[j - 1] + 1, 2
            row[j], move[j] = best, step
        above = row
        moves.append(move)
    pairs: list[Pair] = []
    i, j = len(reference), len(heard)
    while i or j:
        step = moves[i][j]
        pairs.append((i - 1 if step != 2 else None, j - 1 if step != 1 else None))
        i, j = i - (step != 2), j - (step != 1)
    return pairs[::-1]


def count_errors(reference: Sequence[str], heard: Sequence[str]) -> Errors:
    """Count the word errors of the best alignment."""
    pairs = align(reference, heard)
    return Errors(
        substitutions=sum(
            i is not None and j is not None and reference[i] != heard[j] for i, j in pairs
        ),
        deletions=sum(j is None for _, j in pairs),
        insertions=sum(i is None for i, _ in pairs),
        words=len(reference),
    )


def recognized(spoken: Sequence[SpokenWord], heard: Sequence[HeardWord]) -> list[tuple[int, int]]:
    """Index pairs of the reference words that were recognized and the words that did it."""
    pairs = align([word.text for word in spoken], [word.text for word in heard])
    return [
        (i, j)
        for i, j in pairs
        if i is not None and j is not None and spoken[i].text == heard[j].text
    ]


def latencies(
    spoken: Sequence[SpokenWord],
    heard: Sequence[HeardWord],
    sent: Callable[[float], float],
) -> list[float]:
    """Seconds from sending each recognized word's last sample to the word's arrival.

    Args:
        spoken: the reference; words without a known end are aligned but not counted.
        heard: the committed words, with the moments to be judged.
        sent: the moment that a position in audio seconds was sent.
    """
    return [
        heard[j].at - sent(end)
        for i, j in recognized(spoken, heard)
        if (end := spoken[i].end) is not None
    ]


def moment_sent(chunk_ends: Sequence[float], moments: Sequence[float], position: float) -> float:
    """When the chunk that holds the sample just before `position` was sent.

    Args:
        chunk_ends: where each chunk ends, in audio seconds, ascending.
        moments: when each chunk was sent.
        position: in audio seconds; past the last chunk counts as in it.
    """
    chunk = bisect_right(chunk_ends, position - 1e-6)
    return moments[min(chunk, len(moments) - 1)]


def met(marks: Sequence[float], ends: Sequence[float], tolerance: float) -> int:
    """How many `marks` have an end within `tolerance` of them; all in audio seconds."""
    return sum(any(abs(end - mark) <= tolerance for end in ends) for mark in marks)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a `share` (0 to 1) lies, interpolated; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The percentiles that latencies are reported by."""
    shares = (50, 90, 95, 99)
    return {f"p{share}": round(percentile(values, share / 100), 3) for share in shares}


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Slope of the least-squares line through (x, y) points; 0 where x does not vary."""
    if len(points) < 2:
        return 0.0
    mean_x = math.fsum(x for x, _ in points) / len(points)
    mean_y = math.fsum(y for _, y in points) / len(points)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    return math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread


@dataclass(frozen=True, slots=True)
class ScreenUpdate:
    """A change of the screen: words committed (`partial` False), or a whole new partial."""

    at: float
    words: tuple[str, ...]
    partial: bool


@dataclass(frozen=True, slots=True)
class Screen:
    """How a text came to stand on the screen.

    Attributes:
        since: for each committed word, since when it has stood in its place.
        shown: words shown in partials, each once for every time it appeared.
        unstable: how many of them were changed or withdrawn later.
    """

    since: tuple[float, ...]
    shown: int
    unstable: int

    @property
    def unstable_ratio(self) -> float:
        """Unstable partial word ratio."""
        return self.unstable / self.shown if self.shown else 0.0


def watch_screen(updates: Iterable[ScreenUpdate]) -> Screen:
    """Follow a screen whose text is the committed words and, behind them, the partial ones.

    A word is known by its text and its place in the whole text. A partial that grew by a word
    in its middle therefore changes every word behind.
    """
    since: list[float] = []
    pending: dict[int, tuple[str, float]] = {}
    shown = unstable = 0
    for update in updates:
        places = range(len(since), len(since) + len(update.words))
        before = {
            place: pending[place]
            for place, word in zip(places, update.words, strict=True)
            if place in pending and pending[place][0] == word
        }
        if update.partial:
            unstable += len(pending) - len(before)
            shown += len(update.words) - len(before)
            pending = {
                place: before.get(place, (word, update.at))
                for place, word in zip(places, update.words, strict=True)
            }
            continue
        for place in places:
            old = pending.pop(place, None)
            unstable += old is not None and place not in before
            since.append(before[place][1] if place in before else update.at)
    return Screen(tuple(since), shown, unstable + len(pending))


@cache
def _english() -> Any:
    from whisper.normalizers import EnglishTextNormalizer

    return EnglishTextNormalizer()


def normalize_english(text: str) -> str:
    """A text as its words are counted: by Whisper's English text normalizer."""
    return str(_english()(text))


def normalize_any(text: str) -> str:
    """The same for any language: case and punctuation are set aside."""
    from whisper.normalizers import BasicTextNormalizer

    return str(BasicTextNormalizer()(text))


def machine_line(threads: int | None = None) -> str:
    """The machine that a figure belongs to; without `threads`, torch's in this process."""
    import torch

    cpu = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), cpu)
    if threads is None:
        threads = torch.get_num_threads()
    machine = f"{cpu}, {usable_cores()} cores, {threads} threads"
    return f"{machine}, torch {torch.__version__}, {platform.system()}"
