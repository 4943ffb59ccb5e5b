"""The parts of recognition that the GPU benchmark measures."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.recognition import DecodingOptions, RecognitionRequest
from streamwhisper.whisper.decoding import empty_caches
from streamwhisper.whisper.static_decoder import StaticDecoder
from streamwhisper.whisper.tail import encode

RATE = 16000
DRAFT = 20
CONTEXT = 4
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
        stepping, batched = model.stepping, recognizer.tails.batched
        model.stepping, recognizer.tails.batched = None, False
        while len(self.drafts) < len(requests):
            held = len(self.drafts)
            for answer in recognizer.recognize(requests[held : held + 8]):
                tokens = answer.past.text.tokens  # type: ignore[union-attr, attr-defined]
                self.drafts.append(tokens[tokens.index(recognizer.tokenizer.no_timestamps) + 1 :])
        model.stepping, recognizer.tails.batched = stepping, batched
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
