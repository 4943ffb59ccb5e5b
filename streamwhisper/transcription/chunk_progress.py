"""Progress of chunks that worker threads transcribe, reported in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

from streamwhisper.whisper.windows import Watch

__all__ = ["ChunkProgress"]

T = TypeVar("T")


class ChunkProgress:
    """Seconds of audio that are done, chunk by chunk while batches are computed."""

    def __init__(self, report: Callable[[float], None] | None) -> None:
        """Report to a function that takes the seconds processed since its last call; None: not."""
        self._report = report
        self._news: SimpleQueue[float | None] = SimpleQueue()

    def run(self, seconds: Sequence[float], transcribe: Callable[[Watch | None], T]) -> T:
        """Transcribe a batch on any thread; all of its chunks are done when this returns.

        Args:
            seconds: length of each chunk of the batch.
            transcribe: may call its argument with the index of a chunk and the share of it that is
                done, 0 to 1; the argument is None if nothing is reported.
        """
        if self._report is None:
            return transcribe(None)
        done = [0.0] * len(seconds)

        def watch(index: int, share: float) -> None:
            if share > done[index]:  # a second search of the chunk counts nothing
                self._news.put((share - done[index]) * seconds[index])
                done[index] = share

        found = transcribe(watch)
        for index in range(len(seconds)):
            watch(index, 1.0)
        return found

    def result(self, batch: Future[T]) -> T:
        """Wait for a batch, report all progress meanwhile, and return the batch's result."""
        if self._report is not None:
            batch.add_done_callback(lambda _: self._news.put(None))
            while (seconds := self._news.get()) is not None:
                self._report(seconds)
        return batch.result()
