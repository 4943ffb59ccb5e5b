"""Text changes caused by half precision on the wire, and sizes of requests.

    python -m benchmarks wire --model tiny.en --clips 40

Each clip goes through two sessions in this process. The requests of one are answered directly;
those of the other are packed for a worker and unpacked again, without the frames that the worker
already has. Sizes are those of Ray's format, pickle.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from benchmarks.lib.measure import Errors, count_errors, percentile
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import SAMPLE_RATE, clips, normalized, speech_folder
from streamwhisper.cluster.past_cache import PastCache
from streamwhisper.cluster.wire import (
    RemotePast,
    half_mel,
    pack_hypothesis,
    pack_request,
    unpack_hypothesis,
    unpack_request,
)
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.recognition import Hypothesis, RecognitionRequest, Recognizer


class Wired:
    """A recognizer at the other end of a wire without Ray."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.info = recognizer.info
        self.sent: list[int] = []
        self.whole: list[int] = []
        self._recognizer = recognizer
        self._pasts = PastCache(4)
        self._windows = 0

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Answer each by itself."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: RecognitionRequest) -> Hypothesis:
        past = request.past if isinstance(request.past, RemotePast) else None
        self._windows += past is None
        window = past.window if past is not None else str(self._windows)
        plain = replace(request, past=None)
        self.whole.append(len(pickle.dumps(pack_request(plain, self.info, window, 1.0), 5)))
        first = past.known_frames if past is not None else 0
        wire = pickle.dumps(pack_request(plain, self.info, window, 1.0, first), 5)
        self.sent.append(len(wire))
        message = pickle.loads(wire)
        kept = self._pasts.find(window)
        mel = half_mel(message, kept.mel if kept else None)
        there = unpack_request(message, mel, kept.past if kept else None)
        [found] = self._recognizer.recognize([there])
        self._pasts.keep(window, mel, found.past)
        left = RemotePast(window, "here", mel.shape[1])
        return unpack_hypothesis(pickle.loads(pickle.dumps(pack_hypothesis(found), 5)), left)


def heard(recognizer: Recognizer, samples: Any) -> str:
    """What a session commits."""
    step = SAMPLE_RATE // 10
    chunks = (samples[first : first + step] for first in range(0, len(samples), step))
    events = listen(recognizer, chunks)
    return "".join(event.text for event in events if isinstance(event, Committed))


def main() -> None:
    """Measure, print a table and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=1))
    wired = Wired(recognizer)
    changed = plain_errors = wired_errors = Errors(0, 0, 0, 0)
    for clip in clips(speech_folder(), "ls-dev", flags.clips):
        plain, over = heard(recognizer, clip.samples), heard(wired, clip.samples)
        changed += count_errors(normalized(plain), normalized(over))
        plain_errors += count_errors(normalized(clip.text), normalized(plain))
        wired_errors += count_errors(normalized(clip.text), normalized(over))
    figures = {
        "words": changed.words,
        "words that changed": changed.total,
        "WER as it is": f"{100 * plain_errors.rate:.2f} %",
        "WER over the wire": f"{100 * wired_errors.rate:.2f} %",
        "requests": len(wired.sent),
        "bytes of a request, mean": round(sum(wired.sent) / len(wired.sent)),
        "bytes of a request, p95": round(percentile(wired.sent, 0.95)),
        "bytes if all frames were sent, mean": round(sum(wired.whole) / len(wired.whole)),
    }
    lines = ["| figure | value |", "|---|---|", *(f"| {a} | {b} |" for a, b in figures.items())]
    report(heading(flags.model, 1) | figures, "\n".join(lines), save=flags.save)


if __name__ == "__main__":
    main()
