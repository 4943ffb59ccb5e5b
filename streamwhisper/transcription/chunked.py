"""The chunked method: chunks of any recordings, transcribed side by side in batches.

Batches contain chunks of similar length, and several batches are computed at the same time if
the recognizer has cores or workers for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import HOP, SAMPLE_RATE
from streamwhisper.audio.mel import log_mel
from streamwhisper.segment import Segment
from streamwhisper.transcription.chunk_progress import ChunkProgress
from streamwhisper.transcription.chunks import Chunk, cut_up
from streamwhisper.transcription.clock import on_the_clock
from streamwhisper.transcription.languages import (
    LanguageEvidence,
    detected_languages,
    language_units,
    spoken_languages,
)
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.transcription.segments import SegmentWindow, sentences, whole
from streamwhisper.transcription.stitching import stitch
from streamwhisper.vad.spans import Span, map_speech
from streamwhisper.whisper.search import SearchResult, text_tokens
from streamwhisper.whisper.timing import AlignedWord, Punctuation, with_words
from streamwhisper.whisper.tokenizer import Tokenizer
from streamwhisper.whisper.windows import Watch, WindowRequest

__all__ = ["ChunkHypothesis", "Recording", "hear", "hear_batch", "prepare", "segments", "settled"]

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
        language: code; None if it is detected together with the text of each chunk.
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
        languages: probability of each language; empty if it was given.
    """

    result: SearchResult
    words: list[AlignedWord]
    languages: Mapping[str, float] = field(default_factory=dict)

    @property
    def end(self) -> float:
        """End of the last word, in seconds; 0 without words."""
        return self.words[-1].end if self.words else 0.0

    def followed_by(self, other: ChunkHypothesis, later: float) -> ChunkHypothesis:
        """Return this text followed by another one, which begins `later` seconds later."""
        moved = [replace(w, start=w.start + later, end=w.end + later) for w in other.words]
        text = f"{self.result.text} {other.result.text}"
        tokens = self.result.tokens + other.result.tokens
        result = replace(self.result, tokens=tokens, text=text)
        return ChunkHypothesis(result, self.words + moved, self.languages)


def prepare(
    recognizer: WindowRecognizer, samples: Sound, options: TranscriptionOptions
) -> Recording:
    """Cut a recording into chunks, also where its language changes in a pause."""
    speech = map_speech(samples) if options.chunks.vad else None
    chunks = cut_up(len(samples), speech, options.clips, options.chunks)
    language = options.language if recognizer.info.multilingual else "en"
    if language is None and speech is not None:
        chunks = _cut_at_languages(recognizer, samples, chunks, speech.spans())
    return Recording(samples, chunks, language)


def _cut_at_languages(
    recognizer: WindowRecognizer, samples: Sound, chunks: Sequence[Chunk], spans: Sequence[Span]
) -> list[Chunk]:
    """Cut chunks with pauses where the language before and after a pause differs."""
    units = {
        chunk: language_units([s for s in spans if chunk.start <= s.start and s.end <= chunk.end])
        for chunk in chunks
    }
    asked = [unit for own in units.values() if len(own) > 1 for unit in own]
    found = dict(zip(asked, detected_languages(recognizer, samples, asked), strict=True))
    cut: list[Chunk] = []
    for chunk, own in units.items():
        if len(own) < 2:
            cut.append(chunk)
            continue
        languages = spoken_languages([found[unit] for unit in own])
        starts = [
            unit.start
            for unit, before, code in zip(own[1:], languages, languages[1:], strict=False)
            if code != before
        ]
        edges = [chunk.start, *starts, chunk.end]
        cut += [
            replace(chunk, start=start, end=end, overlaps=chunk.overlaps and start == chunk.start)
            for start, end in pairwise(edges)
        ]
    return cut


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
    watched = ChunkProgress(progress)
    waiting = iter(
        [
            (
                batch,
                executor.submit(
                    watched.run,
                    _lengths(batch),
                    partial(hear_batch, recognizer, recordings, batch, options),
                ),
            )
            for batch in batches
        ]
    )
    heard: dict[tuple[int, Chunk], ChunkHypothesis] = {}
    for index, own in enumerate(recordings):
        keys = [(index, chunk) for chunk in own.chunks]
        while any(key not in heard for key in keys):
            batch, future = next(waiting)
            answers = watched.result(future)
            heard |= zip(batch, answers, strict=True)
        yield settled(recognizer, own, [heard.pop(key) for key in keys], options)


def settled(
    recognizer: WindowRecognizer,
    recording: Recording,
    heard: list[ChunkHypothesis],
    options: TranscriptionOptions,
    before: str | None = None,
) -> list[ChunkHypothesis]:
    """Return the texts after transcribing again those in a language that is not clear.

    Args:
        recognizer: transcribes the chunks.
        recording: whose chunks these are.
        heard: texts of its chunks.
        options: how the recording is transcribed.
        before: language of the speech before; None: no speech.
    """
    if recording.language is not None or not heard:
        return heard
    evidence = [
        LanguageEvidence(chunk.seconds, own.languages)
        for chunk, own in zip(recording.chunks, heard, strict=True)
    ]
    languages = spoken_languages(evidence, before)
    wrong = [i for i, code in enumerate(languages) if heard[i].result.language != code]
    size = options.chunks.batch_size
    for first in range(0, len(wrong), size):
        own = wrong[first : first + size]
        again = [(0, replace(recording.chunks[i], language=languages[i])) for i in own]
        for i, found in zip(own, hear_batch(recognizer, [recording], again, options), strict=True):
            heard[i] = found
    return heard


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
    spoken = [segment for segment in found if segment.text.strip()]
    spoken = on_the_clock(spoken, len(recording.samples) / SAMPLE_RATE, reached)
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
    watch: Watch | None = None,
) -> list[ChunkHypothesis]:
    """Transcribe a batch of chunks, each given with the index of its recording.

    Where a text ended too soon, the rest of the chunk is transcribed by itself. `watch` is that of
    `WindowRecognizer.transcribe_windows`.
    """
    requests = [_request(recognizer, recordings[index], chunk, options) for index, chunk in batch]
    # Recognizers of other programs may not know `watch`.
    answers = recognizer.transcribe_windows(requests, *([watch] if watch else []))
    heard = [
        ChunkHypothesis(
            _text_only(found.result, recognizer.tokenizer), list(found.words), found.languages
        )
        for found in answers
    ]
    rests = [
        (
            position,
            Chunk(
                _on_frame(chunk.start + round(own.end * SAMPLE_RATE)),
                chunk.end,
                language=own.result.language,
            ),
        )
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
        recording.language or chunk.language,
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


def _cut_out(samples: Sound, chunk: Chunk) -> Sound:
    return samples[chunk.start : chunk.end]


def _lengths(batch: Sequence[tuple[int, Chunk]]) -> list[float]:
    return [chunk.seconds for _, chunk in batch]


def _on_frame(sample: int) -> int:
    return sample - sample % HOP
