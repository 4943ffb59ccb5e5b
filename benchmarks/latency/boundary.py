"""Whether the first and last words survive when speech starts or stops abruptly.

    python -m benchmarks boundary --model base --clips 100

Each utterance is streamed alone on a virtual clock (see ``virtual.py``), with and without silence
around it. The table shows the share of utterances whose first and last reference words were
committed, beside those of the offline transcript (float32, padded, greedy) of the bare utterance.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from benchmarks.lib.measure import align, machine_line
from benchmarks.lib.speech import SAMPLE_RATE, Recording, clips, normalized, speech_folder
from benchmarks.lib.virtual import VirtualStream
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.session.options import SessionOptions


def edges(reference: list[str], heard: list[str]) -> tuple[bool, bool]:
    """Whether the first and the last reference word were recognized."""
    right = {i for i, j in align(reference, heard) if _same(reference, heard, i, j)}
    return 0 in right, len(reference) - 1 in right


def _same(reference: list[str], heard: list[str], i: int | None, j: int | None) -> bool:
    return i is not None and j is not None and reference[i] == heard[j]


def shares(pairs: Iterable[tuple[bool, bool]]) -> dict[str, float]:
    """Percent of utterances that kept the first word, the last, and both."""
    found = np.array(list(pairs), bool)
    first, last = 100 * found.mean(axis=0)
    both = 100 * found.all(axis=1).mean()
    return {"first": round(first, 1), "last": round(last, 1), "both": round(both, 1)}


def surrounded(clip: Recording, seconds: float) -> Recording:
    """The clip with silence before and after it."""
    silence = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    return replace(clip, samples=np.concatenate((silence, clip.samples, silence)))


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--set", default="ls-dev", help="of the speech folder's manifest")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--silences", type=float, nargs="+", default=[0.0, 0.5], metavar="S")
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    chosen = clips(speech_folder(), flags.set, flags.clips)
    references = [normalized(clip.text) for clip in chosen]
    print(f"{flags.model} on {machine_line(flags.threads)}")
    print(f"{len(chosen)} utterances of {flags.set}\n")
    print("| | first word | last word | both |\n|---|---|---|---|")
    rows = {}

    def report(name: str, texts: Iterable[str]) -> None:
        heard = [normalized(text) for text in texts]
        row = rows[name] = shares(map(edges, references, heard))
        values = " | ".join(f"{value} %" for value in row.values())
        print(f"| {name} | {values} |", flush=True)

    yardstick = LocalRecognizer.load(
        flags.model, LocalOptions(dtype="float32", threads=flags.threads, silent_tail=False)
    )
    requests = (RecognitionRequest(mel=log_mel(clip.samples), language="en") for clip in chosen)
    report("offline", (yardstick.recognize([request])[0].text for request in requests))
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=flags.threads))
    recognizer.warm_up()
    options = SessionOptions(language="en")
    for silence in flags.silences:
        streams = (VirtualStream(recognizer, options, surrounded(clip, silence)) for clip in chosen)
        report(f"streamed, {silence} s of silence around", (s.play().text for s in streams))
    print(json.dumps({"model": flags.model, "set": flags.set, "shares": rows}))


if __name__ == "__main__":
    main()
