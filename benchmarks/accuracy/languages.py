"""Streams in other languages: detected language, text and translation.

    python -m benchmarks languages --model base
    python -m benchmarks languages --model base --task translate --text

The clips of a language are joined with a pause after each and streamed on a virtual clock (see
``virtual.py``), once with the language given and once with language detection. The table compares
them with the greedy offline transcript of the same audio and weights. Whisper's basic normalizer
counts the words. Translations have no reference: the table shows how many words differ from the
offline translation, and how many words of an offline translation of each clip alone do, which is
what a change of context costs without any streaming.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.lib.measure import count_errors, normalize_any, percentile
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import Recording, clips, joined, normalized, speech_folder
from benchmarks.lib.virtual import VirtualStream, replaced
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.recognition import Task
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.transcribe import transcribe
from streamwhisper.whisper.fallback import FallbackOptions

UNLIKE = ["words unlike offline: streamed", "clips alone"]
LONGEST = 30.0
"""Seconds; the set has one clip that is longer, and as long as a whole window."""


def chosen(set_name: str, language: str, count: int) -> list[Recording]:
    """The first `count` clips of a language."""
    every = clips(speech_folder(), set_name, 10_000, LONGEST)
    return [clip for clip in every if clip.language == language][:count]


def offline(recognizer: LocalRecognizer, recording: Recording, language: str, task: Task) -> str:
    """What is heard of the whole recording at once, greedily, in one window after the other."""
    options = TranscriptionOptions(
        method="sequential",
        language=language,
        task=task,
        fallback=FallbackOptions(temperatures=(0.0,)),
    )
    return transcribe(recognizer, recording.samples, options).text


def streamed(
    recognizer: LocalRecognizer, recording: Recording, options: SessionOptions, pace: float
) -> dict[str, Any]:
    """What is committed: the text, its languages, and how late it came."""
    run = VirtualStream(recognizer, options, recording, pace).play()
    committed = [
        (at, event)
        for at, event in run.arrivals
        if isinstance(event, Committed) and event.text.strip()
    ]
    languages = [event.language for _, event in committed]
    late = [at - word.end for at, event in committed for word in event.words]
    words = [word for _, event in committed for word in event.words]
    times = [time for word in words for time in (word.start, word.end)]
    return {
        "text": run.text,
        "languages": [language for language, _ in itertools.groupby(languages)],
        "first": round(committed[0][0], 2) if committed else None,
        "latency": {f"p{rank}": round(percentile(late, rank / 100), 2) for rank in (50, 90)},
        "in_order": times == sorted(times),
        "unstable": round(100 * run.screen().unstable_ratio, 2),
    }


def counted(text: str, task: Task) -> list[str]:
    """The words of a text; a translation is English."""
    return normalized(text) if task == "translate" else normalize_any(text).split()


def differing(reference: Sequence[str], text: Sequence[str]) -> float:
    """The word error rate in per cent."""
    return round(100 * count_errors(reference, text).rate, 2)


def measured(
    recognizer: LocalRecognizer,
    spoken: Sequence[Recording],
    language: str,
    flags: argparse.Namespace,
) -> dict[str, Any]:
    """One language's row."""
    recording = joined(spoken, flags.gap)
    whole = offline(recognizer, recording, language, flags.task)
    said = recording.text if flags.task == "transcribe" else whole
    reference = counted(said, flags.task)
    row: dict[str, Any] = {"language": language, "seconds": round(recording.seconds, 1)}
    row["words"] = len(reference)
    row["offline"] = {"text": whole, "wer": differing(reference, counted(whole, flags.task))}
    settings: dict[str, str | LanguageDetection] = {"found": LanguageDetection(), "given": language}
    if flags.task == "translate":
        del settings["given"]  # there is no reference to compare it by
        alone = [joined([clip], flags.gap) for clip in spoken]
        texts = [offline(recognizer, each, language, flags.task) for each in alone]
        row["alone"] = {"text": " ".join(texts)}
        row["alone"]["wer"] = differing(reference, counted(row["alone"]["text"], flags.task))
    for name, setting in settings.items():
        options = SessionOptions(language=setting, task=flags.task)
        for change in flags.set:
            path, _, value = change.partition("=")
            options = replaced(options, path, value)
        row[name] = streamed(recognizer, recording, options, flags.pace)
        row[name]["wer"] = differing(reference, counted(row[name]["text"], flags.task))
    return row


def table(rows: Sequence[dict[str, Any]], task: Task) -> str:
    """The rows for people."""
    wer = task == "transcribe"
    head = ["language", "sound", "words"]
    head += ["WER: language found", "given", "offline, greedy"] if wer else UNLIKE
    head += ["languages on the text", "first text at", "committed after the word, p50 / p90"]
    head += ["unstable partial words"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for row in rows:
        found = row["found"]
        cells = [row["language"], f"{row['seconds']} s", row["words"]]
        compared = ("found", "given", "offline") if wer else ("found", "alone")
        rates = [row[name]["wer"] for name in compared]
        cells += [f"{rate} %" for rate in rates]
        cells += [", ".join(map(str, found["languages"])), f"{found['first']} s"]
        cells += [f"{found['latency']['p50']} / {found['latency']['p90']} s"]
        cells += [f"{found['unstable']} %"]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="base")
    parser.add_argument("--languages", nargs="+", default=["de", "fr", "es"])
    parser.add_argument("--task", default="transcribe", choices=["transcribe", "translate"])
    parser.add_argument("--clips", type=int, default=10, help="of each language, at most")
    parser.add_argument("--of", default="fleurs-cuttledoc", help="the set of clips")
    parser.add_argument("--gap", type=float, default=1.0, help="seconds between clips")
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE")
    parser.add_argument("--pace", type=float, default=0.12, help="seconds that a request takes")
    parser.add_argument("--text", action="store_true", help="print streamed and offline text")
    parser.add_argument("--json", action="store_true", help="print the JSON line alone")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=1))
    recognizer.warm_up()
    rows = []
    for language in flags.languages:
        spoken = chosen(flags.of, language, flags.clips)
        rows.append(measured(recognizer, spoken, language, flags))
        if flags.text:
            print(f"{language}, streamed: {rows[-1]['found']['text']}")
            print(f"{language}, offline: {rows[-1]['offline']['text']}", flush=True)
    result = {**heading(flags.model, 1), "task": flags.task, "gap": flags.gap, "rows": rows}
    if flags.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        report(result, table(rows, flags.task), save=flags.save)


if __name__ == "__main__":
    main()
