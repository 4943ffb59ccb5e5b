"""Streaming on a virtual clock: the engine only, faster than real time, one setting at a time.

    python -m benchmarks virtual --model base --set update_interval=0.3 window.trim_after=6

A session receives each 100 ms chunk when a microphone would deliver it. The clock stands still
while nothing is computed. It advances by the time that recognition takes, or with ``--pace`` by a
fixed time per request; then the text depends on the settings only, not on the load of the machine.
Use it to compare settings; ``streaming.py`` measures what a user sees.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from typing import Any, get_args

from benchmarks.latency.streaming import figures
from benchmarks.lib.live_run import Run
from benchmarks.lib.measure import machine_line, met
from benchmarks.lib.speech import SAMPLE_RATE, Recording, load, normalized, speech_folder
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed, Partial
from streamwhisper.session.options import Latency, SessionOptions
from streamwhisper.session.session import Session

CHUNK = SAMPLE_RATE // 10
JOIN_SECONDS = 0.8
"""An utterance whose last word ends this close to the end of a clip ends with the clip."""


class VirtualStream:
    """One recording's way through a session on a virtual clock."""

    def __init__(
        self,
        recognizer: LocalRecognizer,
        options: SessionOptions,
        recording: Recording,
        pace: float | None = None,
    ) -> None:
        self.recognizer = recognizer
        self.pace = pace
        self.run = Run(recording)
        self.session = Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), options)
        self.clock = 0.0
        self.computed = 0.0
        self.requests = 0
        self._sent = 0

    def play(self) -> Run:
        """Run it to the end."""
        samples = self.run.recording.samples
        while self._sent < len(samples):
            self.clock = max(self.clock, (self._sent + CHUNK) / SAMPLE_RATE)
            self._hear()
            self._answer()
        self.session.end()
        self.run.end_sent = self.clock
        while not self.session.done:
            self._answer()
        self.run.cpu_seconds = self.computed
        return self.run

    def utterance_ends(self) -> list[float]:
        """Where the last word of each utterance ends, in audio seconds."""
        committed = [event for _, event in self.run.arrivals if isinstance(event, Committed)]
        ends: dict[int, float] = {}
        for event in committed:
            if event.text.strip():
                ends[event.utterance] = event.end
        return list(ends.values())

    def _hear(self) -> None:
        """Send every chunk that is due."""
        samples = self.run.recording.samples
        while self._sent < len(samples) and self._sent + CHUNK <= self.clock * SAMPLE_RATE + 1:
            chunk = samples[self._sent : self._sent + CHUNK]
            self._sent += CHUNK
            self.run.chunk_ends.append(self._sent / SAMPLE_RATE)
            self.run.moments.append(self._sent / SAMPLE_RATE)
            self.session.receive_audio(chunk.astype("<f4").tobytes())

    def _answer(self) -> None:
        began = time.perf_counter()
        request = self.session.next_request()
        if request is not None:
            self.requests += 1
            hypothesis = self.recognizer.recognize([request])[0]
            self.session.receive_hypothesis(hypothesis)
        took = time.perf_counter() - began
        self.computed += took
        self.clock += took if self.pace is None else self.pace * (request is not None)
        for event in self.session.events():
            if isinstance(event, Committed | Partial):
                self.run.arrivals.append((self.clock, event))


def replaced(options: Any, path: str, value: str) -> Any:
    """A copy of nested dataclasses with the field at a dotted `path` set."""
    name, _, rest = path.partition(".")
    old = getattr(options, name)
    new = replaced(old, rest, value) if rest else type(old)(json.loads(value))
    return dataclasses.replace(options, **{name: new})


def session_options(latency: Latency, changes: Sequence[str]) -> SessionOptions:
    """Options for one latency setting, with changes such as ``"window.trim_after=6"``."""
    options = SessionOptions(language="en").tuned(latency)
    for change in changes:
        path, _, value = change.partition("=")
        options = replaced(options, path, value)
    return options


def measured(
    recognizer: LocalRecognizer,
    options: SessionOptions,
    recordings: Sequence[Recording],
    pace: float | None,
) -> tuple[dict[str, Any], list[VirtualStream]]:
    """All figures of the recordings, streamed one after the other, and the streams."""
    streams = [VirtualStream(recognizer, options, each, pace) for each in recordings]
    result = figures([stream.play() for stream in streams])
    requests = sum(stream.requests for stream in streams)
    result["requests"] = requests
    ends = [stream.utterance_ends() for stream in streams]
    pairs = [(s.run.recording.joins, e) for s, e in zip(streams, ends, strict=True)]
    result["utterances"] = sum(map(len, ends))
    result["joins"] = sum(len(joins) for joins, _ in pairs)
    result["joins_met"] = sum(met(joins, e, JOIN_SECONDS) for joins, e in pairs)
    result["mid_clip"] = sum(len(e) - met(e, joins, JOIN_SECONDS) for joins, e in pairs)
    result["ms_per_request"] = round(1000 * sum(s.computed for s in streams) / requests, 1)
    return result, streams


def argument_parser(description: str) -> argparse.ArgumentParser:
    """The flags that say what is streamed through what."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--items", nargs="+", default=["longform/speaker-1284"], metavar="ID")
    parser.add_argument("--gap", type=float, default=0.3)
    parser.add_argument("--limit", type=float, help="stop each recording after so many seconds")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--pace", type=float, help="seconds that every request takes")
    return parser


def prepared(flags: argparse.Namespace) -> tuple[LocalRecognizer, list[Recording]]:
    """The recognizer and the recordings that the flags ask for."""
    recognizer = LocalRecognizer.load(
        flags.model, LocalOptions(dtype=flags.dtype, threads=flags.threads)
    )
    recognizer.warm_up()
    folder = speech_folder()
    return recognizer, [load(folder, item, flags.gap, flags.limit) for item in flags.items]


def main() -> None:
    """Measure, print a line for people and a JSON line."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--latency", default="balanced", choices=get_args(Latency))
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE")
    parser.add_argument("--diff", action="store_true", help="show the words that are wrong")
    flags = parser.parse_args()
    options = session_options(flags.latency, flags.set)
    recognizer, recordings = prepared(flags)
    result, streams = measured(recognizer, options, recordings, flags.pace)
    result |= {
        "model": flags.model,
        "settings": flags.set,
        "machine": machine_line(flags.threads),
    }
    if flags.diff:
        show_differences(streams)
    commit, display, final = (
        "/".join(f"{result[name][key]:.2f}" for key in ("p50", "p90", "p99"))
        for name in ("commit_latency", "display_latency", "final_latency")
    )
    print(
        f"{flags.model} {flags.latency} {' '.join(flags.set)}: WER {result['wer']} % "
        f"({result['substitutions']} {result['deletions']} {result['insertions']}), "
        f"commit {commit}, display {display}, final {final}, "
        f"unstable {result['unstable_partial_words']} %, "
        f"utterances {result['utterances']} (clips' ends met {result['joins_met']} of "
        f"{result['joins']}, {result['mid_clip']} in mid-clip), "
        f"compute {result['cpu_per_audio_second']} s/s, {result['ms_per_request']} ms a request"
    )
    print(json.dumps(result))


def show_differences(streams: list[VirtualStream]) -> None:
    """Print every wrong word with what was said."""
    import jiwer

    for stream in streams:
        reference = normalized(stream.run.recording.text)
        words = jiwer.process_words(" ".join(reference), " ".join(normalized(stream.run.text)))
        print(jiwer.visualize_alignment(words, show_measures=False, skip_correct=True))


if __name__ == "__main__":
    main()
