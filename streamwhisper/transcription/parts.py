"""Yields a recording's transcript in parts, each as soon as it is ready, in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.transcript import Transcript
from streamwhisper.transcription.chunked import (
    ChunkHypothesis,
    hear_batch,
    prepare,
    segments,
    settled,
)
from streamwhisper.transcription.chunks import Chunk
from streamwhisper.transcription.languages import main_language
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.recognizer import WindowRecognizer

__all__ = ["joined", "transcribe_parts"]


def transcribe_parts(
    recognizer: WindowRecognizer,
    samples: NDArray[np.float32],
    options: TranscriptionOptions,
    *,
    pause: Callable[[], None],
) -> Iterator[Transcript]:
    """Yield the transcript of a recording in parts, in order; `joined` makes them one.

    Args:
        recognizer: transcribes the chunks.
        samples: float32 mono ``[n]`` at 16 kHz.
        options: of the chunked method.
        pause: called before each batch; it may wait, or raise to give up.

    Yields:
        One transcript or more. Segments are numbered through all parts; the duration of each part
        is that of the whole recording.

    Raises:
        RecognitionError: the model does not support the options.
    """
    options = options.for_model(recognizer)
    pause()
    recording = prepare(recognizer, samples, options)
    language, seconds = recording.language or "", len(samples) / SAMPLE_RATE
    size = options.chunks.batch_size
    number, reached = 0, 0.0
    for chunks in _stretches(recording.chunks, size):
        heard: list[ChunkHypothesis] = []
        for first in range(0, len(chunks), size):
            pause()
            batch = [(0, chunk) for chunk in chunks[first : first + size]]
            heard += hear_batch(recognizer, [recording], batch, options)
        stretch = replace(recording, chunks=chunks)
        heard = settled(recognizer, stretch, heard, options, language or None)
        language = recording.language or heard[-1].result.language
        found = segments(recognizer, stretch, heard, options, reached=reached)
        own = tuple(replace(segment, id=number + segment.id) for segment in found)
        if own:
            number, reached = own[-1].id + 1, own[-1].end
        spoken = recording.language or main_language(own)
        yield Transcript("".join(segment.text for segment in own), own, spoken, seconds)
    if not recording.chunks:
        yield Transcript("", (), language, seconds)


def joined(parts: Iterable[Transcript]) -> Transcript:
    """Return the whole transcript; there must be one part or more."""
    every = list(parts)
    segments = tuple(segment for part in every for segment in part.segments)
    return Transcript(
        "".join(part.text for part in every),
        segments,
        main_language(segments) or every[0].language,
        every[0].duration,
    )


def _stretches(chunks: Sequence[Chunk], size: int) -> Iterator[list[Chunk]]:
    """Group chunks into batches; overlapping neighbours stay together."""
    own: list[Chunk] = []
    for chunk in chunks:
        if len(own) >= size and not chunk.overlaps:
            yield own
            own = []
        own.append(chunk)
    if own:
        yield own
