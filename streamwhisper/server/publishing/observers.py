"""Whoever is told what a session hears and says, beside its client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamwhisper.events import Event
from streamwhisper.protocol import ErrorMessage, Start
from streamwhisper.server.dialect import Close
from streamwhisper.session.listener import Decoder

__all__ = ["Admit", "ObservedSession", "Observers", "SessionObserver", "SessionRejected"]


class SessionObserver(Protocol):
    """Is told of one session, whatever connections carry it. No session fails for it."""

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Sound that was received: float32 ``[n]`` at 16 kHz."""
        ...

    def tell(self, event: Event) -> None:
        """What the session says, before its client is told."""
        ...

    def close(self) -> None:
        """The session is over."""
        ...


Admit = Callable[[str, Start], SessionObserver]
"""Admit a session by its name and start; return its observer, or raise `SessionRejected`."""


class SessionRejected(Exception):
    """A session that is not taken in, and why."""

    def __init__(self, error: ErrorMessage, close: Close) -> None:
        super().__init__(error.message)
        self.error = error
        self.close = close


class Observers:
    """Several as one; none is as well."""

    def __init__(self, witnesses: Sequence[SessionObserver] = ()) -> None:
        self._witnesses = witnesses

    def hear(self, samples: NDArray[np.float32]) -> None:
        """Sound that was received."""
        for witness in self._witnesses:
            witness.hear(samples)

    def tell(self, event: Event) -> None:
        """What the session says."""
        for witness in self._witnesses:
            witness.tell(event)

    def close(self) -> None:
        """The session is over."""
        for witness in self._witnesses:
            witness.close()


class ObservedSession:
    """A session's decoder, whose sound a witness hears, too."""

    def __init__(self, decoder: Decoder, witness: SessionObserver) -> None:
        self._decoder = decoder
        self._witness = witness

    def decode(self, data: bytes) -> NDArray[np.float32]:
        """Samples that are complete so far."""
        return self._told(self._decoder.decode(data))

    def finish(self) -> NDArray[np.float32]:
        """What was held back."""
        return self._told(self._decoder.finish())

    def _told(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        self._witness.hear(samples)
        return samples
