"""Chunks of any recordings, heard side by side in batches.

Sound is encoded with its silent tail, so a short chunk costs little; batches are of chunks of
like length, and several are under way at once where there are cores for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.mel import HOP, log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.segment import Segment
from streamwhisper.transcription.chunks import Chunk, cut_up
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.segments import SegmentWindow, sentences, whole
from streamwhisper.transcription.stitching import stitch
from streamwhisper.vad.spans import map_speech
from streamwhisper.whisper.biasing import get_bias_vocabulary
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.fallback import search_with_fallback
from streamwhisper.whisper.search import SearchResult, SearchTask, text_tokens
from streamwhisper.whisper.tail import EncodedAudio, encode, encode_padded
from streamwhisper.whisper.timing import (
    AlignedWord,
    AlignmentTask,
    Punctuation,
    align,
    with_words,
)
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["ChunkHypothesis", "Recording", "hear", "hear_batch", "prepare", "segments"]

Sound = NDArray[np.float32]
PROGRESS = 1.0
"""Seconds that must have been heard before that."""
SLOWEST = 2.0
"""Tokens a second: fewer may mean that the text ended before the sound."""
STALL = 3.0
"""Seconds without a word at the end of a chunk that are heard once more."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Sound, and how it is cut.

    Attributes:
        samples: float32 mono ``[n]`` at 16 kHz.
        chunks: in order.
        language: None for a single chunk whose language is found when it is heard.
    """

    samples: Sound
    chunks: list[Chunk]
    language: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ChunkHypothesis:
    """What was heard in a chunk; the words, none where not asked for, are timed from its start."""

    result: SearchResult
    words: list[AlignedWord]

    @property
    def end(self) -> float:
        """Seconds at which the last word ends."""
        return self.words[-1].end if self.words else 0.0

    def followed_by(self, other: ChunkHypothesis, later: float) -> ChunkHypothesis:
        """This and what was heard so many seconds later."""
        moved = [replace(w, start=w.start + later, end=w.end + later) for w in other.words]
        text = f"{self.result.text} {other.result.text}"
        tokens = self.result.tokens + other.result.tokens
        return ChunkHypothesis(replace(self.result, tokens=tokens, text=text), self.words + moved)


def prepare(
    recognizer: LocalRecognizer, samples: Sound, options: TranscriptionOptions
) -> Recording:
    """Cut a recording, and find its language where it is not given."""
    speech = map_speech(samples) if options.chunks.vad else None
    chunks = cut_up(len(samples), speech, options.clips, options.chunks)
    language = options.language if recognizer.info.multilingual else "en"
    if language is None and len(chunks) > 1:
        first = _encoded(recognizer, [_cut_out(samples, chunks[0])])
        language = _language(recognizer, first[0])
    return Recording(samples, chunks, language)


def hear(
    recognizer: LocalRecognizer,
    recordings: Sequence[Recording],
    options: TranscriptionOptions,
    executor: Executor,
    progress: Callable[[float], None] | None = None,
) -> Iterator[list[ChunkHypothesis]]:
    """Yield what was heard in each recording's chunks, in order, as soon as it is all there.

    Args:
        executor: runs `recognizer.workers` batches at a time.
        progress: called with the seconds of sound heard since it was called last.
    """
    every = [(index, chunk) for index, own in enumerate(recordings) for chunk in own.chunks]
    every.sort(key=lambda pair: -pair[1].seconds)
    size = min(options.chunks.batch_size, math.ceil(len(every) / recognizer.workers))
    batches = [every[first : first + size] for first in range(0, len(every), max(1, size))]
    waiting = iter(
        [
            (batch, executor.submit(hear_batch, recognizer, recordings, batch, options))
            for batch in batches
        ]
    )
    heard: dict[tuple[int, Chunk], ChunkHypothesis] = {}
    for index, own in enumerate(recordings):
        keys = [(index, chunk) for chunk in own.chunks]
        while any(key not in heard for key in keys):
            batch, future = next(waiting)
            heard |= zip(batch, future.result(), strict=True)
            if progress:
                progress(sum(chunk.seconds for _, chunk in batch))
        yield [heard.pop(key) for key in keys]


def segments(
    recognizer: LocalRecognizer,
    recording: Recording,
    heard: Sequence[ChunkHypothesis],
    options: TranscriptionOptions,
    *,
    reached: float = 0.0,
) -> list[Segment]:
    """The segments of a recording; chunks that overlap are stitched together.

    Args:
        reached: where the last segment before these chunks ends, in seconds.
    """
    tokenizer, found = recognizer.tokenizer, list[Segment]()
    punctuation = options.words.punctuation if options.words else Punctuation()
    kept = _kept(tokenizer, recording.chunks, heard)
    for chunk, own, (first, end) in zip(recording.chunks, heard, kept, strict=True):
        result = replace(own.result, tokens=own.result.tokens[first:end])
        if options.fallback.is_silence(result) or not result.tokens:
            continue
        window = SegmentWindow(chunk.start // HOP, (chunk.end - chunk.start) // HOP)
        if not _timed(options):
            found.append(whole(tokenizer, window, result))
            continue
        words = _words(own, first, end)
        timed = with_words(
            sentences(tokenizer, window, result, words, punctuation),
            words,
            window.start,
            found[-1].end if found else reached,
            text_end=tokenizer.eot,
            punctuation=punctuation,
        )
        found += timed if options.words else [replace(segment, words=None) for segment in timed]
    spoken = (segment for segment in found if segment.text.strip())
    return [replace(segment, id=index) for index, segment in enumerate(spoken)]


def _timed(options: TranscriptionOptions) -> bool:
    """Whether it matters when in a chunk each word was said."""
    return options.search.timestamps or options.words is not None


def _kept(
    tokenizer: Tokenizer, chunks: Sequence[Chunk], heard: Sequence[ChunkHypothesis]
) -> list[tuple[int, int]]:
    """Of each chunk, the first token that stays and the one after the last."""
    kept = [(0, len(own.result.tokens)) for own in heard]
    for index, chunk in enumerate(chunks):
        if chunk.overlaps:
            left, right = heard[index - 1].result, heard[index].result
            end, first = stitch(tokenizer, left.tokens, right.tokens, right.language)
            kept[index - 1] = (kept[index - 1][0], max(end, kept[index - 1][0]))
            kept[index] = (first, kept[index][1])
    return kept


def _words(heard: ChunkHypothesis, first: int, end: int) -> list[AlignedWord]:
    """The words of the tokens from `first` up to `end`."""
    words, reached = [], 0
    for word in heard.words:
        if first <= reached < end:
            words.append(word)
        reached += len(word.tokens)
    return words


def hear_batch(
    recognizer: LocalRecognizer,
    recordings: Sequence[Recording],
    batch: Sequence[tuple[int, Chunk]],
    options: TranscriptionOptions,
) -> list[ChunkHypothesis]:
    """Hear a batch of chunks, each with the place of its recording.

    What comes after a text that ended too soon is heard once more.
    """
    sounds = _encoded(recognizer, [_cut_out(recordings[i].samples, chunk) for i, chunk in batch])
    languages = [
        recordings[index].language or _language(recognizer, sound)
        for (index, _), sound in zip(batch, sounds, strict=True)
    ]
    results = _search(recognizer, sounds, languages, options)
    short = [
        _timed(options) or len(result.tokens) < SLOWEST * chunk.seconds
        for (_, chunk), result in zip(batch, results, strict=True)
    ]
    words = _align(recognizer, sounds, results, short, options)
    heard = [ChunkHypothesis(*pair) for pair in zip(results, words, strict=True)]
    rests = [
        (position, Chunk(_on_frame(chunk.start + round(own.end * SAMPLE_RATE)), chunk.end))
        for position, ((_, chunk), own) in enumerate(zip(batch, heard, strict=True))
        if own.end > PROGRESS and chunk.seconds - own.end > STALL
    ]
    if rests:
        again = [(batch[position][0], rest) for position, rest in rests]
        for (position, rest), more in zip(
            rests, hear_batch(recognizer, recordings, again, options), strict=True
        ):
            if more.result.tokens and not options.fallback.is_silence(more.result):
                later = (rest.start - batch[position][1].start) / SAMPLE_RATE
                heard[position] = heard[position].followed_by(more, later)
    return heard


def _search(
    recognizer: LocalRecognizer,
    sounds: Sequence[EncodedAudio],
    languages: Sequence[str],
    options: TranscriptionOptions,
) -> list[SearchResult]:
    tokenizer, prompts = recognizer.tokenizer, options.prompts
    prompt, prefix = (
        text_tokens(tokenizer, text) if text else () for text in (prompts.initial, prompts.prefix)
    )
    words = get_bias_vocabulary(tokenizer, prompts.vocabulary) if prompts.vocabulary else None
    tasks = [
        SearchTask(sound, language, options.task, prompt, prefix, vocabulary=words)
        for sound, language in zip(sounds, languages, strict=True)
    ]
    found = search_with_fallback(
        recognizer.model,
        recognizer.search_output,
        tokenizer,
        tasks,
        # Times come from attention: timestamp tokens cost time, and text where they jump ahead.
        replace(options.search, timestamps=False),
        options.fallback,
    )
    # At a high temperature the model may write a timestamp all the same, which is no text.
    return [
        replace(result, tokens=tuple(token for token in result.tokens if token < tokenizer.eot))
        for result in found
    ]


def _align(
    recognizer: LocalRecognizer,
    sounds: Sequence[EncodedAudio],
    results: Sequence[SearchResult],
    wanted: Sequence[bool],
    options: TranscriptionOptions,
) -> list[list[AlignedWord]]:
    """The words of each result, none of those that are not wanted."""
    chosen = [index for index, want in enumerate(wanted) if want and results[index].tokens]
    tasks = [
        AlignmentTask(sounds[index], results[index].tokens, results[index].language, options.task)
        for index in chosen
    ]
    words: list[list[AlignedWord]] = [[] for _ in results]
    if tasks:
        model, output = recognizer.model, recognizer.search_output
        for index, own in zip(
            chosen, align(model, output, recognizer.tokenizer, tasks), strict=True
        ):
            words[index] = own
    return words


def _encoded(recognizer: LocalRecognizer, sounds: Sequence[Sound]) -> list[EncodedAudio]:
    mels = [torch.from_numpy(log_mel(sound, recognizer.info.n_mels)) for sound in sounds]
    # One by one on a CPU: the values of a single window stay in its cache.
    size = 1 if recognizer.model.device.type == "cpu" else len(mels)
    groups = [mels[first : first + size] for first in range(0, len(mels), size)]
    if recognizer.options.silent_tail:
        return [s for group in groups for s in encode(recognizer.tails, group, settle=False)]
    return [s for group in groups for s in encode_padded(recognizer.model, group)]


def _language(recognizer: LocalRecognizer, sound: EncodedAudio) -> str:
    (found,) = detect_languages(recognizer.model, recognizer.tokenizer, [sound])
    return next(iter(found))


def _cut_out(samples: Sound, chunk: Chunk) -> Sound:
    return samples[chunk.start : chunk.end]


def _on_frame(sample: int) -> int:
    return sample - sample % HOP
