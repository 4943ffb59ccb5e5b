"""Words lost and time saved by the silent tail, compared with the encoder's padding.

    python -m benchmarks tail --model base --clips 100 --windows 60

Whole utterances give word error rates. Windows that start with an utterance and end at random in
the middle of speech are what a stream consists of: for them the table shows the error rate over
the words up to the cut, and the distance from the padded encoder's hypothesis. Words missing at the
end of a hypothesis are counted apart, because padded windows lose some too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.lib.measure import Errors, align, count_errors, machine_line
from benchmarks.lib.speech import SAMPLE_RATE, Recording, clips, normalized, speech_folder
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.whisper.tail import SilentTails, TailOptions, encode, encode_padded

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Sound and the words that end in it, normalized."""

    samples: Samples
    words: list[str]


def whole(clip: Recording) -> Piece:
    """A clip with its transcript."""
    return Piece(clip.samples, normalized(clip.text))


def cut_windows(chosen: Sequence[Recording], count: int, seed: int) -> list[Piece]:
    """`count` windows of 3 to 14 s that begin with a clip and end in mid-speech."""
    choose = random.Random(seed)
    timed = [clip for clip in chosen if all(word.end for word in clip.words)]
    windows: list[Piece] = []
    while len(windows) < count:
        start = choose.randrange(len(timed) - 5)
        seconds = choose.uniform(3, 14)
        joined = [np.concatenate([clip.samples for clip in timed[start : start + 5]])]
        length, words = 0.0, []
        for clip in timed[start : start + 5]:
            words += [word.text for word in clip.words if length + (word.end or 0) <= seconds]
            length += clip.seconds
        if length > seconds:
            windows.append(Piece(joined[0][: int(seconds * SAMPLE_RATE)], words))
    return windows


def hear(recognizer: LocalRecognizer, pieces: Iterable[Piece]) -> tuple[list[list[str]], int]:
    """The words of each piece, and how many pieces a guard stopped."""
    heard, guarded = [], 0
    for piece in pieces:
        mel = log_mel(piece.samples, recognizer.info.n_mels)
        answer = recognizer.recognize([RecognitionRequest(mel=mel, language="en")])[0]
        heard.append(normalized(answer.text))
        guarded += answer.ending != "end_of_text"
    return heard, guarded


def error_rate(pieces: Sequence[Piece], heard: Sequence[list[str]]) -> float:
    """Percent of all words."""
    errors = Errors(0, 0, 0, 0)
    for piece, words in zip(pieces, heard, strict=True):
        errors += count_errors(piece.words, words)
    return round(100 * errors.rate, 2)


def compare(padded: Sequence[list[str]], tailed: Sequence[list[str]], drop: int) -> dict[str, Any]:
    """How far `tailed` is from `padded`, the last `drop` words of each left out.

    Returns:
        percent of words that differ where both speak, and the words that each lacks at its end.
    """
    differing = words = lacking_padded = lacking_tailed = 0
    for one, two in zip(padded, tailed, strict=True):
        pairs = align(one[: len(one) - drop], two[: len(two) - drop])
        while pairs and None in pairs[-1]:
            lacking_padded += pairs[-1][0] is None
            lacking_tailed += pairs[-1][1] is None
            pairs.pop()
        differing += sum(i is None or j is None or one[i] != two[j] for i, j in pairs)
        words += len(pairs)
    return {
        "differing": round(100 * differing / words, 2),
        "padded_lacks": lacking_padded,
        "tail_lacks": lacking_tailed,
    }


def encoder_milliseconds(tails: SilentTails, pieces: Iterable[Piece]) -> tuple[float, float]:
    """Median time to encode a piece with the tail, and with padding."""
    times = []
    for piece in pieces:
        mel = torch.from_numpy(log_mel(piece.samples, tails.model.dims.n_mels))
        begin = time.perf_counter()
        encode(tails, [mel])
        middle = time.perf_counter()
        encode_padded(tails.model, [mel])
        times.append((middle - begin, time.perf_counter() - middle))
    tailed, padded = (1000 * statistics.median(each) for each in zip(*times, strict=True))
    return round(tailed, 1), round(padded, 1)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--set", default="ls-dev", help="of the speech folder's manifest")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--joints", type=int, nargs="*", default=[32], help="10 ms frames")
    parser.add_argument("--steps", type=float, nargs="*", default=[0.5])
    parser.add_argument("--thinnings", type=int, nargs="*", default=[8])
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Measure, print a table and a JSON line."""
    flags = arguments()
    chosen = clips(speech_folder(), flags.set, flags.clips)
    utterances = [whole(clip) for clip in chosen]
    windows = cut_windows(chosen, flags.windows, seed=1)
    options = LocalOptions(dtype="float32", threads=flags.threads)
    yardstick = LocalRecognizer.load(flags.model, replace(options, silent_tail=False))
    padded, _ = hear(yardstick, utterances)
    padded_cut, _ = hear(yardstick, windows)
    rows: list[dict[str, Any]] = []
    print(f"{flags.model}, float32, on {machine_line(flags.threads)}")
    print(f"{len(utterances)} utterances, {len(windows)} windows\n")
    print(
        "| joint, thinning, step | WER | guards | WER, windows | differing words (and without the "
        "last two) | padded lacks / tail lacks | encoder |\n|---|---|---|---|---|---|---|"
    )
    print(
        f"| padded | {error_rate(utterances, padded)} % | | {error_rate(windows, padded_cut)} % "
        "| | | |",
        flush=True,
    )
    for joint, thinning, step in itertools.product(flags.joints, flags.thinnings, flags.steps):
        tail = TailOptions(joint_frames=joint, step=step, thinning=thinning)
        tailed = replace(options, silent_tail=True, tail=tail)
        recognizer = LocalRecognizer(yardstick.model, flags.model, tailed)
        heard, guarded = hear(recognizer, utterances)
        cut, _ = hear(recognizer, windows)
        encoder_ms, padded_ms = encoder_milliseconds(
            SilentTails(yardstick.model, tail), utterances[:20]
        )
        every, inner = compare(padded_cut, cut, 0), compare(padded_cut, cut, 2)
        row = {
            **asdict(tail),
            "wer": error_rate(utterances, heard),
            "guarded": guarded,
            "windows_wer": error_rate(windows, cut),
            "windows": every,
            "windows_without_last_two": inner,
            "encoder_ms": encoder_ms,
            "padded_ms": padded_ms,
        }
        rows.append(row)
        print(
            f"| {10 * joint} ms, {thinning}, {step:g} | {row['wer']} % | {guarded} "
            f"| {row['windows_wer']} % | {every['differing']} % ({inner['differing']} %) "
            f"| {every['padded_lacks']} / {every['tail_lacks']} words "
            f"| {encoder_ms} ms of {padded_ms} |",
            flush=True,
        )
    print(
        json.dumps(
            {"model": flags.model, "padded_wer": error_rate(utterances, padded), "rows": rows}
        )
    )


if __name__ == "__main__":
    main()
