"""Live and offline accuracy of isolated utterances and long recordings, in good and bad audio.

    python -m benchmarks live --conditions clean telephone --clips 100
    python -m benchmarks live --conditions clean "pause, 0.7 s"
    python -m benchmarks live --set update_interval=0.3 --out live.jsonl
    python -m benchmarks live --model base --speech fleurs-cuttledoc --language de
    python -m benchmarks live --conditions clean --causes

Each utterance gets 0.3 s of silence before and 0.8 s after it. It is streamed on a virtual clock
(see ``lib/virtual.py``) in which each request takes 0.06 s, so that the text depends on the
settings only, and it is transcribed offline with the same weights. The table shows both word error
rates, and their difference (the cost of streaming) with a 95 % interval of a paired bootstrap over
the clips; the commit latency (p50 and p95, of words whose times were checked) and the calibration
of the confidences (expected error over ten bins). With ``--out`` each clip is written to a file
and a run goes on where another stopped. ``--causes`` repeats each condition without one
possible cause of errors at a time: reused encodings, early commits, cuts of the window, ends of
utterances at short pauses. A ``pause`` is digital silence after the word in the middle.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lib.bootstrap import interval, resampled
from benchmarks.lib.conditions import conditions
from benchmarks.lib.measure import (
    Errors,
    align,
    count_errors,
    latencies,
    machine_line,
    normalize_any,
    percentile,
)
from benchmarks.lib.pauses import middle_end, paused
from benchmarks.lib.repeats import extra_repeats
from benchmarks.lib.speech import (
    SAMPLE_RATE,
    Recording,
    clips,
    load,
    normalized,
    speech_folder,
    tokens,
)
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
PAUSES = {f"pause, {seconds:g} s": seconds for seconds in (0.5, 0.7, 1.0, 1.5)}
REPLACEMENT = "\ufffd"
"""What decoders write for bytes that are no character."""
FIGURES = ("audio", "computed", "stray")
BINS = 10
CAUSES = {
    "no reuse": ["window.fresh_below=30"],
    "no early commit": ["agreement.max_change_risk=0"],
    "no cut": ["window.trim_after=28"],
    "no short pauses": ["gate.silence=2", 'endpoint.kind="fixed"'],
}
"""Changes of the settings, each of which switches one possible cause of errors off."""


def chosen_clips(set_name: str, count: int, language: str = "en") -> list[Recording]:
    """Return clips in a language that are spread evenly over a set, and so over its speakers."""
    every = clips(speech_folder(), set_name, 10_000)
    every = [clip for clip in every if (clip.language or "en") == language]
    return every[:: max(1, len(every) // count)][:count]


def padded(clip: Recording) -> Recording:
    """Return an utterance between two silences."""
    before, after = (np.zeros(round(s * SAMPLE_RATE), np.float32) for s in (BEFORE, AFTER))
    words = tuple(replace(w, end=None if w.end is None else w.end + BEFORE) for w in clip.words)
    return replace(clip, samples=np.concatenate([before, clip.samples, after]), words=words)


def recordings(flags: argparse.Namespace) -> Iterator[tuple[str, Recording]]:
    """Yield each condition with each recording."""
    renders = conditions(speech_folder(), SNRS)
    every = chosen_clips(flags.speech, flags.clips, flags.language)
    for condition in flags.conditions:
        if condition == LONG:
            for item in flags.items:
                yield LONG, load(speech_folder(), item, 0.3)
            continue
        for index, clip in enumerate(every):
            if condition in PAUSES:
                at = middle_end(clip.words)
                if at is not None:
                    yield condition, padded(paused(clip, at, PAUSES[condition]))
                continue
            rendered = replace(clip, samples=renders[condition](index, clip.samples))
            yield condition, padded(rendered)


def measured(
    recognizer: LocalRecognizer, options: SessionOptions, recording: Recording
) -> dict[str, Any]:
    """Stream and transcribe one recording."""
    began = time.process_time()
    language = recording.language or "en"
    options = replace(options, language=language)
    stream = VirtualStream(recognizer, options, recording, PACE)
    run = stream.play()
    computed = time.process_time() - began
    committed = [event for _, event in run.arrivals if isinstance(event, Committed)]
    return {
        "live": run.text,
        "offline": str(transcribe(recognizer, recording.samples, language=language)),
        "reference": recording.text,
        "language": language,
        "audio": round(recording.seconds, 2),
        "computed": round(computed, 2),
        "stray": stray_signs([event.text for event in committed if event.text.strip()]),
        "latencies": [round(s, 2) for s in latencies(recording.words, run.heard(), run.sent)],
        "confidences": judged(
            tokens(recording.text),
            [
                (token, word.confidence)
                for event in committed
                for word in event.words
                for token in tokens(word.word)
            ],
        ),
    }


def judged(
    reference: Sequence[str], heard: Sequence[tuple[str, float]]
) -> list[tuple[float, bool]]:
    """Return each committed word's confidence, and whether the word is right."""
    pairs = align(reference, [word for word, _ in heard])
    return [
        (round(heard[j][1], 3), i is not None and reference[i] == heard[j][0])
        for i, j in pairs
        if j is not None
    ]


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float:
    """Return the expected calibration error in percent, over bins of equal width."""
    total = 0.0
    for index in range(BINS):
        own = [pair for pair in pairs if min(BINS - 1, int(pair[0] * BINS)) == index]
        total += abs(sum(confidence - right for confidence, right in own))
    return 100 * total / len(pairs) if pairs else 0.0


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
    waits = [seconds for row in rows for seconds in row["latencies"]]
    confidences = [tuple(pair) for row in rows for pair in row["confidences"]]
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
        "commit": [round(percentile(waits, share), 2) for share in (0.5, 0.95)] if waits else None,
        "calibration": round(calibration_error(confidences), 1),
        "repeats": _extra_repeats(rows),
        "broken": sum(row["live"].count(REPLACEMENT) for row in rows),
        "cpu": round(computed / audio, 3),
    }


def _extra_repeats(rows: list[dict[str, Any]]) -> list[str]:
    """Return the phrases that only the live text repeats."""
    texts = ([_words(row, path) for path in ("live", "offline", "reference")] for row in rows)
    return [" ".join(phrase) for own in texts for phrase in extra_repeats(*own)]


def _errors(row: dict[str, Any], path: str) -> Errors:
    return count_errors(_words(row, "reference"), _words(row, path))


def _words(row: dict[str, Any], path: str) -> list[str]:
    text = row[path]
    return normalized(text) if row["language"] == "en" else normalize_any(text).split()


def _ends(rows: list[dict[str, Any]], path: str, place: int) -> int:
    """Count clips whose first or last word was heard."""
    pairs = [(_words(row, "reference"), _words(row, path)) for row in rows]
    return sum(bool(said and heard and said[place] == heard[place]) for said, heard in pairs)


def known_rows(file: Path | None) -> dict[str, dict[str, Any]]:
    """Return the rows of an earlier run."""
    if file is None or not file.is_file():
        return {}
    lines = file.read_text(encoding="utf-8").splitlines()
    return {row["key"]: row for row in map(json.loads, lines)}


def measured_rows(
    recognizer: LocalRecognizer, flags: argparse.Namespace, changes: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each condition with changed settings; known ones are not repeated."""
    options = session_options(flags.latency, changes)
    known = known_rows(flags.out)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in flags.conditions}
    for condition, recording in recordings(flags):
        key = " | ".join([flags.model, flags.latency, *changes, condition, recording.key])
        if key not in known:
            known[key] = {"key": key, **measured(recognizer, options, recording)}
            if flags.out is not None:
                with flags.out.open("a", encoding="utf-8") as file:
                    print(json.dumps(known[key], ensure_ascii=False), file=file)
        rows[condition].append(known[key])
    return rows


def table_row(found: dict[str, Any]) -> str:
    """Return one condition's line of the table."""
    low, high = found["interval"]
    commit = "{} / {} s".format(*found["commit"]) if found["commit"] else "-"
    return (
        f"| {found['condition']} | {found['words']} "
        f"| {found['live']:.2f}, {found['offline']:.2f} % "
        f"| {found['cost']:+.2f} ({low:+.2f} to {high:+.2f}) | {commit} "
        f"| {found['calibration']} % | {found['cpu']:.3f} s/s |"
    )


def main() -> None:
    """Measure, print a table and a JSON line."""
    names = [*conditions(speech_folder(), SNRS), LONG]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument(
        "--conditions", nargs="+", default=names, choices=[*names, *PAUSES], metavar="NAME"
    )
    parser.add_argument("--speech", default="ls-dev", metavar="SET", help="set of the utterances")
    parser.add_argument("--language", default="en", help="of the utterances")
    parser.add_argument("--causes", action="store_true", help="switch causes of errors off in turn")
    parser.add_argument("--clips", type=int, default=100, help="utterances for each condition")
    parser.add_argument("--items", nargs="+", default=["longform/speaker-1284"], metavar="ID")
    parser.add_argument("--latency", default="balanced")
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE")
    parser.add_argument("--out", type=Path, help="file to which each clip is written")
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=flags.threads))
    recognizer.warm_up()
    print(f"{flags.model} {flags.latency} {' '.join(flags.set)} on {machine_line(flags.threads)}\n")
    print("| condition | words | live, offline WER | cost (95 %) | commit | calibration | CPU |")
    print("|---|---|---|---|---|---|---|")
    found = []
    for cause, changes in {"": [], **(CAUSES if flags.causes else {})}.items():
        for condition, rows in measured_rows(recognizer, flags, [*flags.set, *changes]).items():
            name = f"{condition}, {cause}" if cause else condition
            found.append(summary(name, rows))
            print(table_row(found[-1]), flush=True)
    print(json.dumps({"model": flags.model, "settings": flags.set, "rows": found}))


if __name__ == "__main__":
    main()
