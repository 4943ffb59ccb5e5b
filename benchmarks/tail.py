"""What the silent tail costs in words and saves in time, against the encoder's own padding.

    python benchmarks/tail.py --model base --clips 100 --windows 60

Whole utterances give WER for both; windows cut at random in mid-speech give the share of words
that differ between the two, with and without the last two words (which are being spoken).
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import time
from dataclasses import asdict, replace
from pathlib import Path

import jiwer
import numpy as np
import torch
from numpy.typing import NDArray

from measure import machine_line, normalize_english
from streamwhisper.audio.files import read_audio
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.whisper.tail import TailOptions, encode, encode_padded

SPEECH = Path(__file__).parents[2] / "shared" / "speech"
Samples = NDArray[np.float32]


def hear(recognizer: LocalRecognizer, samples: Samples) -> Hypothesis:
    """Recognize a whole clip at once."""
    mel = log_mel(samples, recognizer.info.n_mels)
    return recognizer.recognize([RecognitionRequest(mel=mel, language="en")])[0]


def encoder_seconds(recognizer: LocalRecognizer, samples: Samples) -> tuple[float, float]:
    """Seconds to encode a clip with the tail and with padding."""
    mel = torch.from_numpy(log_mel(samples, recognizer.info.n_mels))
    begin = time.perf_counter()
    encode(recognizer._tails, mel)
    middle = time.perf_counter()
    encode_padded(recognizer.model, mel)
    return middle - begin, time.perf_counter() - middle


def cut_windows(clips: list[Samples], count: int, seed: int) -> list[Samples]:
    """`count` windows that begin with a clip and end in mid-speech."""
    choose = random.Random(seed)
    joined = np.concatenate(clips)
    windows = []
    for _ in range(count):
        seconds = choose.uniform(3, 14)
        start = choose.randrange(0, len(joined) - (15 * 16000))
        windows.append(joined[start : start + int(seconds * 16000)])
    return windows


def differing(reference: list[str], other: list[str], drop: int) -> tuple[int, int]:
    """Word errors between hypotheses, and words compared, `drop` last words of each left out."""
    errors = words = 0
    for one, two in zip(reference, other, strict=True):
        kept, seen = one.split(), two.split()
        kept, seen = kept[: len(kept) - drop], seen[: len(seen) - drop]
        if kept:
            result = jiwer.process_words(" ".join(kept), " ".join(seen))
            errors += result.substitutions + result.deletions + result.insertions
            words += len(kept)
        else:
            errors += len(seen)
    return errors, words


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--joints", type=int, nargs="*", default=[32], help="10 ms frames")
    parser.add_argument("--steps", type=float, nargs="*", default=[0.05])
    parser.add_argument("--thinnings", type=int, nargs="*", default=[4])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--speech", type=Path, default=SPEECH)
    arguments = parser.parse_args()

    manifest = [json.loads(x) for x in (arguments.speech / "manifest.jsonl").open()]
    dev = [clip for clip in manifest if clip["set"] == "ls-dev"]
    stride = max(1, len(dev) // arguments.clips)
    chosen = dev[::stride][: arguments.clips]
    clips = [read_audio(arguments.speech / clip["path"]) for clip in chosen]
    texts = [normalize_english(clip["text"]) for clip in chosen]
    windows = cut_windows(clips, arguments.windows, seed=1)

    options = LocalOptions(dtype="float32", threads=arguments.threads)
    padded = LocalRecognizer.load(arguments.model, replace(options, silent_tail=False))
    yardstick = [normalize_english(hear(padded, clip).text) for clip in clips]
    cut_yardstick = [normalize_english(hear(padded, window).text) for window in windows]
    print(f"{machine_line()}\n{arguments.model}: {len(clips)} utterances, {len(windows)} windows")
    print(f"padded: WER {jiwer.wer(texts, yardstick):.2%}")
    rows = []
    for joint, step, thinning in itertools.product(
        arguments.joints, arguments.steps, arguments.thinnings
    ):
        tail = TailOptions(joint_frames=joint, step=step, thinning=thinning)
        recognizer = LocalRecognizer(
            padded.model, arguments.model, replace(options, silent_tail=True, tail=tail)
        )
        hypotheses = [hear(recognizer, clip) for clip in clips]
        heard = [normalize_english(hypothesis.text) for hypothesis in hypotheses]
        cut = [normalize_english(hear(recognizer, window).text) for window in windows]
        times = [encoder_seconds(recognizer, clip) for clip in clips[:20]]
        every, words = differing(cut_yardstick, cut, 0)
        inner, inner_words = differing(cut_yardstick, cut, 2)
        row = {
            **asdict(tail),
            "wer": jiwer.wer(texts, heard),
            "padded_wer": jiwer.wer(texts, yardstick),
            "guarded": sum(item.ending != "end_of_text" for item in hypotheses),
            "differing": every / words,
            "differing_without_last_two": inner / inner_words,
            "encode_ms": 1000 * statistics.median(one for one, _ in times),
            "padded_ms": 1000 * statistics.median(two for _, two in times),
        }
        rows.append(row)
        print(
            f"joint {joint * 10:4d} ms, step {step}, thinning {thinning}: WER {row['wer']:.2%}, "
            f"guards {row['guarded']}, windows differ {row['differing']:.1%} "
            f"(without the last two words {row['differing_without_last_two']:.1%}), "
            f"encoder {row['encode_ms']:.0f} ms against {row['padded_ms']:.0f} ms"
        )
    print(json.dumps({"model": arguments.model, "rows": rows}))


if __name__ == "__main__":
    main()
