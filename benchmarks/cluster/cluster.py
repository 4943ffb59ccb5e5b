"""The engine on a Ray cluster, compared with the same engine in one process.

    unshare -n sh -c 'ip link set lo up; exec python -m benchmarks cluster latency kills overload'

Starts two Ray nodes on this machine, in a network namespace because Ray otherwise listens on the
machine's outer address. ``latency`` sends each update of a session to both engines. ``kills``
streams in real time through a gateway while a worker is killed every five seconds. ``overload``
runs one stream beside more clients than the workers can serve.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import psutil
import ray
from ray import serve
from ray.cluster_utils import Cluster

from benchmarks.latency.streaming import figures
from benchmarks.latency.streams import play, recordings
from benchmarks.lib.measure import count_errors, percentile
from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.server_process import Server, running_server
from benchmarks.lib.speech import SAMPLE_RATE, Recording, normalized
from benchmarks.lib.watching import metrics
from benchmarks.robustness.pressure import beside, crowd, nothing
from streamwhisper.cluster.deployment import Scale, deploy, deployed
from streamwhisper.cluster.recognizer import PREFIX, RayRecognizer, join
from streamwhisper.cluster.worker import WorkerOptions
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.live.listen import listen
from streamwhisper.recognition import Hypothesis, RecognitionRequest, Recognizer

KILL_EVERY = 5.0
"""Seconds."""


@contextlib.contextmanager
def cluster(model: str, workers: int) -> Iterator[str]:
    """A head, and two nodes with a model's workers; the head's address."""
    head = {"num_cpus": 0, "object_store_memory": 100_000_000}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    try:
        for share in (workers - workers // 2, workers // 2):
            nodes.add_node(num_cpus=share, object_store_memory=100_000_000)
        join(nodes.address)
        deploy(model, WorkerOptions(model, threads=1, offline=True), Scale(workers, workers))
        yield nodes.address
    finally:
        serve.shutdown()
        ray.shutdown()
        nodes.shutdown()


class Both:
    """Asks two engines the same, in turn which one first; the session hears the one here."""

    def __init__(self, here: Recognizer, there: Recognizer) -> None:
        self.info = here.info
        self.here: list[float] = []
        self.there: list[float] = []
        self.words = self.changed = 0
        self._here, self._there = here, there
        self._past: object | None = None  # of the one there

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Ask both."""
        [request] = requests
        remote = replace(request, past=self._past if request.past is not None else None)
        if len(self.here) % 2:
            one = timed(self._here, request, self.here)
            other = timed(self._there, remote, self.there)
        else:
            other = timed(self._there, remote, self.there)
            one = timed(self._here, request, self.here)
        self._past = other.past
        errors = count_errors(normalized(one.text), normalized(other.text))
        self.words, self.changed = self.words + errors.words, self.changed + errors.total
        return [one]


def timed(recognizer: Recognizer, request: RecognitionRequest, seconds: list[float]) -> Hypothesis:
    """Ask, and note how long it took."""
    began = time.perf_counter()
    [answer] = recognizer.recognize([request])
    seconds.append(time.perf_counter() - began)
    return answer


def latency(model: str, seconds: float) -> dict[str, Any]:
    """Both engines are asked about the same windows."""
    overheads: list[float] = []
    local = LocalRecognizer.load(model, LocalOptions(threads=1))
    local.warm_up()
    remote = RayRecognizer(
        model, on_answer=lambda took, answer: overheads.append(took - answer["seconds"])
    )
    both = Both(local, remote)
    step = SAMPLE_RATE // 10
    for recording in recordings(2, seconds / 2, 0.3):
        samples = recording.samples
        chunks = (samples[first : first + step] for first in range(0, len(samples), step))
        for _ in listen(both, chunks):
            pass
    counts = {figure.name: figure.value() for figure in remote.figures()}
    remote.close()
    added = [there - here for here, there in zip(both.here, both.there, strict=True)]
    row: dict[str, Any] = {
        "updates": len(added),
        "words of all hypotheses": both.words,
        "of which differ": both.changed,
    }
    figures = {"here": both.here, "there": both.there, "added": added, "on the way": overheads}
    for name, values in figures.items():
        low, high = (1000 * percentile(values, share) for share in (0.5, 0.95))
        row[f"{name}, p50 / p95"] = f"{low:.1f} / {high:.1f} ms"
    recalled, forgotten = counts["cluster_requests_recalled"], counts["cluster_requests_forgotten"]
    return row | {"pasts recalled": f"{recalled:.0f} of {recalled + forgotten:.0f}"}


def of_workers() -> list[psutil.Process]:
    """The processes of this benchmark that recognize, the oldest first."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if f"Replica:{PREFIX}" in " ".join(process.cmdline()):
                found.append(process)
    return sorted(found, key=lambda process: process.create_time())


@contextlib.contextmanager
def killing() -> Iterator[Callable[[], int]]:
    """Kill the worker that is up for longest, again and again; yields how many were."""
    over = threading.Event()
    killed = 0

    def work() -> None:
        nonlocal killed
        while not over.wait(KILL_EVERY):
            for process in of_workers()[:1]:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: killed
    finally:
        over.set()
        thread.join()


def streamed(server: Server, chosen: Sequence[Recording]) -> dict[str, Any]:
    """Streams in real time through a gateway."""
    before = server.cpu_seconds()
    runs = asyncio.run(play(server, chosen))
    result = figures(runs)
    cost = (server.cpu_seconds() - before) / result["audio_seconds"]
    commit = result["commit_latency"]
    return {
        "streams": len(runs),
        "words": result["words"],
        "deleted": result["deletions"],
        "inserted": result["insertions"],
        "substituted": result["substitutions"],
        **{f"commit {name}": f"{seconds:.2f} s" for name, seconds in commit.items()},
        "gateway CPU-s per s": round(cost, 4),
        "gateway memory": f"{server.peak_rss / 1e6:.0f} MB",
    }


def kills(model: str, address: str, seconds: float, count: int) -> list[dict[str, Any]]:
    """The same streams in peace, and while workers are killed."""
    chosen = recordings(count, seconds, 0.3)
    rows = []
    with running_server(model, 1, ["--engine", "ray", "--address", address]) as gateway:
        rows.append({"workers": "left alone", "killed": 0} | streamed(gateway, chosen))
        with killing() as killed:
            row = streamed(gateway, chosen)
        rows.append({"workers": f"one killed every {KILL_EVERY:.0f} s", "killed": killed()} | row)
        counts = metrics(gateway)
        for name in ("lost", "twice", "failed", "forgotten"):
            rows[0][name] = 0
            rows[1][name] = int(counts[f"streamwhisper_cluster_requests_{name}"])
    while sum(entry.workers.get("RUNNING", 0) for entry in deployed()) < len(of_workers()):
        time.sleep(0.2)
    return rows


def overload(model: str, address: str, seconds: float) -> list[dict[str, Any]]:
    """A stream alone, and beside forty clients that come one after another."""
    chosen = recordings(1, seconds, 0.3)
    rows = []
    with running_server(model, 1, ["--engine", "ray", "--address", address]) as gateway:
        for name, pressure in (("alone", nothing), ("40 clients come", crowd)):
            rows.append({"beside": name} | asyncio.run(beside(gateway, pressure, chosen)))
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A figure a line, a run a column."""
    names = list(rows[0])
    head = [names[0], *(str(row[names[0]]) for row in rows)]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join([name, *(str(row.get(name, "")) for row in rows)]) + " |"
        for name in names[1:]
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print tables and a JSON line, and save where asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="+", choices=["latency", "kills", "overload"])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each stream")
    parser.add_argument("--streams", type=int, default=2, help="beside the killing")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    found: dict[str, Any] = {}
    with cluster(flags.model, flags.workers) as address:
        for what in flags.what:
            if what == "latency":
                rows = [{"engine": "both"} | latency(flags.model, flags.seconds)]
            elif what == "kills":
                rows = kills(flags.model, address, flags.seconds, flags.streams)
            else:
                rows = overload(flags.model, address, min(30.0, flags.seconds))
            found[what] = rows
            print(table(rows), flush=True)
    result = heading(flags.model, 1) | found
    text = "\n\n".join(table(rows) for rows in found.values())
    report(result, text, save=flags.save)


if __name__ == "__main__":
    main()
