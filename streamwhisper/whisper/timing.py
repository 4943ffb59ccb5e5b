"""Word times of a known text.

The text goes through the decoder once. The attention of the alignment heads, normalized and
smoothed, is aligned to the audio by dynamic time warping. Matches openai-whisper's
``add_word_timestamps``, including its correction of overlong words at the ends of sentences and
segments, without a just-in-time compiler.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamwhisper.audio.constants import SECONDS_PER_POSITION
from streamwhisper.languages import UNSPACED_LANGUAGES
from streamwhisper.recognition import Task
from streamwhisper.segment import Segment, TimedWord
from streamwhisper.whisper.alignment import dynamic_time_warping
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import Output
from streamwhisper.whisper.tail import EncodedAudio
from streamwhisper.whisper.tokenizer import Detokenizer, SpelledWord, Tokenizer

__all__ = [
    "SENTENCE_ENDS",
    "AlignedWord",
    "AlignmentTask",
    "Punctuation",
    "align",
    "median_of_seven",
    "split_subwords",
    "with_words",
]

SENTENCE_ENDS = ".。!！?？"
LONGEST_MEDIAN = 0.7
"""Maximum median duration of a word, in seconds."""
SPREAD = 1e-8
_MEDIAN_REACH = 3
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
    """Word or punctuation with its times, in seconds from the start of the window."""

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
    """Signs that are joined to the next word (`before`) and to the previous one (`after`)."""

    before: str = "\"'“¿([{-"
    after: str = "\"'.。,，!！?？:：”)]}、"


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
        words = split_subwords(tokenizer, task.tokens, task.language)
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


def split_subwords(tokenizer: Tokenizer, tokens: Sequence[int], language: str) -> list[SpelledWord]:
    """Split tokens into words and separate signs, without joining any.

    Words begin at spaces, or at each character if the language has no spaces. A sign that is a
    separate token is a separate item.
    """
    words: list[SpelledWord] = []
    for text, group in _characters(tokenizer, tokens):
        begins = language in UNSPACED_LANGUAGES or text.startswith(" ")
        if words and not begins and text.strip() not in string.punctuation:
            before, held = words[-1]
            words[-1] = (before + text, held + group)
        else:
            words.append((text, group))
    return words


def _characters(tokenizer: Tokenizer, tokens: Sequence[int]) -> Iterator[SpelledWord]:
    """Yield the smallest runs of tokens that form characters; the last may be incomplete."""
    detokenizer = Detokenizer(tokenizer)
    text, group = "", tuple[int, ...]()
    for token in tokens:
        text, group = text + detokenizer.push(token), (*group, token)
        if not detokenizer.pending:
            yield text, group
            text, group = "", ()
    if group:
        yield text + detokenizer.finish(), group


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
    timed = []
    for segment in segments:
        wanted = sum(token < text_end for token in segment.tokens)
        own: list[TimedWord] = []
        while wanted > 0 and (word := next(left, None)) is not None:
            wanted -= len(word.tokens)
            if word.text:
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
        if word.text in SENTENCE_ENDS:
            fitted[i] = replace(word, end=word.start + longest)
        elif fitted[i - 1].text in SENTENCE_ENDS:
            fitted[i] = replace(word, start=word.end - longest)
    return fitted


def _merged(words: Sequence[AlignedWord], punctuation: Punctuation) -> list[AlignedWord]:
    """Join signs to the words that they belong to, whose times do not change.

    Joined signs stay in the list, without text and tokens.
    """
    merged = list(words)
    following = len(merged) - 1
    for i in range(len(merged) - 2, -1, -1):
        sign, word = merged[i], merged[following]
        if sign.text.startswith(" ") and sign.text.strip() in punctuation.before:
            text, tokens = sign.text + word.text, sign.tokens + word.tokens
            merged[following] = replace(word, text=text, tokens=tokens)
            merged[i] = replace(sign, text="", tokens=())
        else:
            following = i
    previous = 0
    for i in range(1, len(merged)):
        word, sign = merged[previous], merged[i]
        if not word.text.endswith(" ") and sign.text in punctuation.after:
            text, tokens = word.text + sign.text, word.tokens + sign.tokens
            merged[previous] = replace(word, text=text, tokens=tokens)
            merged[i] = replace(sign, text="", tokens=())
        else:
            previous = i
    return merged


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
