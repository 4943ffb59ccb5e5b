"""Latency, accuracy and cost of a real server that hears long recordings in real time.

    python -m benchmarks streaming --model tiny.en --items longform/speaker-61 --gap 0.3

Starts ``streamwhisper serve`` as a process of its own, sends each recording over a WebSocket in
100 ms chunks, each when a microphone would have it, and notes when every message arrives. Prints
a table, and all figures as one JSON object on the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import psutil

from benchmarks.lib import measure
from benchmarks.lib.measure import Errors, HeardWord, ScreenUpdate
from benchmarks.lib.offline import VARIANTS, offline_transcripts
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import SAMPLE_RATE, Recording, load, normalized, speech_folder, tokens
from streamwhisper.client import StreamEvent, connect
from streamwhisper.events import Committed, Partial
from streamwhisper.protocol import Status

YARDSTICKS = ["greedy", "greedy, each window alone"]


@dataclass
class Run:
    """One recording's way through the server. Moments are of `time.perf_counter`."""

    recording: Recording
    chunk_ends: list[float] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    arrivals: list[tuple[float, StreamEvent]] = field(default_factory=list)
    end_sent: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def text(self) -> str:
        """The transcript."""
        return "".join(m.text for _, m in self.arrivals if isinstance(m, Committed))

    def sent(self, position: float) -> float:
        """When a position in audio seconds was sent."""
        return measure.moment_sent(self.chunk_ends, self.moments, position)

    def heard(self) -> list[HeardWord]:
        """The committed words and when they came."""
        return [
            HeardWord(token, at)
            for at, message in self.arrivals
            if isinstance(message, Committed)
            for token in tokens(message.text)
        ]

    def screen(self) -> measure.Screen:
        """How the text came to stand on the screen."""
        return measure.watch_screen(
            ScreenUpdate(at, tokens(message.text), isinstance(message, Partial))
            for at, message in self.arrivals
            if isinstance(message, Partial | Committed)
        )

    def lags(self) -> list[tuple[float, float]]:
        """For each status: audio seconds sent, and how many of them no hypothesis covers."""
        points = []
        for at, message in self.arrivals:
            if isinstance(message, Status):
                chunk = bisect_right(self.moments, at)
                sent = self.chunk_ends[chunk - 1] if chunk else 0.0
                covered = message.audio_seconds - message.lag_ms / 1000
                points.append((sent, sent - covered))
        return points

    def finals(self) -> dict[int, float]:
        """When each utterance's final commit came."""
        return {
            message.utterance: at
            for at, message in self.arrivals
            if isinstance(message, Committed) and message.final
        }

    def speech_ends(self) -> dict[int, float]:
        """Where each utterance's last word ends, in audio seconds, if it was recognized."""
        last_word: dict[int, int] = {}
        count = 0
        for _, message in self.arrivals:
            if isinstance(message, Committed):
                count += len(tokens(message.text))
                if message.text.strip():
                    last_word[message.utterance] = count - 1
        spoken = self.recording.words
        ends = {j: spoken[i].end for i, j in measure.recognized(spoken, self.heard())}
        found = {utterance: ends.get(place) for utterance, place in last_word.items()}
        return {utterance: end for utterance, end in found.items() if end is not None}

    def final_latencies(self) -> list[float]:
        """For each utterance: from sending its last recognized word's end to its final commit."""
        ends = self.speech_ends()
        return [at - self.sent(ends[u]) for u, at in self.finals().items() if u in ends]


class Server:
    """``streamwhisper serve`` in a process of its own; watches its memory."""

    def __init__(self, model: str, threads: int, arguments: list[str]) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the server
        command = [sys.executable, "-m", "streamwhisper", "serve", "--model", model]
        command += ["--port", "0", "--threads", str(threads), *arguments]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if "ws://" not in line:
            self._process.wait()
            self._log.seek(0)
            raise SystemExit(f"the server did not start: {self._log.read()[-2000:]}")
        self.url = line.split()[-1]
        self._watched = psutil.Process(self._process.pid)
        self.peak_rss = 0

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        self.peak_rss = max(self.peak_rss, self._watched.memory_info().rss)
        times = self._watched.cpu_times()
        return float(times.user + times.system)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def log(self) -> str:
        """What it has written so far."""
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self._process.terminate()
        self._process.wait(60)
        self._log.close()


@contextlib.contextmanager
def running_server(model: str, threads: int, arguments: list[str]) -> Iterator[Server]:
    """A server for as long as the block runs."""
    server = Server(model, threads, arguments)
    try:
        yield server
    finally:
        server.stop()


async def stream(server: Server, recording: Recording, chunk: float, speed: float) -> Run:
    """Send a recording and note everything that comes back."""
    run = Run(recording)
    before = server.cpu_seconds()
    async with (
        connect(server.url, encoding="pcm_f32le", language="en") as client,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(send_paced(client, run, chunk, speed))
        async for event in client:
            run.arrivals.append((time.perf_counter(), event))
            if isinstance(event, Status):
                server.cpu_seconds()  # for the peak of the memory
    run.cpu_seconds = server.cpu_seconds() - before
    return run


class Ear(Protocol):
    """Whoever listens: takes float32 little-endian samples, and is told when no more come."""

    async def send(self, data: bytes) -> None:
        """Take the next samples."""
        ...

    async def end(self) -> None:
        """No more sound."""
        ...


async def send_paced(client: Ear, run: Run, chunk: float, speed: float) -> None:
    """Send the recording as a microphone would, and note each chunk's end and moment."""
    samples, step = run.recording.samples, round(chunk * SAMPLE_RATE)
    started = time.perf_counter()
    for start in range(0, len(samples), step):
        piece = samples[start : start + step]
        end = (start + len(piece)) / SAMPLE_RATE
        await asyncio.sleep(started + end / speed - time.perf_counter())
        await client.send(piece.astype("<f4").tobytes())
        run.chunk_ends.append(end)
        run.moments.append(time.perf_counter())
    await client.end()
    run.end_sent = time.perf_counter()


def figures(runs: list[Run]) -> dict[str, Any]:
    """Every figure of the streaming side, over all recordings."""
    errors = Errors(0, 0, 0, 0)
    commit: list[float] = []
    display: list[float] = []
    final: list[float] = []
    lag_slopes, lag_maxima, shown, unstable = [], [0.0], 0, 0
    for run in runs:
        errors += measure.count_errors(normalized(run.recording.text), normalized(run.text))
        spoken, heard, screen = run.recording.words, run.heard(), run.screen()
        attribute = partial(measure.latencies, spoken, sent=run.sent)
        commit += attribute(heard)
        seen = zip(heard, screen.since, strict=True)
        display += attribute([HeardWord(word.text, at) for word, at in seen])
        final += run.final_latencies()
        shown, unstable = shown + screen.shown, unstable + screen.unstable
        lags = run.lags()
        lag_maxima += [lag for _, lag in lags]
        lag_slopes.append(measure.slope(lags))
    seconds = sum(run.recording.seconds for run in runs)
    return {
        "audio_seconds": round(seconds, 1),
        "words": errors.words,
        "wer": round(100 * errors.rate, 2),
        "substitutions": errors.substitutions,
        "deletions": errors.deletions,
        "insertions": errors.insertions,
        "timed_words": len(commit),
        "commit_latency": measure.percentiles(commit),
        "display_latency": measure.percentiles(display),
        "final_latency": measure.percentiles(final),
        "end_to_done": round(max(run.arrivals[-1][0] - run.end_sent for run in runs), 3),
        "unstable_partial_words": round(100 * unstable / shown, 2) if shown else 0.0,
        "lag_max": round(max(lag_maxima), 2),
        "lag_slope": round(max(lag_slopes), 5),
        "cpu_per_audio_second": round(sum(run.cpu_seconds for run in runs) / seconds, 3),
    }


def offline_figures(model: str, recordings: list[Recording], variants: list[str]) -> dict[str, Any]:
    """Word error rate in percent of each offline variant, over all recordings."""
    found = {}
    for variant, transcripts in offline_transcripts(model, recordings, variants).items():
        errors = Errors(0, 0, 0, 0)
        for recording, transcript in zip(recordings, transcripts, strict=True):
            errors += measure.count_errors(normalized(recording.text), normalized(transcript.text))
        found[variant] = round(100 * errors.rate, 2)
    return found


def table(result: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    rows = [("recordings", f"{', '.join(result['items'])}; {result['audio_seconds']} s")]
    rows.append(("streaming WER", f"{result['wer']} % of {result['words']} words"))
    rows += [(f"offline WER, {name}", f"{wer} %") for name, wer in result["offline_wer"].items()]
    if "streaming_cost" in result:
        rows.append(("streaming cost", f"{result['streaming_cost']:+.2f} points"))
    for name in ("commit_latency", "display_latency", "final_latency"):
        values = ", ".join(f"{key} {value:.2f}" for key, value in result[name].items())
        rows.append((name.replace("_", " "), f"{values} s"))
    rows += [
        ("end sent → done", f"{result['end_to_done']:.2f} s"),
        ("unstable partial words", f"{result['unstable_partial_words']} %"),
        ("lag", f"at most {result['lag_max']} s, slope {60 * result['lag_slope']:+.3f} s/min"),
        ("cost", f"{result['cpu_per_audio_second']} CPU-seconds per second of audio"),
        ("peak memory", f"{result['peak_rss_mb']} MB"),
    ]
    return "\n".join(["| figure | value |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)])


def live_arguments(description: str, item: str, owner: str) -> argparse.ArgumentParser:
    """The flags of whatever hears recordings in real time.

    Args:
        description: of the benchmark.
        item: is heard by default.
        owner: of the threads.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--items", nargs="+", default=[item], metavar="ID")
    parser.add_argument("--gap", type=float, default=0.3, help="seconds of silence between clips")
    parser.add_argument("--limit", type=float, help="stop each recording after so many seconds")
    parser.add_argument(
        "--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1), help=f"of {owner}"
    )
    parser.add_argument("--chunk", type=float, default=0.1, help="seconds sent at a time")
    parser.add_argument("--speed", type=float, default=1.0, help="1 is real time")
    parser.add_argument("--serve", default="", help="more flags for streamwhisper serve")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    return parser


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = live_arguments(__doc__ or "", "longform/speaker-61", "the server")
    parser.add_argument(
        "--offline",
        nargs="*",
        default=YARDSTICKS,
        choices=list(VARIANTS),
        help="variants of the yardstick; none after the flag skips it",
    )
    parser.add_argument("--offline-only", action="store_true", help="fill the yardstick's cache")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and save where asked to."""
    flags = arguments()
    folder = speech_folder()
    recordings = [load(folder, item, flags.gap, flags.limit) for item in flags.items]
    # Before the stream, so that it takes nothing from the server.
    offline = offline_figures(flags.model, recordings, flags.offline)
    result = heading(flags.model, flags.threads) | {
        "items": flags.items,
        "gap": flags.gap,
        "offline_wer": offline,
    }
    if flags.offline_only:
        print(json.dumps(result, ensure_ascii=False))
    else:
        with running_server(flags.model, flags.threads, shlex.split(flags.serve)) as server:
            runs = [
                asyncio.run(stream(server, recording, flags.chunk, flags.speed))
                for recording in recordings
            ]
            result |= figures(runs) | {"peak_rss_mb": round(server.peak_rss / 1e6)}
        greedy = [wer for name, wer in offline.items() if name.startswith("greedy")]
        if greedy:
            result["streaming_cost"] = round(result["wer"] - min(greedy), 2)
        report(result, table(result), save=flags.save)


if __name__ == "__main__":
    main()
