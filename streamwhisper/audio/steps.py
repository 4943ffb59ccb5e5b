"""Base class of decoders whose audio is taken in bounded steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from streamwhisper.errors import AudioFormatError

__all__ = ["STEP_SECONDS", "StepDecoder"]

STEP_SECONDS = 1.0
"""Maximum duration of the audio that `StepDecoder.take` returns."""


class StepDecoder(ABC):
    """Decoder of encoded audio, cut anywhere, to float32.

    Bytes and audio are apart: pass bytes to `give`, then call `take` for as long as there is
    `more`. It decodes on another thread and never far ahead, so neither time nor memory of a caller
    depend on how much audio the bytes claim. `decode` and `finish` do both, and wait.
    """

    def __init__(self) -> None:
        self._held: list[NDArray[np.float32]] = []  # before an error that was raised first
        self._late: AudioFormatError | None = None  # after audio that was returned first

    @property
    @abstractmethod
    def more(self) -> bool:
        """True if there is audio to take, or will be, without further bytes."""

    @property
    @abstractmethod
    def ready(self) -> bool:
        """True if `take` returns all that it can."""

    @abstractmethod
    def on_ready(self, notify: Callable[[], object]) -> None:
        """Have `notify` called, on another thread, whenever `ready` becomes true."""

    @abstractmethod
    def wait(self) -> None:
        """Wait until `ready`."""

    @abstractmethod
    def give(self, data: bytes) -> None:
        """Add the next bytes, and return at once."""

    @abstractmethod
    def end(self) -> None:
        """Declare the end of the bytes; `take` returns the rest of the audio."""

    @abstractmethod
    def take(self) -> NDArray[np.float32]:
        """Return the next audio, float32 ``[n]`` within ±1, at most `STEP_SECONDS`.

        Raises:
            AudioFormatError: the data cannot be read; every later call raises again.
        """

    @abstractmethod
    def close(self) -> None:
        """Free all resources."""

    def decode(self, data: bytes | bytearray | memoryview) -> NDArray[np.float32]:
        """Decode the next bytes, and wait for their audio: float32 ``[n]`` within ±1.

        Raises:
            AudioFormatError: the data cannot be read; every later call raises again.
        """
        self.give(bytes(data))
        pieces: list[NDArray[np.float32]] = []
        try:
            pieces.extend(self._steps())
        except AudioFormatError as error:
            if not pieces:
                raise
            self._late = error.with_traceback(None)
        return _joined(pieces) if pieces else self.take()

    def finish(self) -> NDArray[np.float32]:
        """Return the rest of the audio, float32 ``[n]``, and end the stream.

        Raises:
            AudioFormatError: the data cannot be read to its end. A second call returns the audio
                before the damage.
        """
        self.end()
        late, self._late = self._late, None
        if late is not None:
            raise late
        if not self._held:
            self._held.extend(self._steps())
        held, self._held = self._held, []
        return _joined(held)

    def _steps(self) -> Iterator[NDArray[np.float32]]:
        while self.more:
            self.wait()
            yield self.take()


def _joined(pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, dtype=np.float32), *pieces])
