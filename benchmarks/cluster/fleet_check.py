"""Real Ray workers on this machine, compared with the simulation of them.

Speakers are sessions in this process that receive recordings in real time. The first run measures
the cost of an update, which the simulation then uses for all runs. Run it in a network namespace,
because Ray otherwise listens on the machine's outer address:

    unshare -n sh -c 'ip link set lo up; exec python -m benchmarks fleet --check 1 2 4'
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np
import psutil
import ray
from numpy.typing import NDArray

from benchmarks.cluster.simulation import CHUNK, Fleet, Outcome, Service, Talk, simulate
from benchmarks.latency.streams import recordings
from benchmarks.lib.measure import percentile
from benchmarks.lib.results import heading
from benchmarks.lib.speech import SAMPLE_RATE, Recording
from streamwhisper.cluster.deployment import Scale, deploy
from streamwhisper.cluster.recognizer import RayRecognizer
from streamwhisper.cluster.wire import Message
from streamwhisper.cluster.worker import WorkerOptions
from streamwhisper.engine.cores import usable_cores
from streamwhisper.events import SpeechEnded, SpeechStarted
from streamwhisper.live.listen import listen
from streamwhisper.session.options import SessionOptions

__all__ = ["check"]

WARM = 3.0
"""Seconds at the beginning that are not counted."""


@dataclass
class Measured:
    """One real run.

    Attributes:
        waits: seconds of each request, from the gateway and back.
        recalled, forgotten: seconds on a core of each, with a past and without one.
        overheads: seconds of each request that no worker worked.
        talks, pauses: seconds of speech, and between it.
        seconds: that it took.
        cores: that were left for the workers, by all that ran beside them.
        cpu: seconds of a core that they worked.
    """

    waits: list[float] = field(default_factory=list)
    recalled: list[float] = field(default_factory=list)
    forgotten: list[float] = field(default_factory=list)
    overheads: list[float] = field(default_factory=list)
    talks: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cores: float = 0.0
    cpu: float = 0.0

    def tell(self, seconds: float, answer: Message) -> None:
        """Count an answer."""
        self.waits.append(seconds)
        (self.recalled if answer["recalled"] else self.forgotten).append(answer["cpu"])
        self.overheads.append(seconds - answer["seconds"])


def paced(recording: Recording, until: float) -> Iterator[NDArray[np.float32]]:
    """The sound as it would be spoken."""
    step = round(CHUNK * SAMPLE_RATE)
    begun = time.monotonic()
    for first in range(0, len(recording.samples), step):
        due = begun + (first + step) / SAMPLE_RATE
        if due > until:
            return
        time.sleep(max(0.0, due - time.monotonic()))
        yield recording.samples[first : first + step]


def run(name: str, spoken: Sequence[Recording], seconds: float) -> Measured:
    """Have all speak at once for so long."""
    measured = Measured()
    counting = threading.Event()

    def tell(took: float, answer: Message) -> None:
        if counting.is_set():
            measured.tell(took, answer)

    recognizer = RayRecognizer(name, on_answer=tell)
    until = time.monotonic() + WARM + seconds

    def speak(recording: Recording, at: float) -> None:
        time.sleep(at)
        started = ended = 0.0
        for event in listen(recognizer, paced(recording, until)):
            if isinstance(event, SpeechStarted):
                started = event.at
                measured.pauses.append(started - ended)
            elif isinstance(event, SpeechEnded):
                ended = event.at
                measured.talks.append(ended - started)

    # Chunks of one speaker come between those of the others.
    begins = random.Random(len(spoken))
    threads = [
        threading.Thread(target=speak, args=(recording, begins.uniform(0, WARM)))
        for recording in spoken
    ]
    for thread in threads:
        thread.start()
    time.sleep(WARM)
    counting.set()
    before, began = psutil.cpu_times(), time.monotonic()
    for thread in threads:
        thread.join()
    after = psutil.cpu_times()
    measured.seconds = time.monotonic() - began
    measured.cpu = sum(measured.recalled) + sum(measured.forgotten)
    idle = after.idle + after.iowait - before.idle - before.iowait
    measured.cores = (idle + measured.cpu) / measured.seconds
    recognizer.close()
    return measured


def compared(fleet: Fleet, measured: Measured, predicted: Outcome) -> dict[str, Any]:
    """A row of the table: what was measured, what was predicted, and how far it is off."""
    row: dict[str, Any] = {
        "workers": fleet.workers,
        "speakers": fleet.speakers,
        "talking, pausing s": f"{fleet.talk.speech:.1f}, {fleet.talk.pause:.1f}",
        "cores left": round(measured.cores, 2),
        "requests/s": round(len(measured.waits) / measured.seconds, 1),
        "predicted requests/s": round(len(predicted.waits) / measured.seconds, 1),
    }
    for share in (50, 95):
        real = 1000 * percentile(measured.waits, share / 100)
        said = 1000 * percentile(predicted.waits, share / 100)
        row |= {
            f"p{share} ms": round(real),
            f"predicted p{share} ms": round(said),
            f"p{share} off": f"{100 * (said - real) / real:+.0f} %",
        }
    busy = measured.cpu / measured.seconds
    said = predicted.busy / measured.seconds
    return row | {"cores used": round(busy, 2), "predicted cores": round(said, 2)}


def check(counts: Sequence[int], model: str, speakers: int, seconds: float) -> dict[str, Any]:
    """Run each count of workers with so many speakers each, and the simulation of it."""
    most = max(counts)
    rows, service = [], None
    with tempfile.TemporaryDirectory() as folder:
        ray.init(
            address="local",
            num_cpus=most,
            include_dashboard=False,
            log_to_driver=False,
            _temp_dir=folder,
        )
        try:
            for count in counts:
                options = WorkerOptions(model, threads=1, offline=True)
                deploy(model, options, Scale(count, count))
                talking = recordings(speakers * count, WARM + seconds + 5, 0.3)
                measured = run(model, talking, seconds)
                if service is None:
                    overhead = percentile(measured.overheads, 0.25)  # of those that did not wait
                    # A window's first request has no past; so has one that was forgotten.
                    service = Service(measured.recalled, measured.forgotten, overhead=overhead)
                fleet = Fleet(
                    speakers * count,
                    count,
                    cores=usable_cores(),
                    others=max(0.0, usable_cores() - measured.cores),
                    interval=SessionOptions().update_interval,
                    talk=Talk(fmean(measured.talks), fmean(measured.pauses)),
                )
                predicted = simulate(fleet, service, measured.seconds)
                rows.append(compared(fleet, measured, predicted))
                print(rows[-1], flush=True)
        finally:
            ray.shutdown()
    times = {"recalled": service.recalled, "forgotten": service.forgotten} if service else {}
    return heading(model, 1) | {"rows": rows, "times": times}
