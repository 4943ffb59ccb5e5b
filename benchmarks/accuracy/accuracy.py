"""Offline word error rate of whole utterances, by precision and by padding.

    python -m benchmarks accuracy --model base --clips 150

Decoding is greedy, with one window per utterance. ``float32 padded`` is the model as it was
trained and serves as the reference.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lib.measure import Errors, count_errors, machine_line
from benchmarks.lib.speech import clips, normalized, speech_folder
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.devices import Precision
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest

THIRTY_SECONDS = 3000
"""Frames of the longest window; longer clips are left out."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run the same weights."""

    precision: Precision
    tail: bool

    @property
    def name(self) -> str:
        """As the tables call it."""
        return f"{self.precision} {'tail' if self.tail else 'padded'}"


VARIANTS = (
    Variant("float32", tail=False),
    Variant("float32", tail=True),
    Variant("int8", tail=True),
    Variant("bfloat16", tail=True),
)


def measure(
    recognizer: LocalRecognizer, windows: list[NDArray[np.float32]], texts: list[str]
) -> dict[str, Any]:
    """Word errors over all windows, guards that fired, seconds taken."""
    errors, guarded, began = Errors(0, 0, 0, 0), 0, time.perf_counter()
    for mel, text in zip(windows, texts, strict=True):
        hypothesis = recognizer.recognize([RecognitionRequest(mel=mel, language="en")])[0]
        errors += count_errors(normalized(text), normalized(hypothesis.text))
        guarded += hypothesis.ending != "end_of_text"
    return {
        "wer": round(100 * errors.rate, 2),
        "words": errors.words,
        "guarded": guarded,
        "seconds": round(time.perf_counter() - began, 1),
    }


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--set", default="ls-dev", help="of the speech folder's manifest")
    parser.add_argument("--clips", type=int, default=150, help="spread over the whole set")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--variants", nargs="*", help="such as 'int8 tail'; all by default")
    flags = parser.parse_args()
    chosen = clips(speech_folder(), flags.set, flags.clips)
    windows = [log_mel(clip.samples) for clip in chosen]
    texts = [clip.text for clip in chosen]
    seconds = sum(clip.seconds for clip in chosen)
    print(f"{flags.model} on {machine_line(flags.threads)}")
    print(f"{len(chosen)} utterances of {flags.set}, {seconds:.0f} s\n")
    print("| variant | WER | stopped by a guard | seconds |\n|---|---|---|---|")
    rows = {}
    for variant in VARIANTS:
        if flags.variants and variant.name not in flags.variants:
            continue
        options = LocalOptions(
            dtype=variant.precision, threads=flags.threads, silent_tail=variant.tail
        )
        recognizer = LocalRecognizer.load(flags.model, options)
        recognizer.warm_up()
        row = rows[variant.name] = measure(recognizer, windows, texts)
        print(
            f"| {variant.name} | {row['wer']} % | {row['guarded']} | {row['seconds']} |", flush=True
        )
    print(json.dumps({"model": flags.model, "set": flags.set, "variants": rows}))


if __name__ == "__main__":
    main()
