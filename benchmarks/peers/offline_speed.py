"""Speed and accuracy on whole recordings, beside faster-whisper and openai-whisper.

    python -m benchmarks offline_speed --model tiny.en --items longform/speaker-61

All engines transcribe a recording before the next one starts, so that other load on the machine
affects all of them. CPU-seconds show the cost under load. Engines are loaded and warmed up first.
Each has as many threads as the machine has cores; streamwhisper uses them as workers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.measure import Errors, count_errors
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import Recording, load, normalized, speech_folder
from benchmarks.peers.peer_setup import (
    PeerError,
    environment,
    executable,
    installed_version,
    weights_folder,
)
from benchmarks.peers.peers import FASTER_WHISPER, OFFLINE, ROOT
from streamwhisper.engine.cores import usable_cores

WORKER = ROOT / "benchmarks" / "peers" / "offline_worker.py"
WARM_UP = 12
"""Seconds that every engine hears before it counts."""


@dataclass(slots=True)
class Engine:
    """One engine with one precision, beam and way, and what it took so far."""

    name: str
    worker: subprocess.Popen[str]
    beam: int
    way: str
    errors: Errors = field(default_factory=lambda: Errors(0, 0, 0, 0))
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss: int = 0

    def hear(self, file: Path) -> dict[str, Any]:
        """Ask the worker, and wait."""
        assert self.worker.stdin
        assert self.worker.stdout
        task = {"file": str(file), "beam": self.beam, "way": self.way}
        print(json.dumps(task), file=self.worker.stdin, flush=True)
        line = self.worker.stdout.readline()
        if not line:
            raise PeerError(f"{self.name} ended without a word")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def count(self, file: Path, recording: Recording) -> None:
        """Hear a recording and add up."""
        answer = self.hear(file)
        self.errors += count_errors(normalized(recording.text), normalized(answer["text"]))
        self.seconds += answer["seconds"]
        self.cpu_seconds += answer["cpu_seconds"]
        self.peak_rss = max(self.peak_rss, answer["peak_rss"])


@contextmanager
def worker(python: Path, arguments: Sequence[str], threads: int) -> Iterator[subprocess.Popen[str]]:
    """A worker that is ready."""
    environment = {**os.environ, **OFFLINE, "OMP_NUM_THREADS": str(threads)}
    command = [str(python), str(WORKER), *arguments, str(threads)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin
        assert process.stdout
        if not process.stdout.readline():
            raise PeerError(f"{arguments[0]} could not be loaded")
        try:
            yield process
        finally:
            process.stdin.close()


def start(flags: argparse.Namespace, stack: ExitStack) -> list[Engine]:
    """Every engine, loaded."""
    engines: list[Engine] = []

    def add(name: str, process: subprocess.Popen[str], beams: Sequence[int], way: str) -> None:
        engines.extend(Engine(f"{name}, beam {beam}", process, beam, way) for beam in beams)

    own = Path(sys.executable)
    for compute in flags.compute:
        arguments = ["streamwhisper", flags.model, compute]
        process = stack.enter_context(worker(own, arguments, flags.threads))
        add(f"streamwhisper, {compute}", process, flags.beams, "chunked")
    folder = environment("faster-whisper", FASTER_WHISPER, torch=False)
    version = installed_version(folder, "faster-whisper")
    for compute in flags.compute:
        arguments = ["faster_whisper", str(weights_folder(flags.model)), compute]
        process = stack.enter_context(
            worker(executable(folder, "python"), arguments, flags.threads)
        )
        add(f"faster-whisper {version}, {compute}", process, flags.beams, "sequential")
        add(f"faster-whisper {version}, batched, {compute}", process, flags.beams, "chunked")
    if flags.reference:
        arguments = ["openai_whisper", flags.model, "float32"]
        process = stack.enter_context(worker(own, arguments, flags.threads))
        add("openai-whisper, float32", process, flags.beams, "sequential")
    return engines


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| engine | WER | took | times real time | CPU-s per s of audio | peak memory |",
        "|---" * 6 + "|",
    ]
    lines += [
        f"| {row['engine']} | {row['wer']} % | {row['seconds']} s | {row['speed']} "
        f"| {row['cpu_per_audio_second']} | {row['peak_rss_mb']} MB |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--items", nargs="+", default=["longform/61-70968", "longform/1284-1180"])
    parser.add_argument("--gap", type=float, default=0.3, help="seconds between clips")
    parser.add_argument("--limit", type=float, help="seconds of each item; default: all")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--compute", nargs="+", default=["int8", "float32"])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 5])
    parser.add_argument("--no-reference", dest="reference", action="store_false")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    folder = speech_folder()
    recordings = [load(folder, item, flags.gap, flags.limit) for item in flags.items]
    seconds = sum(recording.seconds for recording in recordings)
    with ExitStack() as stack:
        sound = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engines = start(flags, stack)
        np.save(sound / "warm.npy", recordings[0].samples[: WARM_UP * 16000])
        for engine in engines:
            engine.hear(sound / "warm.npy")
        for index, recording in enumerate(recordings):
            file = sound / f"{index}.npy"
            np.save(file, recording.samples)
            for engine in engines:
                engine.count(file, recording)
                took = f"{engine.seconds:.1f} s so far, {engine.cpu_seconds:.1f} s of CPU"
                print(f"{recording.key}: {engine.name}: {took}", file=sys.stderr, flush=True)
    rows = [
        {
            "engine": engine.name,
            "wer": round(100 * engine.errors.rate, 2),
            "words": engine.errors.words,
            "seconds": round(engine.seconds, 2),
            "speed": round(seconds / engine.seconds, 1),
            "cpu_per_audio_second": round(engine.cpu_seconds / seconds, 4),
            "peak_rss_mb": round(engine.peak_rss / 1e6),
        }
        for engine in engines
    ]
    told = f"{seconds:.0f} s, {rows[0]['words']} words."
    result = heading(flags.model, flags.threads) | {"items": flags.items, "rows": rows}
    report(result, f"{told}\n\n{table(rows)}", save=flags.save)


if __name__ == "__main__":
    main()
