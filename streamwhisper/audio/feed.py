"""Exchange between a stream of bytes and a worker thread that decodes them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.limits import DecodingLimits
from streamwhisper.errors import AudioFormatError

__all__ = ["Error", "Feed", "FeedClosed"]

Error = tuple[type[Exception], str]
"""Type and message of an error. The exception itself would keep the decoder alive forever, because
the decoder's finalizer references the feed, and the feed the error."""

_READ_AHEAD = DecodingLimits().read_ahead_bytes


class FeedClosed(Exception):
    """Ends the worker: its audio is no longer needed."""


class Feed:
    """Bytes for a worker thread, and the audio that it decodes.

    The worker pauses when a step of audio waits to be taken, so memory stays small however much
    audio the bytes claim. The methods of the caller never wait, except `wait`. What they return
    depends only on the bytes and not on time, if every `take` follows a `wait`.

    Attributes:
        notify: called on the worker thread whenever `ready` becomes true.
    """

    def __init__(self, step: int) -> None:
        """Create a feed whose `take` returns at most `step` samples."""
        self.notify: Callable[[], object] = lambda: None
        self._turn = threading.Condition()
        self._step = step
        self._data = b""
        self._finished = False  # no more bytes will come
        self._idle = True  # the worker waits for bytes, or has ended
        self._ended = False
        self._closed = False
        self._error: Error | None = None
        self._raised = False  # the caller got the error
        self._samples = np.zeros(0, dtype=np.float32)
        self._silent = 0  # bytes since the last audio

    # Caller.

    @property
    def ended(self) -> bool:
        """True if the worker ended without an error, e.g. after the last bytes of the container."""
        return self._ended and self._error is None

    @property
    def ready(self) -> bool:
        """True if `take` need not wait: a step of audio is decoded, or all bytes are."""
        return self._idle or len(self._samples) >= self._step

    @property
    def more(self) -> bool:
        """True if there will be audio, or an error, to take."""
        failed = self._error is not None and not self._raised
        return not self._closed and (not self._idle or len(self._samples) > 0 or failed)

    def give(self, data: bytes) -> None:
        """Pass bytes to the worker."""
        with self._turn:
            if not self._ended and data:
                self._data += data
                self._idle = False
                self._turn.notify_all()

    def finish(self) -> None:
        """End the input; the worker decodes the rest."""
        with self._turn:
            self._finished = True
            self._idle = self._ended
            self._turn.notify_all()

    def wait(self) -> None:
        """Wait until `ready`."""
        with self._turn:
            self._turn.wait_for(lambda: self.ready or self._closed)

    def take(self) -> NDArray[np.float32]:
        """Return the next step of audio.

        Raises:
            AudioFormatError: no audio is left, and the data cannot be read further.
        """
        with self._turn:
            taken, self._samples = np.split(self._samples, [self._step])
            self._turn.notify_all()
            if not len(taken) and self._error is not None:
                self._raise(self._error)
        return taken

    def close(self) -> None:
        """End the worker, and forget everything."""
        with self._turn:
            self._closed = self._finished = True
            self._data = b""
            self._samples = self._samples[:0]
            self._announce()

    def _raise(self, error: Error) -> NoReturn:
        self._raised = True
        kind, message = error
        raise kind(message)

    # Worker.

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes; none at the end.

        Raises:
            AudioFormatError: too many bytes came without audio, e.g. of a picture.
        """
        with self._turn:
            if not self._data and not self._finished:
                self._idle = True
                self._announce()
                self._turn.wait_for(lambda: self._data or self._finished)
                self._idle = False
            data, self._data = self._data[:size], self._data[size:]
            self._silent += len(data)
            if self._silent > _READ_AHEAD:
                raise AudioFormatError(
                    f"{self._silent} bytes came without audio; expected audio within {_READ_AHEAD} "
                    "bytes. Send the audio without pictures, video and attachments"
                )
            return data

    def put(self, samples: NDArray[np.float32]) -> None:
        """Add decoded audio; wait until less than a step is left to take.

        Raises:
            FeedClosed: the audio is no longer needed.
        """
        with self._turn:
            self._silent = 0
            self._samples = np.concatenate([self._samples, samples])
            if self.ready:
                self._announce()
            self._turn.wait_for(lambda: len(self._samples) < self._step or self._closed)
            if self._closed:
                raise FeedClosed

    def end(self, error: Error | None) -> None:
        """Mark the worker as ended."""
        with self._turn:
            self._error = error
            self._ended = self._idle = True
            self._data = b""
            self._announce()

    def _announce(self) -> None:
        self._turn.notify_all()
        with contextlib.suppress(RuntimeError):  # the caller's event loop is closed
            self.notify()
