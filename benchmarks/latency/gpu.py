"""Encoder, decoder and whole requests on a GPU, by batch, precision and decoding mode.

    python -m benchmarks gpu --models large-v3 large-v3-turbo --dtypes bfloat16 --json gpu.json
    python -m benchmarks gpu --models tiny.en --device cpu --quick

Cached models are loaded; the others get random weights in the right dimensions, made on the device:
their text is meaningless, their time is not. Decoding modes: eager (row by row), graph (all rows at
once, recorded and replayed; not recorded on a CPU) and compiled (graph with compiled layers). A
failure becomes a row with its error. Figures beyond the time budget are left out and counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.latency.gpu_parts import RATE, Bench, Plan, Row, Sound
from benchmarks.lib.measure import machine_line
from streamwhisper.checkpoints.build import build_model
from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.checkpoints.checkpoint import Checkpoint, state_shapes
from streamwhisper.checkpoints.hub import HubOptions
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import ModelError
from streamwhisper.whisper.model import Whisper

SAMPLE = Path(__file__).parents[2] / "examples" / "sample.flac"
ENDS = slice(50256, 50258)
"""The tokens that end a text, of English models and of the others."""
WAYS = ("eager", "graph", "compiled")


def made_up(name: str, device: torch.device, dtype: torch.dtype) -> Whisper:
    """A model in the dimensions of a known one, with weights drawn on the device."""
    known = KNOWN_MODELS[name]
    generator = torch.Generator(device).manual_seed(1)
    state = {}
    for key, shape in state_shapes(known.dims).items():
        leaf = key.rsplit(".", 1)[1]
        if "ln" in key:
            state[key] = torch.full(shape, float(leaf == "weight"), device=device, dtype=dtype)
            continue
        spread = 0.02 if "embedding" in key or leaf == "bias" else shape[-1] ** -0.5
        if key == "decoder.positional_embedding":
            spread = 8.0  # so that each place has a token of its own, and no text is a loop
        drawn = torch.randn(shape, generator=generator, device=device, dtype=torch.float32)
        state[key] = drawn.mul_(spread).to(dtype)
    state["decoder.token_embedding.weight"][ENDS] = 0  # no text ends by itself
    return build_model(Checkpoint(name, known.dims, known.alignment_heads, state))


def loaded(name: str, device: torch.device, dtype: str) -> LocalRecognizer:
    """The model itself where it is cached, else one like it."""
    options = LocalOptions(device=str(device), dtype=dtype)  # type: ignore[arg-type]
    cached = HubOptions.from_environment(os.environ)
    try:
        return LocalRecognizer.load(name, options, replace(cached, offline=True))
    except ModelError:
        model = made_up(name, device, getattr(torch, dtype))
        return LocalRecognizer(model, name, options)


def heard() -> Sound:
    """The example's speech; noise that comes and goes where nothing can read it."""
    try:
        from streamwhisper.audio.files import read_audio

        return read_audio(SAMPLE)
    except ImportError:
        noise = np.random.default_rng(1).normal(0, 0.1, 20 * RATE)
        swell = np.abs(np.sin(np.arange(20 * RATE) * 2 * np.pi / RATE))
        return (noise * swell).astype(np.float32)


def line(row: Row) -> str:
    """A row of the table."""
    figures = ["" if x is None else f"{x:,.2f}" for x in (row.ms, row.rate, row.peak_mb)]
    cells = [row.model, row.dtype, row.part, row.way, str(row.batch), *figures, row.note]
    return f"| {' | '.join(cells)} |"


def measured(models: list[str], dtypes: list[str], plan: Plan, deadline: float) -> Iterator[Row]:
    """Every figure, as soon as it is there."""
    sound, left_out = heard(), 0
    cuda = plan.device.type == "cuda"
    for model, dtype in ((model, dtype) for model in models for dtype in dtypes):
        named = Row(model, dtype, "load")
        gc.collect()
        if cuda:
            torch.cuda.empty_cache()
        if time.monotonic() > deadline:
            left_out += 1
            continue
        began = time.perf_counter()
        try:
            bench = Bench(loaded(model, plan.device, dtype), dtype, plan, sound)
            took = 1000 * (time.perf_counter() - began)
            weights = sum(p.nbytes for p in bench.recognizer.model.parameters()) / 1e6
            yield replace(named, ms=took, peak_mb=_peak(plan), note=f"weights {weights:,.0f} MB")
        except Exception as error:
            yield replace(named, note=_said(error))
            continue
        for row, measure in bench.parts():
            if not row.part.startswith(plan.only):
                continue
            if time.monotonic() > deadline:
                left_out += 1
                continue
            if cuda:
                torch.cuda.reset_peak_memory_stats(plan.device)
            try:
                with torch.inference_mode():
                    yield replace(measure(), peak_mb=_peak(plan))
            except Exception as error:
                yield replace(row, note=_said(error))
        del bench
    if left_out:
        yield Row("", "", "left out for want of time", note=f"{left_out} figures")


def _peak(plan: Plan) -> float | None:
    """Device memory at most, in MB."""
    if plan.device.type != "cuda":
        return None
    return torch.cuda.max_memory_allocated(plan.device) / 1e6


def _said(error: Exception) -> str:
    text = " ".join(str(error).split()).replace("|", "/")
    return f"{type(error).__name__}: {text[:300]}"


def main() -> None:
    """Measure, and print a table as it grows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", default=["tiny.en", "base", "large-v3-turbo", "large-v3"]
    )
    parser.add_argument(
        "--dtypes", nargs="+", default=["bfloat16", "float16", "float32"],
        choices=["float32", "bfloat16", "float16"],
    )  # fmt: skip
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--request-batches", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--seconds", type=float, nargs="+", default=[5, 10, 30])
    parser.add_argument("--only", default="", help="parts whose name begins so, as request")
    parser.add_argument("--quick", action="store_true", help="one short window, batches of 1 and 2")
    parser.add_argument("--budget", type=float, default=200, help="seconds to begin parts in")
    parser.add_argument("--json", type=Path, help="file for all figures")
    flags = parser.parse_args()
    device = torch.device(flags.device)
    quick = Plan(device, (1, 2), (1, 2), (5,), tuple(flags.ways), 50, flags.only)
    full = Plan(
        device,
        tuple(flags.batches),
        tuple(flags.request_batches),
        tuple(flags.seconds),
        tuple(flags.ways),
        300,
        flags.only,
    )
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(f"{name}; {machine_line()}\n")
    print("| model | dtype | part | way | batch | ms | a second | peak MB | note |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    deadline = time.monotonic() + flags.budget
    for row in measured(flags.models, flags.dtypes, quick if flags.quick else full, deadline):
        rows.append(asdict(row))
        print(line(row), flush=True)
        if flags.json:
            found = {"device": name, "machine": machine_line(), "rows": rows}
            flags.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
