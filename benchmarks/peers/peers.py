"""The same audio through streamwhisper and other engines, with the same weights.

    python -m benchmarks peers --model tiny.en --items longform/speaker-1284 --limit 120

One engine after the other receives the recordings in real time in 100 ms chunks; faster-whisper
receives them whole. Peers are installed on first use, each into its own virtual environment (see
`peer_setup`). Prints tables, the commands that were run, and all figures as one JSON object on the
last line. A peer that cannot run is listed with the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency import streaming
from benchmarks.lib import measure
from benchmarks.lib.measure import Errors
from benchmarks.lib.results import heading, report
from benchmarks.lib.speech import Recording, load, normalized, speech_folder
from benchmarks.peers.peer_live import LiveRun, rewritten, running_peer, stream_peer
from benchmarks.peers.peer_setup import (
    PeerError,
    alignment_dump,
    environment,
    executable,
    installed_version,
    weights_folder,
)
from streamwhisper.checkpoints.catalog import known_model
from streamwhisper.errors import UnknownModelError

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = {"HF_HUB_OFFLINE": "1"}
"""Whatever a peer would fetch by itself fails at once instead of hanging."""
LIVEKIT = ["whisperlivekit==0.2.26"]
FASTER_WHISPER = ["faster-whisper==1.2.1"]
COMMON = ("audio_seconds", "words", "wer", "substitutions", "deletions", "insertions")
LATENCIES = ("timed_words", "commit_latency", "display_latency", "end_to_done")

Row = dict[str, Any]


def hear_streamwhisper(flags: argparse.Namespace, recordings: Sequence[Recording]) -> list[Row]:
    """Our own server, as ``streaming.py`` measures it."""
    extra = shlex.split(flags.serve)
    with streaming.running_server(flags.model, flags.threads, extra) as server:
        runs = []
        for recording in recordings:
            hearing = streaming.stream(server, recording, flags.chunk, flags.speed)
            bound = recording.seconds / flags.speed + flags.patience
            try:
                runs.append(asyncio.run(asyncio.wait_for(hearing, bound)))
            except TimeoutError as error:
                raise PeerError(f"not done {flags.patience:g} s after the last sound") from error
        row = _streamed(streaming.figures(runs), server.peak_rss)
    command = ["streamwhisper", "serve", "--model", flags.model, "--port", "0"]
    command += ["--threads", str(flags.threads), *extra]
    return [row | {"engine": "streamwhisper", "settings": shlex.join(command), "finished": True}]


def hear_localagreement(flags: argparse.Namespace, recordings: Sequence[Recording]) -> list[Row]:
    """WhisperLiveKit, LocalAgreement over faster-whisper."""
    options = ["--backend-policy", "localagreement", "--backend", "faster-whisper"]
    return _hear_livekit("LocalAgreement", options, flags, recordings)


def hear_simulstreaming(flags: argparse.Namespace, recordings: Sequence[Recording]) -> list[Row]:
    """WhisperLiveKit, AlignAtt: faster-whisper's encoder, PyTorch's decoder."""
    # A model given by its path has no known alignment heads unless they are given too.
    options = ["--backend-policy", "simulstreaming"]
    options += ["--custom-alignment-heads", alignment_dump(flags.model)]
    return _hear_livekit("SimulStreaming", options, flags, recordings)


def _hear_livekit(
    policy: str, options: list[str], flags: argparse.Namespace, recordings: Sequence[Recording]
) -> list[Row]:
    folder = environment("whisperlivekit", LIVEKIT, torch=True)
    command = [str(executable(folder, "wlk")), "--model-path", str(weights_folder(flags.model))]
    command += ["--language", "en", "--pcm-input", *options, "--log-level", "WARNING"]
    # Instead of a file from the network.
    command += ["--warmup-file", str(ROOT / "examples" / "sample.flac")]
    variables = {"OMP_NUM_THREADS": str(flags.threads), **OFFLINE}
    with running_peer(command, variables) as peer:
        runs: list[LiveRun] = []
        for recording in recordings:
            hearing = stream_peer(peer, recording, flags.chunk, flags.speed, flags.patience)
            runs.append(asyncio.run(hearing))
            if not runs[-1].finished:
                break  # it still computes, and would take that into the next recording
    heard = [run for run in runs if run.arrivals]
    if not heard:
        raise PeerError(f"no message within {flags.patience:g} s after the last sound")
    row = _streamed(streaming.figures(heard), peer.peak_rss)
    if not any(shot.buffer for run in heard for shot in run.snapshots):
        row["unstable_partial_words"] = None  # it shows no guesses
    if not (finished := runs[-1].finished):
        row["end_to_done"] = None
    return [
        row
        | {
            "engine": f"WhisperLiveKit {installed_version(folder, 'whisperlivekit')}, {policy}",
            "rewritten_words": sum(rewritten(run.snapshots) for run in heard),
            "finished": finished,
            "waited": flags.patience,
            "settings": " ".join([*(f"{k}={v}" for k, v in variables.items()), _shown(command)]),
        }
    ]


def _streamed(found: Row, peak_rss: int) -> Row:
    kept = (*COMMON, *LATENCIES, "unstable_partial_words", "cpu_per_audio_second")
    row = {name: found[name] for name in kept}
    return row | {"kind": "streaming", "rewritten_words": 0, "peak_rss_mb": round(peak_rss / 1e6)}


def hear_faster_whisper(flags: argparse.Namespace, recordings: Sequence[Recording]) -> list[Row]:
    """faster-whisper on the whole recordings: what the weights hear offline."""
    folder = environment("faster-whisper", FASTER_WHISPER, torch=False)
    version = installed_version(folder, "faster-whisper")
    seconds = sum(recording.seconds for recording in recordings)
    rows: list[Row] = []
    for compute in flags.compute:
        try:
            said = _transcribed(folder, compute, flags, recordings)
        except PeerError as error:
            rows.append({"engine": f"faster-whisper {version}, {compute}", "reason": str(error)})
            continue
        for beam, heard in said["rows"].items():
            errors = Errors(0, 0, 0, 0)
            for recording, text in zip(recordings, heard["texts"], strict=True):
                errors += measure.count_errors(normalized(recording.text), normalized(text))
            rows.append(
                {
                    "engine": f"faster-whisper {version}, {compute}, beam {beam}",
                    "kind": "offline",
                    "audio_seconds": round(seconds, 1),
                    "words": errors.words,
                    "wer": round(100 * errors.rate, 2),
                    "substitutions": errors.substitutions,
                    "deletions": errors.deletions,
                    "insertions": errors.insertions,
                    "seconds": round(heard["seconds"], 2),
                    "cpu_per_audio_second": round(heard["cpu_seconds"] / seconds, 3),
                    "peak_rss_mb": round(said["peak_rss"] / 1e6),
                    "settings": f"WhisperModel(FOLDER, device='cpu', compute_type={compute!r}, "
                    f"cpu_threads={flags.threads}).transcribe(samples, language='en', "
                    f"beam_size={beam})",
                }
            )
    return rows


def _transcribed(
    folder: Path, compute: str, flags: argparse.Namespace, recordings: Sequence[Recording]
) -> Row:
    with tempfile.TemporaryDirectory() as sound:
        files = [str(Path(sound) / f"{index}.npy") for index in range(len(recordings))]
        for file, recording in zip(files, recordings, strict=True):
            np.save(file, recording.samples)
        task = {"model": str(weights_folder(flags.model)), "compute": compute, "files": files}
        task |= {"beams": flags.beams, "threads": flags.threads}
        # Several times slower than real time with each beam size means that it hangs.
        limit = flags.patience + 4 * len(flags.beams) * sum(r.seconds for r in recordings)
        try:
            ended = subprocess.run(
                [
                    str(executable(folder, "python")),
                    str(Path(__file__).with_name("peer_worker.py")),
                ],
                input=json.dumps(task),
                capture_output=True,
                text=True,
                timeout=limit,
                env={**os.environ, **OFFLINE, "OMP_NUM_THREADS": str(flags.threads)},
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"not done within {limit:.0f} s") from error
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    if ended.returncode:
        raise PeerError(lines[-1] if lines else "it ended without a word")
    answer: Row = json.loads(ended.stdout.splitlines()[-1])
    return answer


PEERS: dict[str, Callable[[argparse.Namespace, Sequence[Recording]], list[Row]]] = {
    "streamwhisper": hear_streamwhisper,
    "whisperlivekit-localagreement": hear_localagreement,
    "whisperlivekit-simulstreaming": hear_simulstreaming,
    "faster-whisper": hear_faster_whisper,
}


def _shown(command: Sequence[str]) -> str:
    """A command as a person would type it: no folders of this checkout or this home."""
    short = shlex.join([Path(command[0]).name, *command[1:]])
    return short.replace(f"{ROOT}{os.sep}", "").replace(str(Path.home()), "~")


def table(rows: Sequence[Row]) -> str:
    """The figures as Markdown tables, and the settings."""
    live = [row for row in rows if row.get("kind") == "streaming"]
    whole = [row for row in rows if row.get("kind") == "offline"]
    parts = []
    if live:
        parts += [
            "| streaming | WER | commit latency p50 / p90 / p95 | display latency p50 / p95 "
            "| end sent → done | unstable partial words | committed words changed later "
            "| CPU-s per s of audio | peak memory |\n" + "|---" * 9 + "|"
        ]
        parts[-1] += "".join(f"\n| {' | '.join(_live_cells(row))} |" for row in live)
    if whole:
        parts += ["| whole recordings | WER | took | CPU-s per s of audio | peak memory |"]
        parts[-1] += "\n" + "|---" * 5 + "|"
        parts[-1] += "".join(
            f"\n| {row['engine']} | {row['wer']} % | {row['seconds']} s "
            f"| {row['cpu_per_audio_second']} | {row['peak_rss_mb']} MB |"
            for row in whole
        )
    notes = [f"- {row['engine']}: not run: {row['reason']}" for row in rows if "reason" in row]
    notes += [f"- {row['engine']}: `{row['settings']}`" for row in rows if "settings" in row]
    return "\n\n".join([*parts, "\n".join(notes)])


def _live_cells(row: Row) -> list[str]:
    commit, display = row["commit_latency"], row["display_latency"]
    unstable = row["unstable_partial_words"]
    return [
        row["engine"],
        f"{row['wer']} % of {row['words']} words",
        " / ".join(f"{commit[share]:.2f}" for share in ("p50", "p90", "p95")) + " s",
        f"{display['p50']:.2f} / {display['p95']:.2f} s",
        f"{row['end_to_done']:.2f} s"
        if row["finished"]
        else f"not done after {row['waited']:g} s; the figures are of what came",
        "no partials" if unstable is None else f"{unstable} %",
        str(row["rewritten_words"]),
        str(row["cpu_per_audio_second"]),
        f"{row['peak_rss_mb']} MB",
    ]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = streaming.live_arguments(__doc__ or "", "longform/speaker-1284", "every engine")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument(
        "--patience", type=float, default=120.0, help="seconds after the last sound to wait"
    )
    parser.add_argument("--compute", nargs="+", default=["int8", "float32"], help="faster-whisper")
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 5], help="faster-whisper")
    return parser.parse_args()


def main() -> None:
    """Run every peer, print, and save where asked to."""
    flags = arguments()
    try:
        known_model(flags.model)
    except UnknownModelError as error:
        raise SystemExit(str(error)) from error
    folder = speech_folder()
    recordings = [load(folder, item, flags.gap, flags.limit) for item in flags.items]
    rows: list[Row] = []
    for name in flags.peers:
        print(f"running {name}", file=sys.stderr, flush=True)
        try:
            rows += PEERS[name](flags, recordings)
        except PeerError as error:
            rows.append({"engine": name, "reason": str(error)})
    result = heading(flags.model, flags.threads) | {
        "items": flags.items,
        "gap": flags.gap,
        "limit": flags.limit,
        "rows": rows,
    }
    report(result, table(rows), save=flags.save)


if __name__ == "__main__":
    main()
