"""How often a request gets a different text in a batch than alone.

    python -m benchmarks batches --model base --dtypes float32 bfloat16 --windows 60 --batch 4

In 8 bits it never does, because integer sums are exact. In floating point the order of a sum
depends on the batch size, and the last digit decides between two tokens that are about equally
likely. The windows are those of ``tail.py``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any, get_args

from benchmarks.accuracy.tail import Piece, cut_windows, error_rate
from benchmarks.lib.measure import count_errors, machine_line
from benchmarks.lib.speech import clips, normalized, speech_folder
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.devices import Precision
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest


def heard(recognizer: LocalRecognizer, pieces: Sequence[Piece], batch: int) -> list[list[str]]:
    """The words of each piece, so many pieces at a time."""
    requests = [
        RecognitionRequest(mel=log_mel(piece.samples, recognizer.info.n_mels), language="en")
        for piece in pieces
    ]
    answers = [
        answer
        for first in range(0, len(requests), batch)
        for answer in recognizer.recognize(requests[first : first + batch])
    ]
    return [normalized(answer.text) for answer in answers]


def measured(recognizer: LocalRecognizer, pieces: Sequence[Piece], batch: int) -> dict[str, Any]:
    """Word error rates in percent, alone and in batches, and percent of words that differ."""
    alone, together = heard(recognizer, pieces, 1), heard(recognizer, pieces, batch)
    pairs = list(zip(alone, together, strict=True))
    return {
        "wer_alone": error_rate(pieces, alone),
        "wer_together": error_rate(pieces, together),
        "words": sum(map(len, alone)),
        "differing_words": sum(count_errors(one, other).total for one, other in pairs),
        "differing_windows": sum(one != other for one, other in pairs),
    }


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--set", default="ls-dev", help="of the speech folder's manifest")
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16"], choices=get_args(Precision))
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    pieces = cut_windows(clips(speech_folder(), flags.set, 100), flags.windows, seed=1)
    print(f"{flags.model} on {machine_line(flags.threads)}")
    print(f"{len(pieces)} windows, in batches of {flags.batch}\n")
    print("| precision | WER alone | WER together | words that differ |\n|---|---|---|---|")
    rows = {}
    for dtype in flags.dtypes:
        options = LocalOptions(dtype=dtype, threads=flags.threads)
        row = measured(LocalRecognizer.load(flags.model, options), pieces, flags.batch)
        rows[dtype] = row
        print(
            f"| {dtype} | {row['wer_alone']} % | {row['wer_together']} % "
            f"| {100 * row['differing_words'] / row['words']:.2f} % ({row['differing_words']} of "
            f"{row['words']}, in {row['differing_windows']} windows) |",
            flush=True,
        )
    print(json.dumps({"model": flags.model, "batch": flags.batch, "precisions": rows}))


if __name__ == "__main__":
    main()
