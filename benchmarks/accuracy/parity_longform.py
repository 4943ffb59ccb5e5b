"""Sequential transcription against openai-whisper: the segments with the same weights.

    python -m benchmarks parity_longform --model tiny.en --items longform/61-70968

Uses float32, padded windows, temperature 0 and word timestamps. Prints the segments that differ and
how far apart the word times are.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.lib.measure import machine_line
from benchmarks.lib.offline import load_reference
from benchmarks.lib.speech import load, speech_folder
from streamwhisper import LocalOptions, TranscriptionOptions, load_model, transcribe
from streamwhisper.transcription.options import ChunkOptions, WordOptions
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.search import SearchOptions


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--items", nargs="+", default=["longform/61-70968", "longform/1284-1180"])
    parser.add_argument("--gap", type=float, default=0.3, help="seconds between clips")
    parser.add_argument("--beam", type=int, help="default: greedy")
    flags = parser.parse_args()
    other = load_reference(flags.model)
    own = load_model(flags.model, LocalOptions(dtype="float32", threads=1))
    options = TranscriptionOptions(
        method="sequential",
        language="en",
        words=WordOptions(),
        search=SearchOptions(beam_size=flags.beam),
        fallback=FallbackOptions(temperatures=(0.0,)),
        chunks=ChunkOptions(vad=False),
    )
    print(f"{flags.model}, float32, on {machine_line(1)}\n")
    rows = ["| item | segments | different | words | median, most apart |", "|---" * 5 + "|"]
    for item in flags.items:
        samples = load(speech_folder(), item, flags.gap).samples
        mine = transcribe(own, samples, options)
        theirs = other.transcribe(
            samples,
            language="en",
            temperature=0.0,
            beam_size=flags.beam,
            word_timestamps=True,
            fp16=False,
        )["segments"]
        different, apart = abs(len(mine.segments) - len(theirs)), []
        for segment, their in zip(mine.segments, theirs, strict=False):
            times = abs(segment.start - their["start"]) + abs(segment.end - their["end"])
            if list(segment.tokens) != their["tokens"] or times > 1e-6:
                different += 1
                print(f"{item}: {segment.text!r} {segment.start:.2f} to {segment.end:.2f}")
                print(f"  theirs {their['text']!r} {their['start']:.2f} to {their['end']:.2f}")
            for word, timed in zip(segment.words or (), their["words"], strict=False):
                apart += [abs(word.start - timed["start"]), abs(word.end - timed["end"])]
        middle, most = float(np.median(apart)), max(apart)
        rows.append(
            f"| {item} | {len(mine.segments)} | {different} | {len(apart) // 2} "
            f"| {middle:.3f}, {most:.3f} s |"
        )
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    main()
