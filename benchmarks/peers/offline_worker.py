"""One engine on whole recordings; run by ``offline_speed.py``, if needed in another environment.

    python offline_worker.py ENGINE MODEL COMPUTE THREADS

Reads one JSON object per line from standard input (``file``, a float32 array at 16 kHz; ``beam``;
``way``) and answers each with a line: text, highest temperature used, seconds and CPU-seconds. Only
the chosen engine is imported. Sampling does not depend on earlier recordings.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, cast

import numpy as np

Hear = Callable[[Any, int, str], tuple[str, float]]
SEED = 0


def streamwhisper(model: str, compute: str, threads: int) -> Hear:
    """Our own; as many workers as cores, each on one thread."""
    from streamwhisper import LocalOptions, load_model, transcribe
    from streamwhisper.transcription.options import TranscriptionOptions
    from streamwhisper.whisper.search import SearchOptions

    loaded = load_model(model, LocalOptions(dtype=cast("Any", compute), threads=1))
    type(loaded).workers = property(lambda _: threads)  # type: ignore[assignment, method-assign]
    loaded.warm_up()

    def hear(samples: Any, beam: int, way: str) -> tuple[str, float]:
        search = SearchOptions(
            beam_size=beam if beam > 1 else None, best_of=5, timestamps=way == "sequential"
        )
        found = transcribe(
            loaded,
            samples,
            TranscriptionOptions(method=cast("Any", way), language="en", search=search),
        )
        return found.text, max((s.temperature for s in found.segments), default=0.0)

    return hear


def faster_whisper(model: str, compute: str, threads: int) -> Hear:
    """CTranslate2's engine, window by window or in batches of chunks; all else by default."""
    import ctranslate2
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    loaded = WhisperModel(model, device="cpu", compute_type=compute, cpu_threads=threads)
    batched = BatchedInferencePipeline(loaded)

    def hear(samples: Any, beam: int, way: str) -> tuple[str, float]:
        engine = batched if way == "chunked" else loaded
        ctranslate2.set_random_seed(SEED)
        segments = list(engine.transcribe(samples, language="en", beam_size=beam)[0])
        text = "".join(segment.text for segment in segments)
        return text, max((segment.temperature or 0.0 for segment in segments), default=0.0)

    return hear


def openai_whisper(model: str, compute: str, threads: int) -> Hear:
    """The reference, in float32."""
    import torch

    from benchmarks.lib.offline import load_reference

    torch.set_num_threads(threads)
    loaded = load_reference(model)

    def hear(samples: Any, beam: int, way: str) -> tuple[str, float]:
        torch.manual_seed(SEED)
        found = loaded.transcribe(
            samples, language="en", fp16=False, beam_size=beam if beam > 1 else None, best_of=5
        )
        return found["text"], max((s["temperature"] for s in found["segments"]), default=0.0)

    return hear


def main() -> None:
    """Load the engine, then answer every line."""
    engine, model, compute, threads = sys.argv[1:]
    hear: Hear = globals()[engine](model, compute, int(threads))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        samples = np.load(task["file"])
        started, before = time.perf_counter(), time.process_time()
        text, temperature = hear(samples, task["beam"], task["way"])
        answer = {
            "text": text,
            "temperature": temperature,
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - before,
            # In kilobytes, on macOS in bytes.
            "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1024),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
