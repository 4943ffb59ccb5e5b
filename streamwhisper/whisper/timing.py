"""When each word of a text that is known was said.

The text goes through the decoder once; the attention of the alignment heads, normalized and
smoothed, is aligned to the sound by dynamic time warping. Means what openai-whisper's
``add_word_timestamps`` means (its mend of overlong words at the ends of sentences and segments
included), without a just-in-time compiler.
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
from streamwhisper.recognition import Task
from streamwhisper.segment import Segment, TimedWord
from streamwhisper.whisper.alignment import dynamic_time_warping
from streamwhisper.whisper.languages import UNSPACED_LANGUAGES
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
"""Seconds; more is no fair median of a word's length."""
SPREAD = 1e-8
_MEDIAN_REACH = 3
# Exchanges that put the middle of seven values into place 3 (checked against sorting by a test).
_EXCHANGES = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6)),
    *((2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentTask:
    """A text and its sound.

    Attributes:
        tokens: of the text, without special ones.
        language: its code; of no matter to an English model.
    """

    sound: EncodedAudio
    tokens: tuple[int, ...]
    language: str = "en"
    task: Task = "transcribe"


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A word, or punctuation, with its times in seconds from the start of its window."""

    text: str
    tokens: tuple[int, ...]
    start: float
    end: float
    probability: float

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Punctuation:
    """Signs that belong to the word after them (`before` it), and to the word before them."""

    before: str = "\"'“¿([{-"
    after: str = "\"'.。,，!！?？:：”)]}、"


@torch.inference_mode()
def align(
    model: Whisper, output: Output, tokenizer: Tokenizer, tasks: Sequence[AlignmentTask]
) -> list[list[AlignedWord]]:
    """Time the words and signs of each task, all tasks in one pass of the decoder."""
    given = [
        (tokenizer.sot_sequence(language=task.language, task=task.task), task) for task in tasks
    ]
    rows = [[*start, tokenizer.no_timestamps, *task.tokens, tokenizer.eot] for start, task in given]
    caches = [
        model.decoder_cache(
            task.sound.cross_attention, task.sound.audible, task.sound.bias, len(row)
        )
        for task, row in zip(tasks, rows, strict=True)
    ]
    hidden, weights = model.decoder(rows, caches)
    aligned = []
    for (start, task), states, attention in zip(given, hidden, weights, strict=True):
        words = split_subwords(tokenizer, task.tokens, task.language)
        said = states[len(start) : len(start) + len(task.tokens)]
        aligned.append(
            _timed(
                words,
                _onsets(attention, skip=len(start)) if words else [],
                _probabilities(output, said, task.tokens, tokenizer.eot) if words else [],
            )
        )
    return aligned


def _timed(
    words: Sequence[SpelledWord], onsets: Sequence[float], probabilities: Sequence[float]
) -> list[AlignedWord]:
    """Words with the times and the mean probability of their tokens."""
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
    """Of each text token, among all text tokens."""
    chances = output(hidden)[:, :vocabulary].softmax(dim=-1)
    found: list[float] = chances[torch.arange(len(tokens)), list(tokens)].tolist()
    return found


def _onsets(weights: Tensor, skip: int) -> list[float]:
    """Seconds at which each text token begins, and at which the last one ends.

    Args:
        weights: attention of the alignment heads, ``[n_heads, n_rows, audible]``: a row for each
            token given to the decoder.
        skip: rows before that of the first text token; the last one is left out as well.
    """
    spread, mean = torch.std_mean(weights, dim=1, keepdim=True, unbiased=False)
    normed = (weights - mean) / spread.clamp_min(SPREAD)
    matrix = median_of_seven(normed).mean(dim=0)[skip:-1]
    first = dynamic_time_warping(-matrix.cpu().double().numpy())
    onsets: list[float] = (first * SECONDS_PER_POSITION).tolist()
    return onsets


def median_of_seven(x: Tensor) -> Tensor:
    """The median of each value of ``x [..., n]`` and its three neighbours on either side.

    Beyond the ends the values are mirrored; up to three are returned as they are.
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
    """Split tokens into words and the signs between them, nothing of which is joined yet.

    Words begin at spaces; where a language has none, at each character. A sign that is a token
    of its own stands alone.
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
    """The smallest runs of tokens that end where a character ends; the last may be broken."""
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
    """Give the words of a window to its segments, whose times follow them.

    Args:
        words: of all segments' text, in order.
        offset: seconds at which the window begins.
        last_speech: seconds at which the last word before the window ends.
        text_end: the first token that is not text.
        punctuation: what is merged with its neighbours.
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
    """Signs that end a sentence, and words after them, take up no pause."""
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
    """Join signs to the words that they belong to, whose times stay.

    What was joined is left behind without text and tokens.
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
    """Words at the ends of a segment take up no pause; where they are too long, its times count."""
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
