"""Start-up: the port is open while the model loads; clients wait briefly, then receive 503."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus

from streamwhisper.live.scheduler import Scheduler, SchedulerOptions
from streamwhisper.recognition import ModelInfo, Recognizer, remote_state
from streamwhisper.server.access.rejection import RETRY_AFTER, HandshakeRejected

__all__ = ["LoadedModel", "Loading", "Startup"]

Loaded = tuple[Recognizer, SchedulerOptions]


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """The recognizer of a server, and the scheduler of its requests."""

    recognizer: Recognizer
    scheduler: Scheduler


class Loading:
    """A recognizer that loads on a thread while the server's port is open already."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        """Prepare to call `load`, which returns the recognizer and its scheduler options.

        It runs on a daemon thread, so that a server can stop without waiting for it.
        """
        self._load = load
        self._loaded: Future[Loaded] = Future()

    @property
    def under_way(self) -> bool:
        """True while the thread runs."""
        return self._loaded.running()

    def begin(self) -> asyncio.Future[Loaded]:
        """Start to load; the future raises what `load` raises."""
        self._loaded.set_running_or_notify_cancel()  # from now on it cannot be cancelled
        threading.Thread(target=self._work, name="loading", daemon=True).start()
        return asyncio.wrap_future(self._loaded)

    def _work(self) -> None:
        try:
            self._loaded.set_result(self._load())
        except BaseException as error:  # outermost frame of the thread: the future raises it
            self._loaded.set_exception(error)


class Startup:
    """The model of a server, and the clients that wait until it is loaded.

    Attributes:
        waiting: number of waiting clients.
    """

    def __init__(self, timeout: float, max_waiting: int) -> None:
        """Start without a model.

        Args:
            timeout: seconds that a client waits before it is rejected.
            max_waiting: maximum number of waiting clients; more are rejected at once.
        """
        self._timeout = timeout
        self._max_waiting = max_waiting
        self.waiting = 0
        self._done = asyncio.Event()
        self._model: LoadedModel | None = None

    def finish(self, model: LoadedModel) -> None:
        """Set the loaded model; all waiting clients continue."""
        self._model = model
        self._done.set()

    def cancel(self) -> None:
        """Stop waiting: the server shuts down."""
        self._done.set()

    async def wait(self) -> None:
        """Wait until the model is loaded, for a limited time."""
        if not self.finished and self.waiting < self._max_waiting:
            self.waiting += 1
            try:
                async with asyncio.timeout(self._timeout):
                    await self._done.wait()
            except TimeoutError:
                pass
            finally:
                self.waiting -= 1

    @property
    def finished(self) -> bool:
        """True if the model is loaded."""
        return self._model is not None

    @property
    def model(self) -> LoadedModel:
        """The loaded model.

        Raises:
            HandshakeRejected: it is not loaded yet.
        """
        if self._model is None:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "loading",
                "The server is loading its model, which takes seconds, or minutes if it must be "
                f"downloaded first. Try again in {RETRY_AFTER:g} s.",
            )
        return self._model

    @property
    def info(self) -> ModelInfo:
        """Description of the loaded model.

        Raises:
            HandshakeRejected: it is not loaded yet.
        """
        return self.model.recognizer.info

    def check(self) -> None:
        """Check that the model is loaded and reachable.

        Raises:
            HandshakeRejected: it is not.
        """
        recognizer = self.model.recognizer
        remote = remote_state(recognizer)
        obstacle = None if remote is None else remote.obstacle
        if obstacle is not None:
            raise HandshakeRejected(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "no_workers",
                f"{obstacle}; try again in {RETRY_AFTER:g} s",
            )
