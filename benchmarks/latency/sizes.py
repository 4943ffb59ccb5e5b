"""Models of every size, from a folder to text: memory and time of loading.

    python -m benchmarks sizes --models large-v3 large-v3-turbo distil-large-v3 --dtype bfloat16

The weights are one block of random numbers, repeated, in the true dimensions, in a folder of
Hugging Face's format that is removed afterwards. Each model is loaded in its own process and
transcribes two seconds, live and as a recording.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from benchmarks.lib.measure import machine_line
from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.recognition import Hypothesis
from streamwhisper.whisper.dimensions import ModelDimensions

DISTILLED = replace(KNOWN_MODELS["large-v3"].dims, n_text_layer=2)
SIZES = {name: known.dims for name, known in KNOWN_MODELS.items()} | {"distil-large-v3": DISTILLED}
BLOCK = 1 << 20
TOKENS = 3


def write_model(folder: Path, dims: ModelDimensions) -> None:
    """Write a model in float16, one tensor after the other."""
    import torch

    from streamwhisper.checkpoints.checkpoint import state_shapes
    from streamwhisper.checkpoints.safetensors_names import huggingface_name

    drawn = torch.randn(BLOCK, generator=torch.Generator().manual_seed(1)) * 0.02
    block = drawn.half().numpy().data.cast("B")
    ones = torch.ones(dims.n_audio_state, dtype=torch.float16).numpy().data.cast("B")
    header, total = {}, 0
    shapes = state_shapes(dims)
    for name, shape in shapes.items():
        end = total + 2 * prod(shape)
        where = {"dtype": "F16", "shape": shape, "data_offsets": (total, end)}
        header[huggingface_name(name)] = where
        total = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            source = ones if "ln" in name and name.endswith("weight") else block
            left = 2 * prod(shape)
            while left:
                left -= file.write(source[:left])


def hear(folder: Path, dtype: str, *, load_only: bool) -> dict[str, Any]:
    """Load the model, hear with it, and say what that took."""
    import numpy as np
    import torch

    from streamwhisper.audio.mel import log_mel
    from streamwhisper.checkpoints.checkpoint import load_checkpoint
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer
    from streamwhisper.recognition import DecodingOptions, RecognitionRequest
    from streamwhisper.transcription.options import ChunkOptions, TranscriptionOptions
    from streamwhisper.transcription.transcribe import transcribe
    from streamwhisper.whisper.search import SearchOptions
    from streamwhisper.whisper.tail import encode
    from streamwhisper.whisper.tokenizer import get_tokenizer

    weights = sum(tensor.nbytes for tensor in load_checkpoint(folder).state.values())
    get_tokenizer(SIZES["large-v3"].n_vocab)  # what is made once is no part of a model's memory
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before, began = _memory("VmRSS"), time.perf_counter()
    recognizer = LocalRecognizer.load(
        folder, LocalOptions(device="cpu", dtype=dtype, threads=1)  # type: ignore[arg-type]
    )  # fmt: skip
    loaded, model = time.perf_counter(), recognizer.model
    # A number of every page is read.
    assert all(t.view(-1)[::1024].isfinite().all() for t in model.state_dict().values())
    found: dict[str, Any] = {
        "weights": weights,
        "peak": _memory("VmHWM") - before,
        "mels": recognizer.info.n_mels,
        "seconds": {"load": round(loaded - began, 1)},
    }
    if load_only:
        return found
    sound = np.random.default_rng(1).normal(0, 0.1, 32000).astype(np.float32)
    mel = log_mel(sound, recognizer.info.n_mels)
    (encoded,) = encode(recognizer.tails, [torch.from_numpy(mel)])
    options = DecodingOptions(max_tokens=TOKENS)
    request = RecognitionRequest(mel=mel, language="en", options=options)
    began_live = time.perf_counter()
    (live,) = recognizer.recognize([request])
    began_offline = time.perf_counter()
    search = SearchOptions(max_tokens=TOKENS, timestamps=False)
    choice = TranscriptionOptions(language="en", search=search, chunks=ChunkOptions(vad=False))
    transcript = transcribe(recognizer, sound, choice)
    return found | {
        "peak_hearing": _memory("VmHWM") - before,
        "sound": [list(keys.shape) for keys, _ in encoded.cross_attention],
        "live": len(_written(live, recognizer.tokenizer.no_timestamps)),
        "offline": [len(segment.tokens) for segment in transcript.segments],
        "seconds": found["seconds"]
        | {
            "live": round(began_offline - began_live, 1),
            "offline": round(time.perf_counter() - began_offline, 1),
        },
    }


def _written(answer: Hypothesis, start: int) -> tuple[int, ...]:
    """The tokens that were written in one answer, the last of which was not read any more."""
    tokens: tuple[int, ...] = answer.past.text.tokens  # type: ignore[union-attr, attr-defined]
    return tokens[tokens.index(start) + 1 :]


def measured(dims: ModelDimensions, dtype: str, *, load_only: bool = False) -> dict[str, Any]:
    """Make a model, hear with it in a process of its own, and remove it."""
    with tempfile.TemporaryDirectory() as name:
        write_model(Path(name), dims)
        command = [sys.executable, "-m", "benchmarks", "sizes", "--dtype", dtype, "--hear", name]
        command += ["--load-only"] if load_only else []
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _memory(field: str) -> int:
    """Bytes of this process by the kernel's account."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", default=["large-v3", "large-v3-turbo", "distil-large-v3"]
    )
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--load-only", action="store_true", help="hear nothing")
    parser.add_argument("--hear", type=Path, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.hear:
        print(json.dumps(hear(flags.hear, flags.dtype, load_only=flags.load_only)))
        return
    print(f"{flags.dtype} on {machine_line(1)}\n")
    print("| model | file, MB | peak of loading | peak of hearing | load | live | offline |")
    print("|---|---|---|---|---|---|---|")
    rows = {}
    for name in flags.models:
        row = rows[name] = measured(SIZES[name], flags.dtype, load_only=flags.load_only)
        weights, took = row["weights"], row["seconds"]
        peaks = [
            f"{row[part] / weights:.2f} times" if part in row else ""
            for part in ("peak", "peak_hearing")
        ]
        times = [f"{took[part]} s" if part in took else "" for part in ("load", "live", "offline")]
        print(f"| {name} | {weights / 1e6:,.0f} | {' | '.join(peaks + times)} |", flush=True)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
