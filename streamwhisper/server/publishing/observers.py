"""Observed sessions: every session of a server reports its audio and events to observers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamwhisper.events import Event
from streamwhisper.protocol import Start
from streamwhisper.recognition import ModelInfo
from streamwhisper.session.listener import Decoder
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["ObservedSession", "Observers", "SessionFactory", "SessionObserver"]


class SessionObserver(Protocol):
    """Receives the audio and events of one session, whatever connections carry it.

    Its methods must not raise: a session never fails because of an observer.
    """

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        """Receive decoded audio: float32 ``[n]`` at 16 kHz."""
        ...

    def on_event(self, event: Event) -> None:
        """Receive an event, before the client does."""
        ...

    def close(self) -> None:
        """Finish: the session has ended."""
        ...


class Observers:
    """Any number of observers, used as one."""

    def __init__(self, observers: Sequence[SessionObserver] = ()) -> None:
        self._observers = observers

    def on_audio(self, samples: NDArray[np.float32]) -> None:
        """Pass audio to every observer."""
        for observer in self._observers:
            observer.on_audio(samples)

    def on_event(self, event: Event) -> None:
        """Pass an event to every observer."""
        for observer in self._observers:
            observer.on_event(event)

    def close(self) -> None:
        """Close every observer."""
        for observer in self._observers:
            observer.close()


class ObservedSession(Session):
    """A session that reports its audio and events to an observer.

    Call `close` when the session is no longer needed.
    """

    def __init__(
        self,
        info: ModelInfo,
        decoder: Decoder,
        options: SessionOptions,
        observer: SessionObserver,
        count_viewers: Callable[[], int] | None = None,
    ) -> None:
        """Start a session.

        Args:
            info: the model.
            decoder: decodes the client's audio.
            options: options of the session.
            observer: receives audio and events.
            count_viewers: returns the number of viewers of the session's room; None: no room.

        Raises:
            RecognitionError: the model does not support the language or the task.
        """
        super().__init__(info, _ObservedDecoder(decoder, observer), options)
        self._observer = observer
        self._count_viewers = count_viewers

    @property
    def viewers(self) -> int | None:
        """Number of viewers of the session's room; None: it publishes in no room."""
        return None if self._count_viewers is None else self._count_viewers()

    def events(self) -> list[Event]:
        """Return the events since the last call; the observer receives them first."""
        events = super().events()
        for event in events:
            self._observer.on_event(event)
        return events

    def close(self) -> None:
        """Close the observer: it receives no more audio and events."""
        self._observer.close()


class SessionFactory(Protocol):
    """Opens the sessions of one client. Dialects get their sessions from it, and only from it."""

    def __call__(
        self, name: str, start: Start, decoder: Decoder, options: SessionOptions
    ) -> ObservedSession:
        """Open a session.

        Args:
            name: names the session in the log and in records.
            start: what the client asked for.
            decoder: decodes the client's audio.
            options: options of the session.

        Raises:
            SessionRejected: the server does not accept the session.
        """
        ...


class _ObservedDecoder:
    """A decoder whose output an observer receives, too."""

    def __init__(self, decoder: Decoder, observer: SessionObserver) -> None:
        self._decoder = decoder
        self._observer = observer

    def decode(self, data: bytes) -> NDArray[np.float32]:
        return self._observed(self._decoder.decode(data))

    def finish(self) -> NDArray[np.float32]:
        return self._observed(self._decoder.finish())

    def _observed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        self._observer.on_audio(samples)
        return samples
