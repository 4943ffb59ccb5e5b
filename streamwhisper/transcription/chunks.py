"""Cuts recordings into chunks that can be transcribed independently.

Chunks end in pauses. Where speech has no pause for half a minute, neighbouring chunks overlap and
their texts are stitched together (see `streamwhisper.transcription.stitching`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.mel import HOP
from streamwhisper.transcription.options import ChunkOptions, Clip
from streamwhisper.vad.spans import Span, SpeechMap

__all__ = ["Chunk", "cut_up"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a recording that is transcribed by itself.

    Attributes:
        start: first sample; a multiple of 160, the first sample of a frame.
        end: the sample after the last one.
        overlaps: whether the chunk begins before its predecessor ends.
        language: code of its language; None if it is the recording's, or is detected.
    """

    start: int
    end: int
    overlaps: bool = False
    language: str | None = None

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start) / SAMPLE_RATE


def cut_up(
    samples: int, speech: SpeechMap | None, clips: Sequence[Clip], options: ChunkOptions
) -> list[Chunk]:
    """Return the chunks of a recording, in order of time.

    Args:
        samples: length of the recording.
        speech: where to cut and what to skip; None skips nothing and cuts where a chunk is full.
        clips: stretches to transcribe; empty for the whole recording.
        options: lengths of chunks, pauses and overlaps.
    """
    spans = speech.spans() if speech else [Span(0, samples)]
    chunks: list[Chunk] = []
    for clip in _in_samples(clips, samples):
        within = (Span(max(s.start, clip.start), min(s.end, clip.end)) for s in spans)
        pieces = [
            piece
            for span in within
            if span.end - span.start >= HOP
            for piece in _split(span, speech, options)
        ]
        chunks += _packed(pieces, options)
    return chunks


def _split(span: Span, speech: SpeechMap | None, options: ChunkOptions) -> Iterator[Chunk]:
    """Cut a long span at its pauses, or with an overlap if it has none."""
    longest, overlap = round(options.longest * SAMPLE_RATE), round(options.overlap * SAMPLE_RATE)
    start, overlaps = span.start, False
    while span.end - start > longest:
        end = start + longest
        pause = speech.pause(start + longest // 2, end) if speech else None
        yield Chunk(_on_frame(start), pause or end, overlaps)
        start, overlaps = pause or end - overlap, pause is None and overlap > 0
    yield Chunk(_on_frame(start), span.end, overlaps)


def _packed(pieces: Sequence[Chunk], options: ChunkOptions) -> list[Chunk]:
    """Join neighbours as long as they fit into one chunk."""
    packed: list[Chunk] = []
    for piece in pieces:
        if packed and not piece.overlaps:
            held = packed[-1]
            joined = Chunk(held.start, piece.end, held.overlaps)
            pause = (piece.start - held.end) / SAMPLE_RATE
            if pause <= options.longest_pause and joined.seconds <= options.longest:
                packed[-1] = joined
                continue
        packed.append(piece)
    return packed


def _on_frame(sample: int) -> int:
    return sample - sample % HOP


def _in_samples(clips: Sequence[Clip], samples: int) -> list[Span]:
    """Return the clips as spans of samples; the whole recording if there are none."""
    return [
        Span(
            round(start * SAMPLE_RATE),
            samples if end is None else min(samples, round(end * SAMPLE_RATE)),
        )
        for start, end in clips or [(0.0, None)]
    ]
