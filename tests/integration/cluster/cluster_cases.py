"""Two nodes of Ray, real weights and real speech; run by test_cluster.py.

What is heard on the cluster is what is heard in one process, whatever happens to workers.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import yaml
from ray import serve
from ray.cluster_utils import Cluster
from ray.serve.schema import ServeDeploySchema

from streamwhisper.cluster.deployment import Scale, application, deploy, deployed, machines
from streamwhisper.cluster.dispatch import Patience
from streamwhisper.cluster.recognizer import PREFIX, RayRecognizer
from streamwhisper.cluster.routing import QUEUED_AUDIO, QueuedAudioPolicy
from streamwhisper.cluster.wire import WIRE_VERSION, Message, pack_request
from streamwhisper.cluster.worker import WorkerOptions
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import RecognitionRequest, TextContext
from streamwhisper.transcription.options import ChunkOptions, TranscriptionOptions, WordOptions
from streamwhisper.transcription.parts import joined, transcribe_parts
from streamwhisper.transcription.transcribe import transcribe
from streamwhisper.whisper.windows import WindowRequest
from tests.support.paths import DEPLOY
from tests.support.ray_cluster import NAME, SOUND, chunks, heard

PATIENCE = 180.0  # seconds for Ray to notice what happened to it, on a busy machine


def until(met: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def workers() -> list[psutil.Process]:
    """Processes of our workers: other clusters of this machine are left alone."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if f"Replica:{PREFIX}" in title(process)
    ]


def title(process: psutil.Process) -> str:
    """Its command line; empty if it has ended, whether or not Ray has noticed."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def running() -> int:
    return sum(model.workers.get("RUNNING", 0) for model in deployed())


@pytest.fixture
def remote(model: WorkerOptions) -> Iterator[RayRecognizer]:
    until(lambda: running() == 2)
    recognizer = RayRecognizer(NAME, patience=Patience(most=PATIENCE))
    yield recognizer
    recognizer.close()


def figures(recognizer: RayRecognizer) -> dict[str, float]:
    return {figure.name: figure.value() for figure in recognizer.figures()}


def ask(message: Message) -> Message:
    answer: Message = serve.get_app_handle(PREFIX + NAME).recognize.remote(message).result()
    return answer


def test_what_is_heard_is_what_one_process_hears(remote: RayRecognizer, expected: str) -> None:
    """And no window is computed afresh, but for requests that a busy machine had sent elsewhere."""
    assert heard(remote, chunks()) == expected
    found = figures(remote)
    assert found["cluster_requests_recalled"] > 20
    elsewhere = found["cluster_requests_twice"] + found["cluster_requests_moved"]
    assert found["cluster_requests_forgotten"] <= elsewhere
    assert found["cluster_requests_lost"] == 0
    assert remote.obstacle is None
    assert 0 <= remote.wait < 1
    assert 0 < remote.cost < 1
    assert 0 <= remote.idle < 1


def test_requests_together_are_answered_in_order(remote: RayRecognizer, speech: Any) -> None:
    mels = [np.full((80, frames), -0.5, np.float32) for frames in (30, 60, 90)]
    for mel in mels:
        mel[0, 0] = 1.5
    answers = remote.recognize([RecognitionRequest(mel) for mel in mels])
    assert [answer.past.frames for answer in answers if answer.past] == [30, 60, 90]  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["chunked", "sequential"])
def test_a_recording_has_the_text_and_the_words_that_one_process_finds(
    remote: RayRecognizer, recognizer: Any, method: Any
) -> None:
    chunks = ChunkOptions(longest=6.0, longest_pause=0.0)
    options = TranscriptionOptions(method=method, words=WordOptions(), chunks=chunks)
    there, here = (transcribe(SOUND, model, options) for model in (remote, recognizer))
    assert len(here.text.split()) > 20
    assert (there.text, there.language) == (here.text, here.language)
    assert [segment.words for segment in there.segments] == [
        segment.words for segment in here.segments
    ]


def test_a_recording_that_the_model_cannot_serve_is_refused_in_words(
    remote: RayRecognizer,
) -> None:
    with pytest.raises(RecognitionError, match="English"):
        transcribe(SOUND, remote, language="de")
    with pytest.raises(RecognitionError, match="token 99999"):
        remote.transcribe_windows([WindowRequest(np.zeros((80, 50), np.float32), prompt=(99999,))])


def test_a_worker_that_is_killed_with_a_recording_loses_no_word(
    remote: RayRecognizer, recognizer: Any
) -> None:
    options = TranscriptionOptions(chunks=ChunkOptions(longest=6.0, longest_pause=0.0))
    killed: list[int] = []

    def kill() -> None:
        for process in workers()[: 1 - len(killed)]:
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)

    parts = transcribe_parts(remote, SOUND, options, pause=kill)
    assert joined(parts).text == transcribe(SOUND, recognizer, options).text
    assert killed
    until(lambda: running() == 2 and len(workers()) == 2)


def test_bad_requests_old_versions_and_late_ones_are_refused_in_words(
    remote: RayRecognizer,
) -> None:
    request = RecognitionRequest(np.full((80, 50), -0.5, np.float32))
    with pytest.raises(RecognitionError, match="token 99999"):
        remote.recognize([RecognitionRequest(request.mel, context=TextContext((99999,)))])
    message = pack_request(request, remote.info, "window", 10.0)
    assert "hypothesis" in ask(message)
    assert "have different versions" in ask({**message, "version": WIRE_VERSION + 1})["refused"]
    assert "vocabulary" in ask({**message, "multilingual": True})["refused"]
    assert ask({**message, "patience": 0.0})["overdue"]
    assert ask({**message, "window": "unheard of", "first": 40})["missing"]


def test_a_model_that_nobody_serves_is_named(cluster: Cluster) -> None:
    with pytest.raises(RecognitionError, match=r"does not serve nothing.*cluster status"):
        RayRecognizer("nothing")


@pytest.mark.parametrize(
    ("at_workers", "at_gateways", "wanted"),
    [([], 0, 1), ([0.2, 0.3], 0, 1), ([1.5, 1.0], 0, 3), ([1.0], 4, 3), ([9.0], 9, 4)],
)
def test_there_are_as_many_workers_as_the_sound_before_them_needs(
    at_workers: list[float], at_gateways: int, wanted: int
) -> None:
    context = SimpleNamespace(
        aggregated_metrics={QUEUED_AUDIO: dict(enumerate(at_workers))},
        total_queued_requests=at_gateways,
        capacity_adjusted_min_replicas=1,
        capacity_adjusted_max_replicas=4,
    )
    assert QueuedAudioPolicy(1.0)(context) == (wanted, {})


def test_arguments_of_a_configuration_file_are_checked() -> None:
    with pytest.raises(ValueError, match="unknown argument 'modell'"):
        application({"modell": "base"})
    with pytest.raises(ValueError, match="least is 0"):
        application({"model": "base", "least": 0})


def test_the_manifest_for_kubernetes_says_what_serve_understands() -> None:
    manifest = DEPLOY / "rayservice.yaml"
    service = next(yaml.safe_load_all(manifest.read_text(encoding="utf-8")))
    config = ServeDeploySchema.model_validate(yaml.safe_load(service["spec"]["serveConfigV2"]))
    [described] = config.applications
    assert described.name == PREFIX + "base"
    assert described.import_path == f"{application.__module__}:{application.__name__}"
    assert application(described.args)


def test_a_worker_that_is_killed_loses_no_word(remote: RayRecognizer, expected: str) -> None:
    """All of them are, one after the other, so it is also the one with the session's past."""

    def kill() -> None:
        for process in workers()[:1]:
            os.kill(process.pid, signal.SIGKILL)

    first = heard(remote, chunks(5.0, kill))
    until(lambda: running() == 2 and len(workers()) == 2)
    second = heard(remote, chunks(7.0, kill))
    assert first == second == expected
    assert figures(remote)["cluster_requests_failed"] == 0


def test_a_node_is_removed_and_another_one_added(
    cluster: Cluster, remote: RayRecognizer, expected: str
) -> None:
    victim = next(iter(cluster.worker_nodes))
    assert heard(remote, chunks(5.0, lambda: cluster.remove_node(victim))) == expected
    until(lambda: sum(machine["alive"] for machine in machines()) == 2)
    cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    until(lambda: running() == 2)
    assert heard(remote, chunks()) == expected


def test_a_model_is_swapped_while_a_session_runs(
    remote: RayRecognizer, model: WorkerOptions, tiny_en_path: Path, expected: str, tmp_path: Path
) -> None:
    """For the same weights under another name, so that the text can be compared."""
    other = tmp_path / "renamed.pt"
    other.symlink_to(tiny_en_path)
    options = WorkerOptions(str(other), dtype="float32", threads=1)
    swap = chunks(5.0, lambda: deploy(NAME, options, Scale(least=1, most=1)))
    assert heard(remote, swap) == expected
    until(lambda: remote.info.name == str(other))
    assert figures(remote)["cluster_model_changes"] == 1
    assert figures(remote)["cluster_requests_failed"] == 0
