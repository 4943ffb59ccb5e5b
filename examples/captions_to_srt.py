"""Captions of a recording as an SRT file, cue by cue, while it is listened to.

    python examples/captions_to_srt.py talk.mp4 talk.srt [--model tiny.en]

The file can be read at any moment; each cue stands in it as soon as it is complete.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from streamwhisper import LocalRecognizer, SessionOptions
from streamwhisper.audio.files import stream_audio
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.subtitles.live_cues import Captions, Cue, as_srt


def write_captions(recognizer: LocalRecognizer, sound: Path, out: Path) -> int:
    """Write the captions of `sound`; how many there are."""
    captions = Captions()
    number, cue = 0, Cue(0.0, 0.0, "")
    with out.open("w", encoding="utf-8") as file:
        chunks = stream_audio(sound, chunk_samples=16000)
        for event in listen(recognizer, chunks, SessionOptions(partials=False)):
            if not isinstance(event, Committed):
                continue
            for changed, text in captions.add(event):
                if changed > number and number:  # the one before it grows no more
                    file.write(as_srt(number, cue))
                    file.flush()
                number, cue = changed, text
        if number:
            file.write(as_srt(number, cue))
    return number


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sound", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="tiny.en")
    flags = parser.parse_args()
    count = write_captions(LocalRecognizer.load(flags.model), flags.sound, flags.out)
    print(f"{flags.out}: {count} captions")
