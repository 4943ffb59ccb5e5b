"""Word times of a known text.

The text goes through the decoder once. The attention of the alignment heads, normalized and
smoothed, is aligned to the audio by dynamic time warping. Matches openai-whisper's
``add_word_timestamps``, including its correction of overlong words at the ends of sentences and
segments, without a just-in-time compiler.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamwhisper.audio.constants import SECONDS_PER_POSITION
from streamwhisper.recognition import Task
from streamwhisper.segment import Segment, TimedWord
from streamwhisper.typography import CALLS, FULL_STOPS, punctuates
from streamwhisper.whisper.alignment import dynamic_time_warping
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import Output
from streamwhisper.whisper.tail import EncodedAudio
from streamwhisper.whisper.tokenizer import SpelledWord, Tokenizer
from streamwhisper.whisper.word_boundaries import begins_word, word_runs

__all__ = [
    "AlignedWord",
    "AlignmentTask",
    "Punctuation",
    "align",
    "median_of_seven",
    "split_subwords",
    "with_words",
]

LONGEST_MEDIAN = 0.7
"""Maximum median duration of a word, in seconds."""
SPREAD = 1e-8
_MEDIAN_REACH = 3
_STOPS = frozenset(FULL_STOPS + CALLS)
# Exchanges that move the median of seven values to index 3; a test compares it with sorting.
_EXCHANGES = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6)),
    *((2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentTask:
    """Text to align with its audio.

    Attributes:
        audio: encoded window.
        tokens: text tokens, without special ones.
        language: language code; English-only models ignore it.
        task: task that produced the text.
    """

    audio: EncodedAudio
    tokens: tuple[int, ...]
    language: str = "en"
    task: Task = "transcribe"


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """Word or part of one, with its times in seconds from the start of the window.

    Punctuation is a part of its own, so that a pause after it is known.
    """

    text: str
    tokens: tuple[int, ...]
    start: float
    end: float
    probability: float

    @property
    def duration(self) -> float:
        """Duration in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Punctuation:
    """Signs that are joined to words; signs within a word always are.

    Attributes:
        before: signs that are joined to the word after them; None: all that belong to it.
        after: signs that are joined to the word before them; None: all that belong to it.
    """

    before: str | None = None
    after: str | None = None


@torch.inference_mode()
def align(
    model: Whisper, output: Output, tokenizer: Tokenizer, tasks: Sequence[AlignmentTask]
) -> list[list[AlignedWord]]:
    """Return the timed words and signs of each task; runs the decoder once for all tasks."""
    given = [
        (tokenizer.sot_sequence(language=task.language, task=task.task), task) for task in tasks
    ]
    rows = [[*start, tokenizer.no_timestamps, *task.tokens, tokenizer.eot] for start, task in given]
    caches = [
        model.decoder_cache(
            task.audio.cross_attention, task.audio.audible, task.audio.bias, len(row)
        )
        for task, row in zip(tasks, rows, strict=True)
    ]
    hidden, weights = model.decoder(rows, caches)
    aligned = []
    for (start, task), states, attention in zip(given, hidden, weights, strict=True):
        words = split_subwords(tokenizer, task.tokens)
        text_states = states[len(start) : len(start) + len(task.tokens)]
        aligned.append(
            _timed(
                words,
                _onsets(attention, skip=len(start)) if words else [],
                _probabilities(output, text_states, task.tokens, tokenizer.eot) if words else [],
            )
        )
    return aligned


def _timed(
    words: Sequence[SpelledWord], onsets: Sequence[float], probabilities: Sequence[float]
) -> list[AlignedWord]:
    """Return words with the times and the mean probability of their tokens."""
    timed, first = [], 0
    for text, tokens in words:
        end = first + len(tokens)
        mean = float(np.mean(probabilities[first:end]))
        timed.append(AlignedWord(text, tokens, onsets[first], onsets[end], mean))
        first = end
    return timed


def _probabilities(
    output: Output, hidden: Tensor, tokens: Sequence[int], vocabulary: int
) -> list[float]:
    """Return the probability of each token among all text tokens."""
    chances = output(hidden)[:, :vocabulary].softmax(dim=-1)
    found: list[float] = chances[torch.arange(len(tokens)), list(tokens)].tolist()
    return found


def _onsets(weights: Tensor, skip: int) -> list[float]:
    """Return the start of each text token and the end of the last one, in seconds.

    Args:
        weights: attention of the alignment heads, ``[n_heads, n_rows, audible]``: a row for each
            token given to the decoder.
        skip: number of rows before the first text token; the last row is ignored as well.
    """
    spread, mean = torch.std_mean(weights, dim=1, keepdim=True, unbiased=False)
    normed = (weights - mean) / spread.clamp_min(SPREAD)
    matrix = median_of_seven(normed).mean(dim=0)[skip:-1]
    first = dynamic_time_warping(-matrix.cpu().double().numpy())
    onsets: list[float] = (first * SECONDS_PER_POSITION).tolist()
    return onsets


def median_of_seven(x: Tensor) -> Tensor:
    """Return the median of each value of ``x [..., n]`` and its three neighbours on either side.

    The values are mirrored at the ends; up to three values are returned unchanged.
    """
    n = x.shape[-1]
    if n <= _MEDIAN_REACH:
        return x
    shape = (-1, 1, n)
    padded = F.pad(x.reshape(shape), (_MEDIAN_REACH, _MEDIAN_REACH), mode="reflect")
    lanes = [padded[..., i : i + n] for i in range(2 * _MEDIAN_REACH + 1)]
    for low, high in _EXCHANGES:
        lanes[low], lanes[high] = (
            torch.minimum(lanes[low], lanes[high]),
            torch.maximum(lanes[low], lanes[high]),
        )
    return lanes[_MEDIAN_REACH].reshape(x.shape)


def split_subwords(tokenizer: Tokenizer, tokens: Sequence[int]) -> list[SpelledWord]:
    """Split tokens into words and separate signs, without joining any.

    Words begin at spaces, or at each character of a script without spaces. A sign that is a
    separate token is a separate item.
    """
    pieces: list[SpelledWord] = []
    word = ""  # the word so far, of which the last piece is a part
    texts, groups = tokenizer.characters(tokens)
    for text, group in zip(texts, groups, strict=True):
        begins = begins_word(word, text)
        word = text if begins else word + text
        apart = text.startswith(" ") or text.strip() in string.punctuation or text in _STOPS
        if pieces and not (begins or apart):
            before, held = pieces[-1]
            pieces[-1] = (before + text, held + group)
        else:
            pieces.append((text, group))
    rest = tuple(tokens[sum(map(len, groups)) :])
    if rest:  # part of a character
        text, group = pieces.pop() if pieces else ("", ())
        pieces.append((text, group + rest))
    return pieces


def with_words(
    segments: Sequence[Segment],
    words: Sequence[AlignedWord],
    offset: float,
    last_speech: float,
    *,
    text_end: int,
    punctuation: Punctuation,
) -> list[Segment]:
    """Return the segments of a window with their words, and with times that fit the words.

    Args:
        segments: segments of the window.
        words: words of all segments, in order.
        offset: start of the window, in seconds.
        last_speech: end of the last word before the window, in seconds.
        text_end: first token that is not text.
        punctuation: signs to join to neighbouring words.
    """
    lengths = [word.duration for word in words if word.duration]
    median = min(LONGEST_MEDIAN, float(np.median(lengths))) if lengths else 0.0
    left = iter(_merged(_shortened(words, 2 * median) if lengths else words, punctuation))
    timed, wanted = [], 0  # tokens of this segment that have no word yet
    for segment in segments:
        wanted += sum(token < text_end for token in segment.tokens)
        own: list[TimedWord] = []
        while wanted > 0 and (word := next(left, None)) is not None:
            wanted -= len(word.tokens)
            if word.text.strip():
                start, end = round(offset + word.start, 2), round(offset + word.end, 2)
                own.append(TimedWord(word.text, start, end, word.probability))
        if own:
            segment, own = _fitted(segment, own, median, last_speech)
            last_speech = segment.end
        timed.append(replace(segment, words=tuple(own)))
    return timed


def _shortened(words: Sequence[AlignedWord], longest: float) -> list[AlignedWord]:
    """Shorten sentence ends, and words after them, that last longer than `longest` seconds."""
    fitted = list(words)
    for i in range(1, len(fitted)):
        word = fitted[i]
        if word.duration <= longest:
            continue
        if word.text in _STOPS:
            fitted[i] = replace(word, end=word.start + longest)
        elif fitted[i - 1].text in _STOPS:
            fitted[i] = replace(word, start=word.end - longest)
    return fitted


def _merged(pieces: Sequence[AlignedWord], punctuation: Punctuation) -> list[AlignedWord]:
    """Join pieces to words. The signs around a word do not change its times."""
    runs = word_runs([piece.text for piece in pieces])
    if pieces and not (runs and runs[-1].stop == len(pieces)):  # an open bracket at the end
        runs[-1:] = [range(runs[-1].start if runs else 0, len(pieces))]
    merged: list[AlignedWord] = []
    for run in runs:
        own = list(pieces[run.start : run.stop])
        spoken = [i for i, piece in enumerate(own) if not _all_signs(piece.text)]
        first, last = (spoken[0], spoken[-1]) if spoken else (0, len(own) - 1)
        begin, end = first, last
        while begin > 0 and _joins(own[begin - 1].text, punctuation.before):
            begin -= 1
        while end + 1 < len(own) and _joins(own[end + 1].text, punctuation.after):
            end += 1
        merged += own[:begin]
        merged.append(_joined(own[begin : end + 1], own[first : last + 1]))
        merged += own[end + 1 :]
    return merged


def _joined(pieces: Sequence[AlignedWord], spoken: Sequence[AlignedWord]) -> AlignedWord:
    """Return one word of `pieces`, with the times and the probability of those `spoken`."""
    tokens = [len(piece.tokens) for piece in spoken]
    mean = float(np.average([piece.probability for piece in spoken], weights=tokens))
    return AlignedWord(
        "".join(piece.text for piece in pieces),
        tuple(token for piece in pieces for token in piece.tokens),
        spoken[0].start,
        spoken[-1].end,
        mean,
    )


def _all_signs(text: str) -> bool:
    return all(map(punctuates, text.strip()))


def _joins(text: str, signs: str | None) -> bool:
    """Return whether punctuation is joined to its word."""
    return signs is None or all(sign in signs for sign in text.strip())


def _fitted(
    segment: Segment, words: list[TimedWord], median: float, last_speech: float
) -> tuple[Segment, list[TimedWord]]:
    """Remove pauses from the first and last word; if they are too long, use the segment's times."""
    longest = 2 * median
    first = words[0]
    if first.end - last_speech > 4 * median and (
        first.end - first.start > longest
        or (len(words) > 1 and words[1].end - first.start > 2 * longest)
    ):
        if len(words) > 1 and words[1].end - words[1].start > longest:
            boundary = max(words[1].end / 2, words[1].end - longest)
            first = replace(first, end=boundary)
            words[1] = replace(words[1], start=boundary)
        first = words[0] = replace(first, start=max(0, first.end - longest))
    if segment.start < first.end and segment.start - 0.5 > first.start:
        words[0] = replace(first, start=max(0, min(first.end - median, segment.start)))
    else:
        segment = replace(segment, start=first.start)
    last = words[-1]
    if segment.end > last.start and segment.end + 0.5 < last.end:
        words[-1] = replace(last, end=max(last.start + median, segment.end))
    else:
        segment = replace(segment, end=last.end)
    return segment, words
