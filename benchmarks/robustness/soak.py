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

import psutil

from benchmarks.lib.measure import Errors, count_errors, machine_line
from benchmarks.lib.speech import SAMPLE_RATE, clips, joined, normalized, speech_folder
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

PAUSES = (0.3, 0.7, 2.0, 5.0, 20.0)
"""Seconds; together nearly as much as is spoken, as in a day of dictation."""
CHUNK = SAMPLE_RATE // 10


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
    session = Session(
        recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), SessionOptions(language="en")
    )
    spoken = clips(speech_folder(), "ls-dev", 10_000)
    process = psutil.Process()
    print(f"{flags.model} on {machine_line(flags.threads)}\n")
    print("| hours | memory | blocks | CPU ms a request | words behind by | WER |")
    print("|---|---|---|---|---|---|")
    rows: list[dict[str, float]] = []
    clip = sent = requests = 0
    computed, newest = 0.0, 0.0
    reference: list[str] = []
    text = ""

    def collect() -> None:
        nonlocal text, newest
        for event in session.events():
            if isinstance(event, Committed):
                text += event.text
                newest = event.words[-1].end if event.words else newest

    while sent < flags.hours * 3600 * SAMPLE_RATE:
        recording = joined([spoken[clip % len(spoken)]], PAUSES[clip % len(PAUSES)])
        clip += 1
        reference += normalized(recording.text)
        for start in range(0, len(recording.samples), CHUNK):
            chunk = recording.samples[start : start + CHUNK].astype("<f4")
            session.receive_audio(chunk.tobytes())
            sent += len(chunk)
            began = time.process_time()
            while request := session.next_request():
                session.receive_hypothesis(recognizer.recognize([request])[0])
                requests += 1
            computed += time.process_time() - began
            collect()
        if sent >= (len(rows) + 1) * flags.every * 60 * SAMPLE_RATE:
            session.flush()
            while request := session.next_request():
                session.receive_hypothesis(recognizer.recognize([request])[0])
            collect()
            errors: Errors = count_errors(reference, normalized(text))
            pause = PAUSES[(clip - 1) % len(PAUSES)]
            gc.collect()
            row = {
                "hours": round(sent / SAMPLE_RATE / 3600, 2),
                "memory_mb": round(process.memory_info().rss / 1e6),
                "blocks": sys.getallocatedblocks(),
                "ms_per_request": round(1000 * computed / max(1, requests), 1),
                "behind": round(sent / SAMPLE_RATE - pause - newest, 2),
                "wer": round(100 * errors.rate, 2),
            }
            rows.append(row)
            print(
                f"| {row['hours']} | {row['memory_mb']} MB | {row['blocks']} "
                f"| {row['ms_per_request']} | {row['behind']} s | {row['wer']} % |",
                flush=True,
            )
            reference, text, computed, requests = [], "", 0.0, 0
    print(json.dumps({"model": flags.model, "rows": rows}))


if __name__ == "__main__":
    main()
