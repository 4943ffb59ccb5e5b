"""Latency, accuracy and cost of a real server that receives long recordings in real time.

    python -m benchmarks streaming --model tiny.en --items longform/speaker-61 --gap 0.3

Starts ``streamwhisper serve`` in its own process, sends each recording over a WebSocket in 100 ms
chunks at the pace of a microphone, and records when each message arrives. Prints a table, and all
figures as one JSON object on the last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from benchmarks.lib import measure
from benchmarks.lib.live_run import Run, send_paced
from benchmarks.lib.measure import Errors, HeardWord
from benchmarks.lib.offline import VARIANTS, offline_transcripts
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import Recording, load, normalized, speech_folder
from streamwhisper.client import connect
from streamwhisper.engine.cores import usable_cores
from streamwhisper.protocol import Status

YARDSTICKS = ["greedy", "greedy, each window alone"]


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


def figures(runs: Sequence[Run]) -> dict[str, Any]:
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
        "--threads", type=int, default=max(1, usable_cores() - 1), help=f"of {owner}"
    )
    parser.add_argument("--chunk", type=float, default=0.1, help="seconds sent at a time")
    parser.add_argument("--speed", type=float, default=1.0, help="1 is real time")
    parser.add_argument("--serve", default="", help="more flags for streamwhisper serve")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    return parser


def parse_flags() -> argparse.Namespace:
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
    flags = parse_flags()
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
