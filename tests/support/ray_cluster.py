"""A Ray cluster of two nodes on this machine, and what is heard on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import ray
from numpy.typing import NDArray
from ray import serve
from ray.cluster_utils import Cluster

from streamwhisper.audio.files import read_audio
from streamwhisper.cluster.deployment import Scale, deploy
from streamwhisper.cluster.recognizer import join
from streamwhisper.cluster.worker import WorkerOptions
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.recognition import Recognizer
from tests.support.paths import SAMPLE

Samples = NDArray[np.float32]
NAME = "captions"
SOUND = read_audio(SAMPLE)[: 14 * 16000]


def chunks(at: float = 0.0, disturb: Callable[[], object] | None = None) -> Iterator[Samples]:
    """The sound in tenths of a second; at one moment something happens."""
    for first in range(0, len(SOUND), 1600):
        if disturb is not None and first == round(at * 16000):
            disturb()
        yield SOUND[first : first + 1600]


def heard(recognizer: Recognizer, sound: Iterable[Samples]) -> str:
    events = listen(recognizer, sound)
    return "".join(event.text for event in events if isinstance(event, Committed))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head without room for workers and two nodes with room for one each."""
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": 100_000_000},
    )
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    join(cluster.address)
    yield cluster
    serve.shutdown()
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def model(cluster: Cluster, tiny_en_path: Path) -> WorkerOptions:
    options = WorkerOptions(str(tiny_en_path), dtype="float32", threads=1)
    deploy(NAME, options, Scale(least=2, most=2))
    return options


@pytest.fixture(scope="module")
def expected(recognizer: Recognizer) -> str:
    return heard(recognizer, chunks())
