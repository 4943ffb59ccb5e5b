"""faster-whisper on whole recordings; ``peers.py`` runs it with the interpreter of its environment.

Reads one JSON object from standard input (``model``, a folder; ``compute``; ``beams``; ``files``,
float32 arrays at 16 kHz; ``threads``) and prints one: for each beam size the texts, the seconds and
CPU-seconds of all recordings, and the peak memory. Does not import the project, whose packages its
environment lacks.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any

import numpy as np
from faster_whisper import WhisperModel


def transcribe(model: Any, files: list[str], beam: int) -> dict[str, Any]:
    """The texts of all files, and what they took; everything else is left at its default."""
    texts = []
    started, before = time.perf_counter(), time.process_time()
    for file in files:
        segments, _ = model.transcribe(np.load(file), language="en", beam_size=beam)
        texts.append("".join(segment.text for segment in segments))
    return {
        "texts": texts,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - before,
    }


def main() -> None:
    """Load the model once, and hear everything with each beam size."""
    task = json.load(sys.stdin)
    model = WhisperModel(
        task["model"], device="cpu", compute_type=task["compute"], cpu_threads=task["threads"]
    )
    # The first pass allocates what later ones reuse; it is not counted.
    list(model.transcribe(np.load(task["files"][0])[: 5 * 16000], language="en", beam_size=1)[0])
    rows = {str(beam): transcribe(model, task["files"], beam) for beam in task["beams"]}
    # In kilobytes, on macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"rows": rows, "peak_rss": peak}))


if __name__ == "__main__":
    main()
