"""Make ``sample.flac`` and ``sample.txt``, the speech that the demo listens to.

Also writes ``sample.mp3`` of the captions page.

The voice is synthetic: the hibari-tts package (Apache-2.0) with its packaged voice. The text
was written for this project, so text and sound are free to use under the project's licence.

    pip install 'streamwhisper[demo-clip]' && python examples/make_sample.py
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from hibari import SAMPLE_RATE, Hibari
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent
PAUSE_SECONDS = 0.4
SENTENCES = (
    "Good morning, and welcome.",
    "Every word you hear is being written down while I am still speaking.",
    "The dim words at the end of the line are a guess, and they may change.",
    "The bright ones are settled, and nothing will change them again.",
    (
        "When I stop for a breath, the sentence is finished, "
        "and the machine waits quietly for the next one."
    ),
)


def write_mp3(path: Path, samples: NDArray[np.float32]) -> None:
    """Write mono audio at 16 kHz, 32 kbit/s."""
    with av.open(path, "w") as file:
        stream = file.add_stream("libmp3lame", rate=16000, layout="mono", bit_rate=32000)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="fltp", layout="mono")
        frame.sample_rate = 16000
        file.mux([*stream.encode(frame), *stream.encode()])


def main() -> None:
    """Speak the sentences with a pause after each, and write sound and text."""
    voice = Hibari()
    pause = np.zeros(int(PAUSE_SECONDS * SAMPLE_RATE), dtype=np.float32)
    pieces = [
        part
        for n, text in enumerate(SENTENCES)
        for part in (voice(text, seed=n, speed=0.95), pause)
    ]
    samples = soxr.resample(np.concatenate([pause, *pieces]), SAMPLE_RATE, 16000)
    soundfile.write(FOLDER / "sample.flac", samples, 16000, subtype="PCM_16")
    write_mp3(FOLDER.parent / "clients" / "web" / "sample.mp3", samples)
    (FOLDER / "sample.txt").write_text("\n".join(SENTENCES) + "\n", encoding="utf-8")
    print(f"{len(samples) / 16000:.1f} s, peak {np.abs(samples).max():.2f}")


if __name__ == "__main__":
    main()
