"""Live and offline accuracy of isolated utterances and long recordings, in good and bad audio.

    python -m benchmarks live --conditions clean telephone --clips 100
    python -m benchmarks live --set update_interval=0.3 --out live.jsonl

Each utterance gets 0.3 s of silence before and 0.8 s after it. It is streamed on a virtual clock
(see ``lib/virtual.py``) in which each request takes 0.06 s, so that the text depends on the
settings only, and it is transcribed offline with the same weights. The table shows both word error
rates, and their difference (the cost of streaming) with a 95 % interval of a paired bootstrap over
the clips. With ``--out`` each clip is written to a file, and a run goes on where another stopped.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.bootstrap import interval, resampled
from benchmarks.lib.conditions import conditions
from benchmarks.lib.measure import Errors, count_errors, machine_line
from benchmarks.lib.speech import SAMPLE_RATE, Recording, clips, load, normalized, speech_folder
from benchmarks.lib.virtual import VirtualStream, session_options
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.session.options import SessionOptions
from streamwhisper.transcription.transcribe import transcribe

BEFORE, AFTER = 0.3, 0.8
PACE = 0.06
SNRS = (10.0, 5.0, 0.0)
LONG = "long"
"""Condition of whole recordings, clean."""
FIGURES = ("audio", "computed", "stray")


def chosen_clips(set_name: str, count: int) -> list[Recording]:
    """Return clips that are spread evenly over a set, and so over its speakers."""
    every = clips(speech_folder(), set_name, 10_000)
    return every[:: max(1, len(every) // count)][:count]


def padded(clip: Recording) -> Recording:
    """Return an utterance between two silences."""
    before, after = (np.zeros(round(s * SAMPLE_RATE), np.float32) for s in (BEFORE, AFTER))
    return replace(clip, samples=np.concatenate([before, clip.samples, after]))


def recordings(flags: argparse.Namespace) -> Iterator[tuple[str, Recording]]:
    """Yield each condition with each recording."""
    renders = conditions(speech_folder(), SNRS)
    every = chosen_clips(flags.speech, flags.clips)
    for condition in flags.conditions:
        if condition == LONG:
            for item in flags.items:
                yield LONG, load(speech_folder(), item, 0.3)
            continue
        for index, clip in enumerate(every):
            rendered = replace(clip, samples=renders[condition](index, clip.samples))
            yield condition, padded(rendered)


def measured(
    recognizer: LocalRecognizer, options: SessionOptions, recording: Recording
) -> dict[str, Any]:
    """Stream and transcribe one recording."""
    began = time.process_time()
    stream = VirtualStream(recognizer, options, recording, PACE)
    run = stream.play()
    computed = time.process_time() - began
    committed = [event for _, event in run.arrivals if isinstance(event, Committed)]
    return {
        "live": run.text,
        "offline": str(transcribe(recognizer, recording.samples, language="en")),
        "reference": recording.text,
        "audio": round(recording.seconds, 2),
        "computed": round(computed, 2),
        "stray": stray_signs([event.text for event in committed if event.text.strip()]),
    }


def stray_signs(texts: list[str]) -> int:
    """Count texts that begin with punctuation, or in lower case after the end of a sentence."""
    joined = "".join(texts)
    low = len(re.findall(r"(?<=\w\w[.?!]) [a-z]", joined))
    return low + sum(bool(re.match(r"\s*[,.;:?!]", text)) for text in texts[:1])


def summary(condition: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the figures of one condition."""
    live, offline = ([_errors(row, path) for row in rows] for path in ("live", "offline"))
    low, high = interval(100 * (resampled(live) - resampled(offline)))
    words = sum(errors.words for errors in live)
    rates = [100 * sum(errors.total for errors in path) / words for path in (live, offline)]
    audio, computed, stray = (sum(row[name] for row in rows) for name in FIGURES)
    return {
        "condition": condition,
        "words": words,
        "live": round(rates[0], 2),
        "offline": round(rates[1], 2),
        "cost": round(rates[0] - rates[1], 2),
        "interval": [round(low, 2), round(high, 2)],
        "first_words": [_ends(rows, path, 0) for path in ("live", "offline")],
        "last_words": [_ends(rows, path, -1) for path in ("live", "offline")],
        "stray": stray,
        "cpu": round(computed / audio, 3),
    }


def _errors(row: dict[str, Any], path: str) -> Errors:
    return count_errors(normalized(row["reference"]), normalized(row[path]))


def _ends(rows: list[dict[str, Any]], path: str, place: int) -> int:
    """Count clips whose first or last word was heard."""
    pairs = [(normalized(row["reference"]), normalized(row[path])) for row in rows]
    return sum(bool(said and heard and said[place] == heard[place]) for said, heard in pairs)


def known_rows(file: Path | None) -> dict[str, dict[str, Any]]:
    """Return the rows of an earlier run."""
    if file is None or not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {row["key"]: row for row in map(json.loads, lines)}


def main() -> None:
    """Measure, print a table and a JSON line."""
    names = [*conditions(speech_folder(), SNRS), LONG]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--conditions", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--speech", default="ls-dev", metavar="SET", help="set of the utterances")
    parser.add_argument("--clips", type=int, default=100, help="utterances for each condition")
    parser.add_argument("--items", nargs="+", default=["longform/speaker-1284"], metavar="ID")
    parser.add_argument("--latency", default="balanced")
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE")
    parser.add_argument("--out", type=Path, help="file to which each clip is written")
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=flags.threads))
    recognizer.warm_up()
    options = session_options(flags.latency, flags.set)
    print(f"{flags.model} {flags.latency} {' '.join(flags.set)} on {machine_line(flags.threads)}\n")
    print("| condition | words | live WER | offline WER | cost (95 %) | first, last words | CPU |")
    print("|---|---|---|---|---|---|---|")
    known = known_rows(flags.out)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in flags.conditions}
    for condition, recording in recordings(flags):
        key = " | ".join([flags.model, flags.latency, *flags.set, condition, recording.key])
        if key not in known:
            known[key] = {"key": key, **measured(recognizer, options, recording)}
            if flags.out is not None:
                with flags.out.open("a", encoding="utf-8") as file:
                    print(json.dumps(known[key], ensure_ascii=False), file=file)
        rows[condition].append(known[key])
    found = [summary(condition, own) for condition, own in rows.items()]
    for row in found:
        low, high = row["interval"]
        print(
            f"| {row['condition']} | {row['words']} | {row['live']:.2f} % | {row['offline']:.2f} % "
            f"| {row['cost']:+.2f} ({low:+.2f} to {high:+.2f}) "
            f"| {row['first_words']}, {row['last_words']} | {row['cpu']:.3f} s/s |",
            flush=True,
        )
    print(json.dumps({"model": flags.model, "settings": flags.set, "rows": found}))


if __name__ == "__main__":
    main()
