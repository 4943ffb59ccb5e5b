"""Captions of a recording as an SRT file, written cue by cue while the audio is transcribed.

    python examples/captions_to_srt.py talk.mp4 talk.srt [--model tiny.en]

The file can be read at any moment; it contains each cue as soon as the cue is complete.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from streamwhisper import Captions, Committed, Cue, as_srt, listen, stream_audio


def write_captions(model: str, audio: Path, out: Path) -> int:
    """Write the captions of `audio`; return how many there are."""
    captions = Captions()
    number, cue = 0, Cue(0.0, 0.0, "")
    with out.open("w", encoding="utf-8") as file:
        chunks = stream_audio(audio, chunk_samples=16000)
        for event in listen(model, chunks, partials=False):
            if not isinstance(event, Committed):
                continue
            for changed, text in captions.add(event):
                if changed > number and number:  # the previous cue is complete
                    file.write(as_srt(number, cue))
                    file.flush()
                number, cue = changed, text
        if number:
            file.write(as_srt(number, cue))
    return number


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="tiny.en")
    flags = parser.parse_args()
    count = write_captions(flags.model, flags.audio, flags.out)
    print(f"{flags.out}: {count} captions")
