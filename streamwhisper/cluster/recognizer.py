"""Recognizer whose model runs on the workers of a Ray cluster.

Ray manages the workers: discovery, health, scaling and routing. A gateway needs neither torch nor
weights.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ray
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from streamwhisper.cluster.dispatch import Dispatcher, Patience, WorkerLost
from streamwhisper.cluster.wire import Message, RemotePast, unpack_hypothesis, unpack_info
from streamwhisper.cluster.worker_table import WorkerTable
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import Figure, Hypothesis, ModelInfo, RecognitionRequest
from streamwhisper.rolling import RollingStats

if TYPE_CHECKING:
    from streamwhisper.whisper.tokenizer import Tokenizer
    from streamwhisper.whisper.windows import Watch, WindowHypothesis, WindowRequest

__all__ = ["RayRecognizer", "join"]

log = logging.getLogger(__name__)

PREFIX = "streamwhisper."
"""Prefix of application names, because other programs can use the same cluster."""
CALLS = 256
"""Maximum concurrent requests of a gateway; others wait in its own queue, in fair order."""

_WATCH_EVERY = 2.0  # seconds
_REACHABLE = 5.0  # seconds for a worker to answer a check
_WINDOW_PATIENCE = 300.0  # seconds for a whole window of a recording, on a slow worker in a queue
_FIRST_ANSWER = 60.0  # seconds for a worker to report its model

_COUNTS = {
    "lost": "Requests whose worker died or could not be reached; they were sent again.",
    "twice": "Requests sent to a second worker because the first one was slow.",
    "failed": "Requests that were rejected, or that no worker answered in time.",
    "recalled": "Requests whose worker had the past of their window.",
    "forgotten": "Requests whose worker no longer had the past, so it was computed again.",
}


def join(address: str) -> None:
    """Connect this process to a cluster; this machine must be a node of it.

    Args:
        address: address of the head node, ``HOST:PORT``; "auto" takes the cluster of this machine.

    Raises:
        RecognitionError: the cluster is not reachable, or this machine is not a node of it.
    """
    if ray.is_initialized():
        return
    try:
        if address != "auto":
            _check_port(address)  # Ray would retry for a minute
        ray.init(
            address,
            namespace="streamwhisper",
            log_to_driver=False,
            logging_level=logging.WARNING,
        )
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise RecognitionError(
            f"cannot join a Ray cluster at {address} ({error}): no cluster runs there, this "
            "machine is not a node of it, or the tokens differ. `streamwhisper cluster start` "
            "starts a cluster, `ray start --address HOST:6379 --num-cpus 0` joins one"
        ) from error


def _check_port(address: str) -> None:
    """Raise OSError if the port is closed, ValueError if the address is invalid."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError('expected HOST:PORT or "auto"')
    socket.create_connection((host, int(port)), _REACHABLE).close()


class RayRecognizer:
    """Recognizer that sends requests to the workers of one model; thread-safe.

    A returned past names the worker that holds it, so the next request about the window goes there.
    """

    def __init__(
        self,
        name: str,
        patience: Patience | None = None,
        *,
        on_answer: Callable[[float, Message], None] | None = None,
    ) -> None:
        """Connect to a model of the cluster that this process has joined.

        Args:
            name: name of the deployed model.
            patience: time limits for workers.
            on_answer: receives the duration of each answer in seconds, and the answer.

        Raises:
            RecognitionError: the model is not deployed, or its workers have another version.
        """
        self._waits = RollingStats()  # waiting time of each request, in seconds
        self._costs = RollingStats()  # share of each request in the work of its worker, in seconds
        self._roster = WorkerTable()
        self._on_answer = on_answer
        self._changes = 0
        self._obstacle: str | None = None
        self._dispatcher = Dispatcher(self._send, patience or Patience())
        try:
            self._handle = serve.get_app_handle(PREFIX + name)
            about = self._handle.about.remote().result(timeout_s=_FIRST_ANSWER)
        except (RayError, RayServeException, TimeoutError) as error:
            raise RecognitionError(
                f"the cluster does not serve {name} ({type(error).__name__}: {error}); "
                f"`streamwhisper cluster start --model {name}` deploys it, and "
                "`streamwhisper cluster status` lists the models"
            ) from error
        self._info = unpack_info(about)
        self._about: Message = about
        self._windows = 0  # windows of recordings in progress
        self._window_done = asyncio.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cluster", daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._watch(), self._loop)

    @property
    def info(self) -> ModelInfo:
        """Model that answered last."""
        return self._info

    @property
    def workers(self) -> int:
        """Number of calls of `recognize` that are worth making at the same time."""
        return CALLS

    @property
    def batch(self) -> int:
        """Number of requests in one call; 1, because workers build the batches."""
        return 1

    @property
    def remote(self) -> RayRecognizer:
        """State of the cluster as seen from this process; the recognizer itself."""
        return self

    @property
    def wait(self) -> float:
        """Current waiting time of requests for a worker or for a core, in seconds."""
        return self._waits.rising()

    @property
    def cost(self) -> float:
        """Seconds by which one more request delays the requests of all gateways."""
        return self._costs.mean() / max(1, self._roster.count)

    @property
    def idle(self) -> float:
        """Mean idle share of the workers, 0 to 1, across all gateways."""
        return self._roster.idle

    @property
    def obstacle(self) -> str | None:
        """Reason that no worker is reachable; None if one is."""
        return self._obstacle

    def figures(self) -> Iterable[Figure]:
        """Yield the metrics of the cluster as seen from this process."""
        yield Figure(
            "cluster_workers",
            "Workers that answered within the last minute.",
            lambda: self._roster.count,
        )
        yield Figure(
            "cluster_model_changes",
            "Changes of the answering model.",
            lambda: self._changes,
        )
        yield Figure(
            "cluster_requests_moved",
            "Requests sent to another worker because the worker of their window was overloaded.",
            lambda: self._roster.moves,
        )
        for name, explanation in _COUNTS.items():
            value = partial(self._dispatcher.counts.__getitem__, name)
            yield Figure(f"cluster_requests_{name}", explanation, value)

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Answer each request; see `streamwhisper.recognition.Recognizer`."""
        return asyncio.run_coroutine_threadsafe(self._recognize(requests), self._loop).result()

    @property
    def tokenizer(self) -> Tokenizer:
        """Tokenizer of the model that answered last."""
        from streamwhisper.cluster.window_wire import unpack_text_model

        return unpack_text_model(self._text_model)[0]

    @property
    def _text_model(self) -> Message:
        if "text_model" not in self._about:
            raise RecognitionError(
                "the workers of the cluster run an older release, which does not transcribe "
                "recordings; install the same release on gateways and workers"
            )
        found: Message = self._about["text_model"]
        return found

    @property
    def n_text_ctx(self) -> int:
        """Tokens in the text context of the model that answered last."""
        size: int = self._text_model["n_text_ctx"]
        return size

    @property
    def windows_at_once(self) -> int:
        """Number of windows in one call of `transcribe_windows`: a batch for each worker."""
        return max(1, self._roster.count) * int(self._about.get("windows", 1))

    @property
    def window_calls(self) -> int:
        """Number of calls of `transcribe_windows` that are worth making at the same time."""
        return 1

    def transcribe_windows(
        self, requests: Sequence[WindowRequest], watch: Watch | None = None
    ) -> list[WindowHypothesis]:
        """Transcribe whole windows, each by a worker; a lost worker's window is sent again.

        `watch` is not called.
        """
        return asyncio.run_coroutine_threadsafe(
            self._transcribe_windows(requests), self._loop
        ).result()

    def close(self) -> None:
        """Stop sending requests; requests in progress fail."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._handle.shutdown()  # otherwise it reconnects after this process has left
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return list(await asyncio.gather(*map(self._answer, requests)))

    async def _answer(self, request: RecognitionRequest) -> Hypothesis:
        past = request.past if isinstance(request.past, RemotePast) else None
        if past is not None and (calmer := self._roster.calmer(past.worker)):
            past = RemotePast(past.window, calmer, 0)
        began = time.monotonic()
        answer = await self._dispatcher.answer(request, self._info, past)
        took = time.monotonic() - began
        self._waits.add(max(0.0, took - answer["cpu"]))
        self._costs.add(answer["seconds"] / answer["batch"])
        self._roster.note(answer["worker"], answer["busy"])
        if self._on_answer is not None:
            self._on_answer(took, answer)
        frames = request.mel.shape[1]
        left = RemotePast(answer["window"], answer["worker"], frames) if answer["kept"] else None
        return unpack_hypothesis(answer["hypothesis"], left)

    async def _transcribe_windows(
        self, requests: Sequence[WindowRequest]
    ) -> list[WindowHypothesis]:
        return list(await asyncio.gather(*map(self._transcribe_window, requests)))

    async def _transcribe_window(self, request: WindowRequest) -> WindowHypothesis:
        from streamwhisper.cluster.window_wire import (
            pack_window_request,
            unpack_window_hypothesis,
        )

        async with self._window_done:
            # More windows would fill the workers' queues and delay live requests.
            await self._window_done.wait_for(lambda: self._windows < self.windows_at_once)
            self._windows += 1
        try:
            message = pack_window_request(request, self._info, _WINDOW_PATIENCE)
            answer = await self._dispatcher.deliver(message, self._send_window, _WINDOW_PATIENCE)
        finally:
            self._windows -= 1
            async with self._window_done:
                self._window_done.notify_all()
        return unpack_window_hypothesis(answer["hypothesis"])

    async def _watch(self) -> None:
        """Check periodically that a worker is reachable."""
        while True:
            try:
                about = await asyncio.wait_for(self._handle.about.remote(), _REACHABLE)
                self._note_model(unpack_info(about))
                self._about = about
                self._roster.note(about["worker"], about["busy"])
                self._obstacle = None
            except (RayError, RayServeException, TimeoutError, RecognitionError) as error:
                self._obstacle = f"no worker of the cluster is available: {error or 'none answers'}"
            await asyncio.sleep(_WATCH_EVERY)

    def _note_model(self, info: ModelInfo) -> None:
        if info != self._info:
            log.warning("the workers' model is now %s, not %s", info.name, self._info.name)
            self._changes += 1
            self._info = info

    async def _send(self, message: Message) -> Message:
        return await self._response(self._handle.recognize.remote(message))

    async def _send_window(self, message: Message) -> Message:
        return await self._response(self._handle.transcribe_window.remote(message))

    async def _response(self, response: Any) -> Message:
        try:
            answer: Message = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except RayTaskError as error:  # the worker is alive
            raise RecognitionError(f"a worker failed: {error.cause!r}") from error
        except (RayError, RayServeException) as error:
            log.info("a worker was lost with a request: %s", error)
            raise WorkerLost(str(error)) from error
        return answer
