"""Progress of chunks: what is reported adds up to what is done."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.transcription.chunk_progress import ChunkProgress
from streamwhisper.whisper.windows import Watch

Step = tuple[int, float]
LENGTHS = [3.0, 20.0, 7.5]


def transcribed(steps: Sequence[Step], watch: Watch | None) -> str:
    for index, share in steps if watch else ():
        watch(index, share)
    return "text"


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 1)), max_size=20))
def test_reports_add_up_to_the_length_of_the_chunks_however_often_they_are_searched(
    steps: list[Step],
) -> None:
    reported: list[float] = []
    progress = ChunkProgress(reported.append)
    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(progress.run, LENGTHS, partial(transcribed, steps))
        assert progress.result(batch) == "text"
    assert min(reported) >= 0
    assert sum(reported) == pytest.approx(sum(LENGTHS))


def test_a_failure_of_a_batch_reaches_the_caller() -> None:
    def failing(watch: Watch | None) -> str:
        raise RuntimeError("no memory")

    progress = ChunkProgress([].append)
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="no memory"):
        progress.result(pool.submit(progress.run, LENGTHS, failing))


def test_without_a_report_nothing_is_watched() -> None:
    seen: list[Watch | None] = []
    ChunkProgress(None).run(LENGTHS, seen.append)
    assert seen == [None]
