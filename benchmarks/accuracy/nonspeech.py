"""False text in audio without speech, and accuracy in noise.

    python -m benchmarks nonspeech --model base --clips 20

Streams run on a virtual clock (see ``virtual.py``). In silence, hum, noise and music every
committed word is a hallucination. Utterances with noise, with reverberation and over a telephone
are compared with the offline transcript (float32, padded, greedy) of the same samples.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace

from benchmarks.lib.conditions import conditions
from benchmarks.lib.live_run import Run
from benchmarks.lib.measure import Errors, count_errors, machine_line
from benchmarks.lib.speech import Recording, clips, normalized, speech_folder
from benchmarks.lib.virtual import VirtualStream
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.session.options import SessionOptions

Streamed = Callable[[Recording], VirtualStream]
SILENT_SETS = ("synthetic-nonspeech", "noise")
COUNTED_IN = {"noise/guitar_16k": 3.0}
"""Seconds at a recording's start in which somebody does speak: a guitarist counts to four."""


def words_from(run: Run, start: float) -> list[str]:
    """The committed words that begin at `start` seconds or later."""
    committed = (event for _, event in run.arrivals if isinstance(event, Committed))
    return [word.word for event in committed for word in event.words if word.start >= start]


def invented_per_minute(streamed: Streamed) -> float:
    """Stream recordings in which nobody speaks; print a table, return committed words a minute."""
    print("| nobody speaks | seconds | requests | committed words |\n|---|---|---|---|")
    folder = speech_folder()
    silent = [clip for name in SILENT_SETS for clip in clips(folder, name, 100, longest=1e9)]
    invented, seconds = 0, 0.0
    for clip in silent:
        stream = streamed(clip)
        words = words_from(stream.play(), COUNTED_IN.get(clip.key, 0.0))
        invented += len(words)
        seconds += clip.seconds - COUNTED_IN.get(clip.key, 0.0)
        said = f"{len(words)} {' '.join(words)[:60]}".strip()
        print(f"| {clip.key} | {clip.seconds:.0f} | {stream.requests} | {said} |", flush=True)
    per_minute = 60 * invented / seconds
    print(f"\n{per_minute:.2f} words a minute\n")
    return per_minute


def error_rates(
    streamed: Streamed, yardstick: LocalRecognizer, flags: argparse.Namespace
) -> dict[str, dict[str, float]]:
    """Transcribe clips in all conditions, live and whole; print a table, return WER in percent."""
    chosen = clips(speech_folder(), "ls-dev", flags.clips)
    print("| condition | streamed WER | offline WER |\n|---|---|---|")
    rates = {}
    for name, render in conditions(speech_folder(), flags.snrs).items():
        live, offline = Errors(0, 0, 0, 0), Errors(0, 0, 0, 0)
        for index, clip in enumerate(chosen):
            rendered = replace(clip, samples=render(index, clip.samples))
            reference = normalized(clip.text)
            live += count_errors(reference, normalized(streamed(rendered).play().text))
            request = RecognitionRequest(mel=log_mel(rendered.samples), language="en")
            answer = yardstick.recognize([request])[0]
            offline += count_errors(reference, normalized(answer.text))
        rates[name] = {
            "streamed": round(100 * live.rate, 2),
            "offline": round(100 * offline.rate, 2),
        }
        print(f"| {name} | {rates[name]['streamed']} % | {rates[name]['offline']} % |", flush=True)
    return rates


def main() -> None:
    """Measure, print two tables and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--clips", type=int, default=20, help="utterances for each condition")
    parser.add_argument("--snrs", type=float, nargs="*", default=[20, 10, 5, 0])
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=flags.threads))
    recognizer.warm_up()
    yardstick = LocalRecognizer.load(
        flags.model, LocalOptions(dtype="float32", threads=flags.threads, silent_tail=False)
    )

    def streamed(recording: Recording) -> VirtualStream:
        return VirtualStream(recognizer, SessionOptions(language="en"), recording)

    print(f"{flags.model} on {machine_line(flags.threads)}\n")
    per_minute = invented_per_minute(streamed)
    rates = error_rates(streamed, yardstick, flags)
    print(json.dumps({"model": flags.model, "invented_words_per_minute": per_minute, "wer": rates}))


if __name__ == "__main__":
    main()
