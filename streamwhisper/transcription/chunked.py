"""The chunked method: chunks of any recordings, transcribed side by side in batches.

Batches contain chunks of similar length, and several batches are computed at the same time if
the recognizer has cores or workers for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import HOP, SAMPLE_RATE
from streamwhisper.audio.mel import log_mel
from streamwhisper.segment import Segment
from streamwhisper.transcription.chunks import Chunk, cut_up
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.transcription.segments import SegmentWindow, sentences, whole
from streamwhisper.transcription.stitching import stitch
from streamwhisper.vad.spans import map_speech
from streamwhisper.whisper.search import SearchResult, text_tokens
from streamwhisper.whisper.timing import AlignedWord, Punctuation, with_words
from streamwhisper.whisper.tokenizer import Tokenizer
from streamwhisper.whisper.windows import WindowRequest

__all__ = ["ChunkHypothesis", "Recording", "hear", "hear_batch", "prepare", "segments"]

Sound = NDArray[np.float32]
PROGRESS = 1.0
"""Seconds of text that a chunk must have before its rest is transcribed by itself."""
SLOWEST = 2.0
"""Tokens per second; with fewer the text may have ended before the speech did."""
STALL = 3.0
"""Seconds without a word at the end of a chunk that are transcribed once more."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording and its chunks.

    Attributes:
        samples: float32 mono ``[n]`` at 16 kHz.
        chunks: in order of time.
        language: code; None if it is detected together with the text of the only chunk.
    """

    samples: Sound
    chunks: list[Chunk]
    language: str | None


@dataclass(frozen=True, slots=True, eq=False)
class ChunkHypothesis:
    """Text of a chunk.

    Attributes:
        result: tokens, text and scores.
        words: timed from the start of the chunk; empty if they were not requested.
    """

    result: SearchResult
    words: list[AlignedWord]

    @property
    def end(self) -> float:
        """End of the last word, in seconds; 0 without words."""
        return self.words[-1].end if self.words else 0.0

    def followed_by(self, other: ChunkHypothesis, later: float) -> ChunkHypothesis:
        """Return this text followed by another one, which begins `later` seconds later."""
        moved = [replace(w, start=w.start + later, end=w.end + later) for w in other.words]
        text = f"{self.result.text} {other.result.text}"
        tokens = self.result.tokens + other.result.tokens
        return ChunkHypothesis(replace(self.result, tokens=tokens, text=text), self.words + moved)


def prepare(
    recognizer: WindowRecognizer, samples: Sound, options: TranscriptionOptions
) -> Recording:
    """Cut a recording into chunks; detect its language if the options have none."""
    speech = map_speech(samples) if options.chunks.vad else None
    chunks = cut_up(len(samples), speech, options.clips, options.chunks)
    language = options.language if recognizer.info.multilingual else "en"
    if language is None and len(chunks) > 1:
        language = _language(recognizer, _cut_out(samples, chunks[0]))
    return Recording(samples, chunks, language)


def hear(
    recognizer: WindowRecognizer,
    recordings: Sequence[Recording],
    options: TranscriptionOptions,
    executor: Executor,
    progress: Callable[[float], None] | None = None,
) -> Iterator[list[ChunkHypothesis]]:
    """Yield the texts of each recording's chunks, in order, as soon as they are complete.

    Args:
        executor: computes `recognizer.window_calls` batches at a time.
        progress: called with the seconds of audio processed since the last call.
    """
    every = [(index, chunk) for index, own in enumerate(recordings) for chunk in own.chunks]
    every.sort(key=lambda pair: -pair[1].seconds)
    size = min(options.chunks.batch_size, math.ceil(len(every) / recognizer.window_calls))
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
    recognizer: WindowRecognizer,
    recording: Recording,
    heard: Sequence[ChunkHypothesis],
    options: TranscriptionOptions,
    *,
    reached: float = 0.0,
) -> list[Segment]:
    """Return the segments of a recording; overlapping chunks are stitched together.

    Args:
        reached: end of the last segment before these chunks, in seconds.
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
            sentences(tokenizer, window, result, words),
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
    """Return whether the times of words within a chunk are needed."""
    return options.search.timestamps or options.words is not None


def _kept(
    tokenizer: Tokenizer, chunks: Sequence[Chunk], heard: Sequence[ChunkHypothesis]
) -> list[tuple[int, int]]:
    """Return for each chunk the first token to keep and the one after the last."""
    kept = [(0, len(own.result.tokens)) for own in heard]
    for index, chunk in enumerate(chunks):
        if chunk.overlaps:
            left, right = heard[index - 1].result, heard[index].result
            end, first = stitch(tokenizer, left.tokens, right.tokens)
            kept[index - 1] = (kept[index - 1][0], max(end, kept[index - 1][0]))
            kept[index] = (first, kept[index][1])
    return kept


def _words(heard: ChunkHypothesis, first: int, end: int) -> list[AlignedWord]:
    """Return the words of the tokens from `first` up to `end`."""
    words, reached = [], 0
    for word in heard.words:
        if first <= reached < end:
            words.append(word)
        reached += len(word.tokens)
    return words


def hear_batch(
    recognizer: WindowRecognizer,
    recordings: Sequence[Recording],
    batch: Sequence[tuple[int, Chunk]],
    options: TranscriptionOptions,
) -> list[ChunkHypothesis]:
    """Transcribe a batch of chunks, each given with the index of its recording.

    Where a text ended too soon, the rest of the chunk is transcribed by itself.
    """
    requests = [_request(recognizer, recordings[index], chunk, options) for index, chunk in batch]
    heard = [
        ChunkHypothesis(_text_only(found.result, recognizer.tokenizer), list(found.words))
        for found in recognizer.transcribe_windows(requests)
    ]
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


def _request(
    recognizer: WindowRecognizer, recording: Recording, chunk: Chunk, options: TranscriptionOptions
) -> WindowRequest:
    tokenizer, prompts = recognizer.tokenizer, options.prompts
    prompt, prefix = (
        text_tokens(tokenizer, text) if text else () for text in (prompts.initial, prompts.prefix)
    )
    return WindowRequest(
        log_mel(_cut_out(recording.samples, chunk), recognizer.info.n_mels),
        recording.language,
        options.task,
        prompt,
        prefix,
        prompts.vocabulary,
        # Times come from attention: timestamp tokens cost time, and text where they jump ahead.
        replace(options.search, timestamps=False),
        options.fallback,
        math.inf if _timed(options) else SLOWEST * chunk.seconds,
    )


def _text_only(result: SearchResult, tokenizer: Tokenizer) -> SearchResult:
    """Drop the timestamps that the model may write at a high temperature in spite of all."""
    return replace(result, tokens=tuple(token for token in result.tokens if token < tokenizer.eot))


def _language(recognizer: WindowRecognizer, samples: Sound) -> str:
    mel = log_mel(samples, recognizer.info.n_mels)
    (found,) = recognizer.transcribe_windows([WindowRequest(mel, search=None)])
    return found.result.language


def _cut_out(samples: Sound, chunk: Chunk) -> Sound:
    return samples[chunk.start : chunk.end]


def _on_frame(sample: int) -> int:
    return sample - sample % HOP
