"""Hours of speech and silence through one session: nothing grows, drifts or slows down.

    python -m benchmarks soak --hours 1

Audio is sent as fast as it is recognized. For every ten minutes of it the table shows memory,
milliseconds of CPU per request, the distance of the newest word from the audio clock, and word
errors. Memory includes the recordings held ready; Python's own memory is shown in blocks, which
only a leak increases.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from itertools import cycle

import psutil

from benchmarks.lib.measure import Errors, count_errors, machine_line
from benchmarks.lib.speech import SAMPLE_RATE, Recording, clips, joined, normalized, speech_folder
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

PAUSES = (0.3, 0.7, 2.0, 5.0, 20.0)
"""Seconds; together nearly as much as is spoken, as in a day of dictation."""
CHUNK = SAMPLE_RATE // 10


class Soak:
    """One session that is fed for hours, and what it has done since the last row.

    Attributes:
        sent: samples sent in all.
    """

    def __init__(self, recognizer: LocalRecognizer) -> None:
        """Open the session."""
        audio = AudioDecoder(AudioFormat("pcm_f32le"))
        self.sent = 0
        self._recognizer = recognizer
        self._session = Session(recognizer.info, audio, SessionOptions(language="en"))
        self._newest = 0.0  # end of the newest committed word, in seconds
        self._forget()

    def feed(self, recording: Recording) -> None:
        """Send a recording in chunks; answer each request at once."""
        self._reference += normalized(recording.text)
        for start in range(0, len(recording.samples), CHUNK):
            chunk = recording.samples[start : start + CHUNK].astype("<f4")
            self._session.receive_audio(chunk.tobytes())
            self.sent += len(chunk)
            began = time.process_time()
            self._requests += self._answer()
            self._computed += time.process_time() - began
            self._collect()

    def row(self, pause: float) -> dict[str, float]:
        """Commit everything and return the figures since the last row.

        Args:
            pause: seconds of silence at the end of the last recording.
        """
        self._session.flush()
        self._answer()
        self._collect()
        errors: Errors = count_errors(self._reference, normalized(self._text))
        gc.collect()
        row = {
            "hours": round(self.sent / SAMPLE_RATE / 3600, 2),
            "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
            "blocks": sys.getallocatedblocks(),
            "ms_per_request": round(1000 * self._computed / max(1, self._requests), 1),
            "behind": round(self.sent / SAMPLE_RATE - pause - self._newest, 2),
            "wer": round(100 * errors.rate, 2),
        }
        self._forget()
        return row

    def _forget(self) -> None:
        self._reference: list[str] = []
        self._text, self._computed, self._requests = "", 0.0, 0

    def _answer(self) -> int:
        answered = 0
        while request := self._session.next_request():
            self._session.receive_hypothesis(self._recognizer.recognize([request])[0])
            answered += 1
        return answered

    def _collect(self) -> None:
        for event in self._session.events():
            if isinstance(event, Committed):
                self._text += event.text
                self._newest = event.words[-1].end if event.words else self._newest


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=10.0, help="minutes between two lines")
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=flags.threads))
    recognizer.warm_up()
    soak = Soak(recognizer)
    print(f"{flags.model} on {machine_line(flags.threads)}\n")
    print("| hours | memory | blocks | CPU ms a request | words behind by | WER |")
    print("|---|---|---|---|---|---|")
    rows: list[dict[str, float]] = []
    for clip, pause in zip(
        cycle(clips(speech_folder(), "ls-dev", 10_000)), cycle(PAUSES), strict=False
    ):
        if soak.sent >= flags.hours * 3600 * SAMPLE_RATE:
            break
        soak.feed(joined([clip], pause))
        if soak.sent < (len(rows) + 1) * flags.every * 60 * SAMPLE_RATE:
            continue
        row = soak.row(pause)
        rows.append(row)
        print(
            f"| {row['hours']} | {row['memory_mb']} MB | {row['blocks']} "
            f"| {row['ms_per_request']} | {row['behind']} s | {row['wer']} % |",
            flush=True,
        )
    print(json.dumps({"model": flags.model, "rows": rows}))


if __name__ == "__main__":
    main()
