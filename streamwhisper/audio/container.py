"""Streaming decoder of audio containers (WebM, Ogg, MP3, WAV, FLAC, ...).

PyAV pulls bytes, but a stream pushes them. A worker thread therefore runs PyAV: `Feed` passes it
bytes, and pauses it while its audio waits to be taken.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.demuxing import decode_container
from streamwhisper.audio.feed import Error, Feed, FeedClosed
from streamwhisper.audio.steps import STEP_SECONDS, StepDecoder
from streamwhisper.errors import AudioFormatError

__all__ = ["ContainerDecoder"]

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 0.05  # a thread that takes longer, e.g. for a large index, ends by itself


class ContainerDecoder(StepDecoder):
    """Decoder of a container stream, cut anywhere; see `StepDecoder`."""

    def __init__(self, target_rate: int = SAMPLE_RATE, *, channels: int | None = None) -> None:
        """Decode to `target_rate` (Hz).

        Args:
            target_rate: sample rate of the result (Hz).
            channels: required number of channels, returned interleaved; None mixes to mono.
        """
        super().__init__()
        self._feed = Feed(round(STEP_SECONDS * target_rate) * (channels or 1))
        self._thread = threading.Thread(
            target=_work,
            args=(self._feed, target_rate, channels),
            name="container-decoder",
            daemon=True,
        )
        self._warned = False
        # The thread only references the feed, so dropping the decoder ends it.
        weakref.finalize(self, self._feed.close)

    @property
    def more(self) -> bool:
        """True if there is audio to take, or will be, without further bytes."""
        return self._feed.more

    @property
    def ready(self) -> bool:
        """True if `take` returns all that it can."""
        return self._feed.ready

    def on_ready(self, notify: Callable[[], object]) -> None:
        """Have `notify` called, on another thread, whenever `ready` becomes true."""
        self._feed.notify = notify

    def wait(self) -> None:
        """Wait until `ready`."""
        self._feed.wait()

    def give(self, data: bytes) -> None:
        """Add the next bytes, and return at once."""
        if data and self._feed.ended and not self._warned:
            self._warned = True
            log.warning("ignored %d bytes and more after the end of the container", len(data))
        self._feed.give(data)
        if data and self._thread.ident is None:
            self._thread.start()

    def end(self) -> None:
        """Declare the end of the bytes; `take` returns the rest of the audio."""
        if self._thread.ident is None:
            self._feed.close()
        self._feed.finish()

    def take(self) -> NDArray[np.float32]:
        """Return the next audio, float32 ``[n]`` within ±1, at most `STEP_SECONDS`.

        Raises:
            AudioFormatError: the data cannot be read; every later call raises again.
        """
        return self._feed.take()

    def close(self) -> None:
        """End the thread after its current frame, and free all resources."""
        self._feed.close()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)


def _work(feed: Feed, rate: int, channels: int | None) -> None:
    """Pull bytes from `feed` through the decoder until either ends."""
    error: Error | None = None
    try:
        with closing(decode_container(feed, rate, live=True, channels=channels)) as chunks:
            for samples in chunks:
                feed.put(samples)
    except FeedClosed:
        pass
    except AudioFormatError as raised:
        error = AudioFormatError, str(raised)
    except Exception as raised:  # outermost level of a thread; the caller raises it
        log.exception("the decoder failed")
        error = RuntimeError, f"the decoder failed with {type(raised).__name__}: {raised}"
    feed.end(error)
