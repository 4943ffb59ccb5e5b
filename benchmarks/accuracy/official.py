"""Offline word error rate of a whole test set, beside other Whisper engines.

    python -m benchmarks official --model tiny.en --folder ls-dev

All systems transcribe an utterance before the next one starts, with the same audio and weights
and one thread each. The folder keeps every transcript as one JSON line. An interrupted command
continues where it stopped and prints the table when all transcripts are there. Use a new folder
after a change of the code. Clips come in a seeded random order, so the clips so far are a fair
sample at any time. ``--part`` limits slow systems to the first part of them.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import random
import sys
import tempfile
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.bootstrap import interval, resampled
from benchmarks.lib.measure import Errors, count_errors
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import Recording, clips, normalized, speech_folder
from benchmarks.peers.offline_speed import Engine, worker
from benchmarks.peers.peer_setup import environment, executable, weights_folder
from benchmarks.peers.peers import FASTER_WHISPER

__all__ = ["Heard", "System", "compare", "read", "remaining", "shuffled", "systems", "table"]

SEED = 0
REFERENCE = "openai-whisper"
LONGEST = 30.0


@dataclass(frozen=True, slots=True)
class System:
    """An engine with its precision, its way to hear and its search."""

    title: str
    engine: str
    compute: str
    way: str
    beam: int

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.title}, {'greedy' if self.beam == 1 else f'beam {self.beam}'}"

    @property
    def is_reference(self) -> bool:
        """Whether others are compared with it."""
        return self.title.startswith(REFERENCE)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a system heard in a clip, and what that took."""

    system: str
    clip: str
    text: str
    temperature: float
    seconds: float
    cpu_seconds: float


def systems() -> list[System]:
    """All that are compared."""
    faster = FASTER_WHISPER[0].replace("==", " ")
    reference = f"{REFERENCE} {importlib.metadata.version(REFERENCE)}"
    ways = [
        ("streamwhisper, float32, padded", "streamwhisper", "float32", "sequential"),
        ("streamwhisper, float32, silent tail", "streamwhisper", "float32", "chunked"),
        ("streamwhisper, int8, silent tail", "streamwhisper", "int8", "chunked"),
        (f"{reference}, float32", "openai_whisper", "float32", "sequential"),
        (f"{faster}, float32", "faster_whisper", "float32", "sequential"),
        (f"{faster}, int8", "faster_whisper", "int8", "sequential"),
    ]
    return [System(*way, beam) for way in ways for beam in (1, 5)]


def shuffled(recordings: Sequence[Recording]) -> list[Recording]:
    """The order in which clips are heard, the same every time."""
    order = sorted(recordings, key=lambda recording: recording.key)
    random.Random(SEED).shuffle(order)
    return order


def read(file: Path) -> list[Heard]:
    """What was heard before; a last line that an interruption cut short is removed from the file.

    Raises:
        ValueError: another line is not what this command writes.
    """
    if not file.is_file():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        file.write_bytes(whole)
    found = []
    for number, line in enumerate(whole.decode("utf-8").splitlines(), 1):
        try:
            found.append(Heard(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{file}, line {number}: {error}; expected what this command wrote: remove the "
                "line to have it heard again, or take a fresh folder"
            ) from error
    return found


def remaining(
    compared: Sequence[System],
    order: Sequence[str],
    known: Container[tuple[str, str]],
    part: Container[str] = (),
    share: float = 1.0,
) -> dict[str, list[System]]:
    """The systems by which each clip is still to be heard.

    Args:
        compared: all systems.
        order: the keys of clips, in the order in which they are heard.
        known: names of systems with keys of clips, heard before.
        part: names of systems that hear the first part alone.
        share: of the clips (0 to 1) that is this part.
    """
    enough = math.ceil(len(order) * share)
    return {
        clip: [
            system
            for system in compared
            if (system.name, clip) not in known and (index < enough or system.name not in part)
        ]
        for index, clip in enumerate(order)
    }


def hear(
    flags: argparse.Namespace,
    left: Mapping[str, Sequence[System]],
    recordings: Sequence[Recording],
    stack: ExitStack,
) -> Iterator[Heard]:
    """Let the systems that are left hear each clip; `left` goes by the clips' keys."""
    engines = _start(flags, {system for some in left.values() for system in some}, stack)
    file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "clip.npy"
    for index, recording in enumerate(recordings, 1):
        np.save(file, recording.samples)
        for system in left[recording.key]:
            answer = engines[system].hear(file)
            fields = ("text", "temperature", "seconds", "cpu_seconds")
            yield Heard(system.name, recording.key, *(answer[field] for field in fields))
        if not index % 10:
            print(f"{index} of {len(recordings)} clips", file=sys.stderr, flush=True)


def _start(
    flags: argparse.Namespace, wanted: set[System], stack: ExitStack
) -> dict[System, Engine]:
    """An engine for each system, warmed up; those of one engine and precision share a worker."""
    processes: dict[tuple[str, str], Any] = {}
    engines = {}
    warm = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "warm.npy"
    np.save(warm, np.random.default_rng(SEED).normal(0, 0.01, 3 * 16000).astype(np.float32))
    for system in systems():
        if system not in wanted:
            continue
        key = system.engine, system.compute
        if key not in processes:
            python, model = Path(sys.executable), flags.model
            if system.engine == "faster_whisper":
                folder = environment("faster-whisper", FASTER_WHISPER, torch=False)
                python, model = executable(folder, "python"), str(weights_folder(flags.model))
            arguments = [system.engine, model, system.compute]
            processes[key] = stack.enter_context(worker(python, arguments, threads=1))
        engines[system] = Engine(system.name, processes[key], system.beam, system.way)
        engines[system].hear(warm)
    return engines


def figures(
    name: str, heard: Sequence[Heard], errors: Mapping[str, Errors], seconds: Mapping[str, float]
) -> dict[str, Any]:
    """A row of the table.

    Args:
        name: of the system.
        heard: by it.
        errors: of each clip that it heard.
        seconds: of each clip.
    """
    own = [errors[one.clip] for one in heard]
    total = sum(own, Errors(0, 0, 0, 0))
    audio = sum(seconds[one.clip] for one in heard)
    took = sum(one.seconds for one in heard)
    return {
        "system": name,
        "clips": len(heard),
        "wer": round(100 * total.rate, 2),
        "interval": [round(100 * end, 2) for end in interval(resampled(own))],
        "errors": total.total,
        "words": total.words,
        "substitutions": total.substitutions,
        "deletions": total.deletions,
        "insertions": total.insertions,
        "seconds": round(took, 1),
        "real_time_factor": round(took / audio, 4),
        "cpu_per_audio_second": round(sum(one.cpu_seconds for one in heard) / audio, 4),
        "drawn": sum(one.temperature > 0 for one in heard),
    }


def apart(errors: Mapping[str, Errors], reference: Mapping[str, Errors]) -> list[float]:
    """Points of error rate above a reference on the clips of both, and the ends of its interval."""
    both = sorted(errors.keys() & reference.keys())
    own, other = ([some[clip] for clip in both] for some in (errors, reference))
    nothing = Errors(0, 0, 0, 0)
    middle = sum(own, nothing).rate - sum(other, nothing).rate
    ends = interval(resampled(own) - resampled(other))
    return [round(100 * value, 2) for value in (middle, *ends)]


def differences(own: Sequence[Heard], reference: Sequence[Heard]) -> list[tuple[Heard, Heard]]:
    """Clips that both heard whose texts are not the same to the letter."""
    others = {one.clip: one for one in reference}
    pairs = [(one, others[one.clip]) for one in own if one.clip in others]
    return [(one, other) for one, other in pairs if one.text.strip() != other.text.strip()]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        (
            f"| | WER (95 %) | errors of words | sub / del / ins | points above {REFERENCE} (95 %) "
            "| texts not the same | drawn | took | real-time factor | CPU-s per s of audio |"
        ),
        "|---" * 10 + "|",
    ]
    for row in rows:
        low, high = row["interval"]
        part = "" if row["clips"] == row["of"] else f" ({row['clips']} of {row['of']} clips)"
        points = ""
        if row["apart"]:
            points = "{:+.2f} ({:+.2f} to {:+.2f})".format(*row["apart"])
        cells = [
            f"{row['system']}{part}",
            f"{row['wer']:.2f} % ({low:.2f} to {high:.2f})",
            f"{row['errors']} of {row['words']}",
            f"{row['substitutions']} / {row['deletions']} / {row['insertions']}",
            points,
            "{} of {}".format(*row["different"]) if row["different"] else "",
            str(row["drawn"]),
            f"{row['seconds']:.0f} s",
            f"{row['real_time_factor']:.3f}",
            f"{row['cpu_per_audio_second']:.3f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def compare(
    compared: Sequence[System], heard: Sequence[Heard], recordings: Sequence[Recording]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the table, and every text of the padded search that is not the reference's."""
    spoken = {recording.key: normalized(recording.text) for recording in recordings}
    seconds = {recording.key: recording.seconds for recording in recordings}
    of = {system: [h for h in heard if h.system == system.name] for system in compared}
    errors = {
        system: {h.clip: count_errors(spoken[h.clip], normalized(h.text)) for h in some}
        for system, some in of.items()
    }
    references = {system.beam: system for system in compared if system.is_reference}
    rows, told = [], []
    for system in (system for system in compared if of[system]):
        row = figures(system.name, of[system], errors[system], seconds)
        row |= {"of": len(recordings), "apart": None, "different": None}
        reference = references.get(system.beam)
        if reference and reference != system and of[reference]:
            row["apart"] = apart(errors[system], errors[reference])
            unlike = differences(of[system], of[reference])
            row["different"] = [len(unlike), len(errors[system].keys() & errors[reference].keys())]
            if system.way == "sequential" and system.engine == "streamwhisper":
                told += [
                    f"{system.name}, {a.clip}: temperatures {a.temperature:g}, "
                    f"{b.temperature:g}\n    here      {a.text}\n    reference {b.text}"
                    for a, b in unlike
                ]
        rows.append(row)
    return rows, told


def main() -> None:
    """Hear what was not heard yet; print the table, the differences and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [system.name for system in systems()]
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--set", default="ls-dev", help="of the speech folder's manifest")
    parser.add_argument("--folder", type=Path, required=True, help="keeps what was heard")
    parser.add_argument("--clips", type=int, help="the first of the shuffled order; default: all")
    parser.add_argument("--part", nargs="*", default=[], choices=names, metavar="SYSTEM")
    parser.add_argument("--share", type=float, default=0.5, help="of the clips, for --part")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    if not 0 < flags.share <= 1:
        parser.error(f"--share is {flags.share:g}; expected more than 0, at most 1")
    order = shuffled(clips(speech_folder(), flags.set, sys.maxsize, LONGEST))[: flags.clips]
    if not order:
        parser.error(f"no clips of --set {flags.set} with --clips {flags.clips}")
    file = flags.folder / f"{Path(flags.model).name}.jsonl"
    try:
        known = {(one.system, one.clip): one for one in read(file)}
    except ValueError as error:
        raise SystemExit(str(error)) from error
    left = remaining(
        systems(), [recording.key for recording in order], known, flags.part, flags.share
    )
    flags.folder.mkdir(parents=True, exist_ok=True)
    todo = [recording for recording in order if left[recording.key]]
    with ExitStack() as stack, file.open("a", encoding="utf-8") as kept:
        for one in hear(flags, left, todo, stack):
            known[one.system, one.clip] = one
            print(json.dumps(asdict(one), ensure_ascii=False), file=kept, flush=True)
    heard = [known[pair] for pair in sorted(known) if pair[1] in left]
    rows, told = compare(systems(), heard, order)
    seconds = sum(recording.seconds for recording in order)
    text = f"{len(order)} utterances of {flags.set}, {seconds:.0f} s.\n\n{table(rows)}"
    print("\n".join(told), file=sys.stderr)
    result = heading(flags.model, 1) | {"set": flags.set, "rows": rows}
    report(result, text, save=flags.save)


if __name__ == "__main__":
    main()
