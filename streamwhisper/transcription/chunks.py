"""A recording cut into chunks that the model can hear each by itself.

Chunks end in pauses. Only where somebody speaks on for half a minute without one do neighbours
overlap, and then their texts are stitched together (see `streamwhisper.transcription.stitching`).
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
    """Sound to be heard by itself.

    Attributes:
        start, end: its samples; the start is that of a frame.
        overlaps: whether it begins before its predecessor ends.
    """

    start: int
    end: int
    overlaps: bool = False

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start) / SAMPLE_RATE


def cut_up(
    samples: int, speech: SpeechMap | None, clips: Sequence[Clip], options: ChunkOptions
) -> list[Chunk]:
    """Cut a recording of so many samples.

    Args:
        speech: where to cut and what to leave out; without it everything is heard, and cut where
            a chunk is full.
        clips: what to hear; none for all.
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
    """Cut a span that is too long at its pauses, or with an overlap where there is none."""
    longest, overlap = round(options.longest * SAMPLE_RATE), round(options.overlap * SAMPLE_RATE)
    start, overlaps = span.start, False
    while span.end - start > longest:
        end = start + longest
        pause = speech.pause(start + longest // 2, end) if speech else None
        yield Chunk(_on_frame(start), pause or end, overlaps)
        start, overlaps = pause or end - overlap, pause is None and overlap > 0
    yield Chunk(_on_frame(start), span.end, overlaps)


def _packed(pieces: Sequence[Chunk], options: ChunkOptions) -> list[Chunk]:
    """Join neighbours while there is room."""
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
    """Clips within the recording; all of it where there are none."""
    return [
        Span(
            round(start * SAMPLE_RATE),
            samples if end is None else min(samples, round(end * SAMPLE_RATE)),
        )
        for start, end in clips or [(0.0, None)]
    ]
