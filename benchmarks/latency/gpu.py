"""The parts on a GPU: encoder, decoder and whole requests, by batch, precision and way of decoding.

    python -m benchmarks gpu --models large-v3 large-v3-turbo --dtypes bfloat16 --json gpu.json
    python -m benchmarks gpu --models tiny.en --device cpu --quick

Models that are cached are loaded; of the others the weights are made up on the device, in the
dimensions of that name: their text means nothing, their time does. Ways of decoding: eager (row
by row), graph (all rows at once, recorded and replayed; on a CPU, not recorded), compiled (the
same, of compiled layers). What fails is a row with its error, and the rest goes on; what there is
no time for is left out and counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.lib.measure import machine_line
from streamwhisper.audio.mel import log_mel
from streamwhisper.checkpoints.build import build_model
from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.checkpoints.checkpoint import Checkpoint, state_shapes
from streamwhisper.checkpoints.hub import HubOptions
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import ModelError
from streamwhisper.recognition import DecodingOptions, RecognitionRequest
from streamwhisper.whisper.decoding import empty_caches
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.static_decoder import StaticDecoder
from streamwhisper.whisper.tail import encode

SAMPLE = Path(__file__).parents[2] / "examples" / "sample.flac"
RATE = 16000
DRAFT = 20
CONTEXT = 4
ENDS = slice(50256, 50258)
"""The tokens that end a text, of English models and of the others."""
WAYS = ("eager", "graph", "compiled")
Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        part: what was measured.
        way: of decoding, where it matters.
        batch: windows, or texts, at a time.
        ms: median time of one call.
        rate: requests, or tokens, a second.
        peak_mb: device memory at most, weights included.
        note: what else was seen; the error, where there is no time.
    """

    model: str
    dtype: str
    part: str
    way: str = ""
    batch: int = 1
    ms: float | None = None
    rate: float | None = None
    peak_mb: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    device: torch.device
    batches: tuple[int, ...]
    request_batches: tuple[int, ...]
    seconds: tuple[float, ...]
    ways: tuple[str, ...]
    patience: float
    only: str


class Bench:
    """Measures one model in one precision."""

    def __init__(self, recognizer: LocalRecognizer, dtype: str, plan: Plan, sound: Sound) -> None:
        self.recognizer, self.plan, self.sound = recognizer, plan, sound
        self.named = Row(recognizer.info.name, dtype, "")
        self.drafts: list[tuple[int, ...]] = []

    def parts(self) -> Iterator[tuple[Row, Callable[[], Row]]]:
        """Everything to measure: a row without figures, and what fills it in."""
        plan = self.plan
        for seconds in plan.seconds:
            for batch in plan.batches:
                row = replace(self.named, part=f"encoder, {seconds:g} s", batch=batch)
                yield row, lambda row=row, s=seconds: self._encoder(row, s)
        for way in plan.ways:
            for batch in plan.batches:
                part = f"prefill, {CONTEXT + DRAFT} tokens"
                row = replace(self.named, part=part, way=way, batch=batch)
                yield row, lambda row=row: self._prefill(row)
            for batch in plan.batches:
                row = replace(self.named, part="token", way=way, batch=batch)
                yield row, lambda row=row: self._token(row)
            for batch in plan.request_batches:
                row = replace(self.named, part="request, 6 s", way=way, batch=batch)
                yield row, lambda row=row: self._request(row)

    def _mels(self, seconds: float, count: int) -> list[NDArray[np.float32]]:
        """Windows that begin at different moments."""
        length, bins = round(seconds * RATE), self.recognizer.info.n_mels
        looped = np.tile(self.sound, 2 + length // len(self.sound))
        starts = [(index * 7919 * 160) % len(self.sound) for index in range(count)]
        return [log_mel(looped[start : start + length], bins) for start in starts]

    def _decode_by(self, way: str) -> None:
        """Decode in this way from here on; graphs of the way before are given up."""
        model = self.recognizer.model
        known = getattr(model.stepping, "compiled", None)
        if way == "eager":
            model.stepping = None
        elif known != (way == "compiled"):
            model.stepping = None
            model.stepping = StaticDecoder(model, compiled=way == "compiled")

    def _encoder(self, row: Row, seconds: float) -> Row:
        mels = [torch.from_numpy(mel) for mel in self._mels(seconds, row.batch)]
        ms = self._timed(lambda: encode(self.recognizer.tails, mels))
        return replace(row, ms=ms, rate=1000 * row.batch * seconds / ms, note="s of sound a second")

    def _prefill(self, row: Row) -> Row:
        self._decode_by(row.way)
        model, tokens = self.recognizer.model, [list(range(CONTEXT + DRAFT))] * row.batch
        caches = self._caches(row.batch)
        with model.steps(caches) as step:

            def once() -> None:
                for cache in caches:
                    cache.length = 0
                hidden, _ = step(tokens, caches)
                self.recognizer.output(torch.cat(hidden))

            return replace(row, ms=self._timed(once))

    def _token(self, row: Row) -> Row:
        self._decode_by(row.way)
        model = self.recognizer.model
        caches = self._caches(row.batch)
        began = self._now()
        with model.steps(caches) as step:
            ready = self._now()
            step([list(range(CONTEXT + DRAFT))] * row.batch, caches)
            read = self._now()

            def once() -> None:
                for cache in caches:
                    cache.length = CONTEXT + DRAFT
                hidden, _ = step([[11]] * len(caches), caches)
                self.recognizer.output(torch.cat(hidden)).argmax(dim=-1).tolist()

            once()
            first = self._now()
            ms = self._timed(once)
        note = f"rows put in place {ready - began:.1f} ms, the first token {first - read:.0f} ms"
        return replace(row, ms=ms, rate=1000 * row.batch / ms, note=note)

    def _request(self, row: Row) -> Row:
        self._decode_by(row.way)
        recognizer = self.recognizer
        options = DecodingOptions(
            max_tokens=DRAFT + 4,
            log_probability_threshold=-math.inf,
            compression_ratio_threshold=math.inf,
        )
        plain = [
            RecognitionRequest(mel=mel, language="en", options=options)
            for mel in self._mels(6, row.batch)
        ]
        drafts = self._drafts(plain)
        answers = recognizer.recognize(plain)
        drafted = [
            replace(request, draft=draft[:DRAFT])
            for request, draft in zip(plain, drafts, strict=True)
        ]
        same = recognizer.recognize(drafted[:1])[0].tokens == answers[0].tokens
        ms = self._timed(lambda: recognizer.recognize(drafted))
        held = statistics.mean(answer.drafted for answer in recognizer.recognize(drafted))
        length = statistics.mean(map(len, drafts))
        note = f"{length:.0f} tokens, {held:.0f} drafted, first {'as' if same else 'NOT as'} alone"
        return replace(row, ms=ms, rate=1000 * row.batch / ms, note=note)

    def _drafts(self, requests: Sequence[RecognitionRequest]) -> list[tuple[int, ...]]:
        """What the decoder writes by itself; made-up weights write too little that are words."""
        recognizer, model = self.recognizer, self.recognizer.model
        stepping, abreast = model.stepping, recognizer.tails.abreast
        model.stepping, recognizer.tails.abreast = None, False
        while len(self.drafts) < len(requests):
            held = len(self.drafts)
            for answer in recognizer.recognize(requests[held : held + 8]):
                tokens = answer.past.text.tokens  # type: ignore[union-attr, attr-defined]
                self.drafts.append(tokens[tokens.index(recognizer.tokenizer.no_timestamps) + 1 :])
        model.stepping, recognizer.tails.abreast = stepping, abreast
        return self.drafts[: len(requests)]

    def _caches(self, count: int) -> list[Any]:
        mels = [torch.from_numpy(mel) for mel in self._mels(6, count)]
        return empty_caches(self.recognizer.model, encode(self.recognizer.tails, mels))

    def _now(self) -> float:
        """Milliseconds, with all work done."""
        if self.plan.device.type == "cuda":
            torch.cuda.synchronize(self.plan.device)
        return 1000 * time.perf_counter()

    def _timed(self, function: Callable[[], object]) -> float:
        """Median milliseconds of a call, after one to warm up."""
        function()
        times: list[float] = []
        began = self._now()
        while len(times) < 3 or (len(times) < 50 and self._now() - began < self.plan.patience):
            start = self._now()
            function()
            times.append(self._now() - start)
            if times[-1] > 4 * self.plan.patience:
                break
        return statistics.median(times)


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
