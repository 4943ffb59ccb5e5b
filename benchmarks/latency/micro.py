"""Time of each part of the network, beside its minimum in operations and bytes.

    python -m benchmarks micro --model base

The minimum is the larger of two times: the arithmetic at the speed of this machine's own matrix
product (one large one in float32), and reading the weights at the speed of its memory. Parts in
8 bits can be faster than it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.lib.measure import machine_line
from benchmarks.lib.speech import SAMPLE_RATE, clips, joined, speech_folder
from streamwhisper.audio.mel import LogMel, log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.vad.gate import VadGate
from streamwhisper.whisper.dimensions import ModelDimensions
from streamwhisper.whisper.tail import encode

CHUNK = SAMPLE_RATE // 10
Mel = NDArray[np.float32]
Samples = NDArray[np.float32]
FLOAT_BYTES = 4


def milliseconds(function: Callable[[], object], repeats: int = 9) -> float:
    """Median time of a call, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine can do, measured.

    Attributes:
        operations: additions and multiplications a millisecond in a large matrix product.
        bytes: read from memory a millisecond.
    """

    operations: float
    bytes: float

    @classmethod
    def measured(cls) -> Machine:
        """Take its measure."""
        square, long = torch.randn(768, 768), torch.randn(1 << 26)
        return cls(
            2 * 768**3 / milliseconds(lambda: square @ square),
            long.nbytes / milliseconds(lambda: long.sum()),
        )

    def floor(self, operations: float, read: float) -> float:
        """Milliseconds that so many operations and bytes take at least."""
        return max(operations / self.operations, read / self.bytes)


def encoder_operations(dims: ModelDimensions, positions: int) -> float:
    """Of the linear layers, the attention among the positions and the convolutions."""
    width = dims.n_audio_state
    layer = 2 * 12 * width**2 * positions + 4 * positions**2 * width
    return dims.n_audio_layer * layer + 2 * 3 * width * (2 * dims.n_mels + width) * positions


def token_weights(dims: ModelDimensions) -> float:
    """Weights that one token's step reads: decoder layers and output layer."""
    width = dims.n_text_state
    return dims.n_text_layer * 14 * width**2 + dims.n_vocab * width


class Report:
    """Table that is printed row by row.

    Attributes:
        rows: milliseconds and floor of each part.
    """

    def __init__(self) -> None:
        """Print the head of the table."""
        self.rows: dict[str, tuple[float, float | None]] = {}
        print("| part | ms | floor, ms |\n|---|---|---|")

    def add(self, name: str, took: float, floor: float | None = None) -> None:
        """Add and print a row."""
        self.rows[name] = (round(took, 2), None if floor is None else round(floor, 2))
        print(f"| {name} | {took:.2f} | {'' if floor is None else f'{floor:.2f}'} |", flush=True)


def time_listening(report: Report, samples: Samples, n_mels: int) -> None:
    """Time what every session does with its audio: log-mel frames and voice activity."""

    def front_end() -> None:
        mel = LogMel(n_mels, 4000)
        for start in range(0, 10 * SAMPLE_RATE, CHUNK):
            mel.append(samples[start : start + CHUNK])
            mel.window(mel.start_frame)  # frames are computed when they are first asked for

    def gate(sound: Samples) -> None:
        vad = VadGate()
        for start in range(0, 10 * SAMPLE_RATE, CHUNK):
            vad.append(sound[start : start + CHUNK])

    silence = np.zeros(10 * SAMPLE_RATE, np.float32)
    report.add("log-mel, 1 s of sound in 100 ms chunks", milliseconds(front_end, 3) / 10)
    report.add("gate, 1 s of speech", milliseconds(lambda: gate(samples), 3) / 10)
    report.add("gate, 1 s of silence", milliseconds(lambda: gate(silence), 3) / 10)


def time_encoder(
    report: Report, machine: Machine, recognizer: LocalRecognizer, mels: Mapping[float, Mel]
) -> None:
    """Time the encoder on windows of several lengths in seconds."""
    dims = recognizer.model.dims
    weights = dims.n_audio_layer * 12 * dims.n_audio_state**2 * FLOAT_BYTES
    for seconds, mel in mels.items():
        window = torch.from_numpy(mel)
        report.add(
            f"encoder, {seconds:g} s window",
            milliseconds(lambda window=window: encode(recognizer.tails, [window])),
            machine.floor(encoder_operations(dims, mel.shape[1] // 2), weights),
        )


@torch.inference_mode()
def time_tokens(
    report: Report, machine: Machine, recognizer: LocalRecognizer, mel: Mel, tokens: list[int]
) -> None:
    """Time one step of the decoder, for one text and for several at once."""
    model, weights = recognizer.model, token_weights(recognizer.model.dims)
    (sound,) = encode(recognizer.tails, [torch.from_numpy(mel)])
    for count in (1, 4):
        caches = [
            model.decoder_cache(sound.cross_attention, sound.audible, sound.bias)
            for _ in range(count)
        ]
        model.decoder([tokens] * count, caches)

        def step(caches: list = caches) -> None:
            for cache in caches:
                cache.length = 10
            hidden, _ = model.decoder([[11]] * len(caches), caches)
            recognizer.output(torch.cat(hidden))

        report.add(
            f"token, {count} {'text' if count == 1 else 'texts at once'}",
            milliseconds(step, 30),
            machine.floor(2 * count * weights, FLOAT_BYTES * weights),
        )


def time_requests(report: Report, recognizer: LocalRecognizer, plain: RecognitionRequest) -> None:
    """Time a whole request without a draft and with the right one."""
    (hypothesis,) = recognizer.recognize([plain])
    drafted = replace(plain, draft=hypothesis.tokens)
    report.add(
        f"whole request, 5 s window, {len(hypothesis.tokens)} tokens",
        milliseconds(lambda: recognizer.recognize([plain])),
    )
    report.add(
        "the same with a draft that holds", milliseconds(lambda: recognizer.recognize([drafted]))
    )


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--windows", type=float, nargs="+", default=[2, 5, 8, 15, 28])
    flags = parser.parse_args()
    options = LocalOptions(dtype=flags.dtype, threads=flags.threads)
    recognizer = LocalRecognizer.load(flags.model, options)
    recognizer.warm_up()
    n_mels, machine = recognizer.model.dims.n_mels, Machine.measured()
    samples = joined(clips(speech_folder(), "ls-dev", 8), 0.0).samples[: 30 * SAMPLE_RATE]
    mels = {
        seconds: log_mel(samples[: int(seconds * SAMPLE_RATE)], n_mels) for seconds in flags.windows
    }
    print(f"{flags.model}, {flags.dtype}, on {machine_line(flags.threads)}")
    print(
        f"{machine.operations / 1e6:.0f} billion operations and {machine.bytes / 1e6:.1f} GB a "
        "second at most\n"
    )
    report = Report()
    time_listening(report, samples, n_mels)
    time_encoder(report, machine, recognizer, mels)
    plain = RecognitionRequest(mel=log_mel(samples[: 5 * SAMPLE_RATE], n_mels), language="en")
    tokens = list(recognizer.recognize([plain])[0].tokens)
    time_tokens(report, machine, recognizer, plain.mel, tokens)
    time_requests(report, recognizer, plain)
    print(json.dumps({"model": flags.model, "milliseconds_and_floor": report.rows}))


if __name__ == "__main__":
    main()
