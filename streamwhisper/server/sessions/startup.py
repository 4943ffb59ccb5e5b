"""The time before a server's model has loaded: its port is open, and who comes waits a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus

from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.recognition import ModelInfo, Recognizer, RemoteRecognizer
from streamwhisper.server.access.rejection import RETRY_AFTER, HandshakeRejected

__all__ = ["Loading", "Startup"]

Loaded = tuple[Recognizer, SchedulerOptions]


class Loading:
    """A recognizer that is still to come."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        """Have it made by `load`, which also says how its requests are put together.

        That runs on a daemon thread, so that nobody who stops the server waits for it.
        """
        self._load = load
        self._loaded: Future[Loaded] = Future()

    @property
    def under_way(self) -> bool:
        """Whether the thread runs."""
        return self._loaded.running()

    def begin(self) -> asyncio.Future[Loaded]:
        """Load; raises what `load` does."""
        self._loaded.set_running_or_notify_cancel()  # from now on it cannot be cancelled
        threading.Thread(target=self._work, name="loading", daemon=True).start()
        return asyncio.wrap_future(self._loaded)

    def _work(self) -> None:
        try:
            self._loaded.set_result(self._load())
        except BaseException as error:  # outermost loop of the thread: the caller is told
            self._loaded.set_exception(error)


class Startup:
    """The moment from which on sessions are taken in, and those who wait for it.

    Attributes:
        waiting: how many do.
    """

    def __init__(self, patience: float, places: int) -> None:
        """Nobody is taken in yet.

        Args:
            patience: seconds after which who waits is told to come again.
            places: for who waits; further ones are told so at once.
        """
        self._patience = patience
        self._places = places
        self.waiting = 0
        self._come = asyncio.Event()
        self._recognizer: Recognizer | None = None

    def come(self, recognizer: Recognizer) -> None:
        """The model is there: all who wait go on."""
        self._recognizer = recognizer
        self._come.set()

    def call_off(self) -> None:
        """The server stops: nobody waits any more."""
        self._come.set()

    async def wait(self) -> None:
        """Wait for it, within bounds."""
        if not self.over and self.waiting < self._places:
            self.waiting += 1
            try:
                async with asyncio.timeout(self._patience):
                    await self._come.wait()
            except TimeoutError:
                pass
            finally:
                self.waiting -= 1

    @property
    def over(self) -> bool:
        """Whether the model is there."""
        return self._recognizer is not None

    @property
    def info(self) -> ModelInfo:
        """The model that is served.

        Raises:
            Refusal: it is not loaded yet.
        """
        if self._recognizer is None:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "loading",
                "the server is loading its model, which takes seconds, or minutes where it is "
                f"fetched first; try again in {RETRY_AFTER:g} s",
            )
        return self._recognizer.info

    def check(self) -> None:
        """Raise Refusal while there is no model, or it is elsewhere and out of reach."""
        _ = self.info
        recognizer = self._recognizer
        obstacle = recognizer.obstacle if isinstance(recognizer, RemoteRecognizer) else None
        if obstacle is not None:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "no_workers",
                f"{obstacle}; try again in {RETRY_AFTER:g} s",
            )
