"""Worker: one loaded model that answers the requests of all gateways; a Ray Serve replica.

A worker holds no session: any worker can answer any request with the same text. Its cache of
windows only saves time.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ray import serve

from streamwhisper.audio.constants import FRAMES_PER_SECOND
from streamwhisper.checkpoints.hub import HubOptions
from streamwhisper.cluster.past_cache import PastCache
from streamwhisper.cluster.time_average import TimeAverage
from streamwhisper.cluster.window_wire import (
    pack_text_model,
    pack_window_hypothesis,
    unpack_window_request,
)
from streamwhisper.cluster.wire import (
    FramesMissing,
    HalfMel,
    Message,
    check_version,
    half_mel,
    pack_hypothesis,
    pack_info,
    unpack_request,
)
from streamwhisper.engine.devices import Precision
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.engine.malloc import release_free_memory, share_one_arena
from streamwhisper.engine.priority import lower_priority
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import Hypothesis, RecognitionRequest
from streamwhisper.rolling import RollingStats
from streamwhisper.whisper.windows import WindowRequest

__all__ = ["Worker", "WorkerOptions"]

MAX_BATCH = 64
"""Maximum requests per batch on a GPU; a CPU gains nothing by batches and gets one."""
MAX_WINDOWS = 16
"""Maximum whole windows per batch on a GPU."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Model, device and cache size of a worker.

    Attributes:
        model: model name, path or hub repository.
        device, dtype, threads, adapter, compile: fields of `LocalOptions`.
        pasts: maximum number of windows whose past is cached; 0 disables the cache.
        cache: folder of models on the worker's machine; None takes the user's cache folder.
        offline: download nothing.
    """

    model: str
    device: str = "auto"
    dtype: Precision = "auto"
    threads: int = 1
    adapter: str | None = None
    compile: bool = False
    pasts: int = 64
    cache: str | None = None
    offline: bool = False

    def local(self) -> LocalOptions:
        """Return the options of the recognizer."""
        adapter = Path(self.adapter) if self.adapter else None
        return LocalOptions(
            self.device, self.dtype, self.threads, adapter=adapter, compile=self.compile
        )

    def hub(self) -> HubOptions:
        """Return the cache folder and sources of models."""
        if self.cache is None:
            return HubOptions(offline=self.offline)
        return HubOptions(Path(self.cache), offline=self.offline)


@dataclass(slots=True, eq=False)
class _Job:
    """Request in progress.

    Attributes:
        recalled: whether the past of its window is cached.
        came: time of arrival by this machine's clock, which differs from the gateway's.
    """

    message: Message
    mel: HalfMel
    request: RecognitionRequest
    recalled: bool
    came: float = field(default_factory=time.monotonic)

    @property
    def overdue(self) -> bool:
        return time.monotonic() - self.came > float(self.message["patience"])


class Worker:
    """Replica with one model; Ray sends requests once `__init__` has returned."""

    def __init__(self, options: WorkerOptions) -> None:
        """Load and warm up a model.

        Raises:
            ModelError: the model is not available.
            RecognitionError: the device is not available.
        """
        share_one_arena()
        self._recognizer = LocalRecognizer.load(options.model, options.local(), options.hub())
        self._recognizer.warm_up()
        release_free_memory()
        self._answer.set_max_batch_size(min(MAX_BATCH, self._recognizer.batch))
        self._transcribe.set_max_batch_size(min(MAX_WINDOWS, self._recognizer.batch))
        self._pasts = PastCache(options.pasts)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recognizer")
        # Recordings have a separate thread: live requests must not wait for whole windows.
        self._window_thread = ThreadPoolExecutor(1, "windows", lower_priority)
        self._name = serve.get_replica_context().replica_id.unique_id
        self._load = TimeAverage()
        self._worked = RollingStats()

    def about(self) -> Message:
        """Return the model and the busy share of this worker."""
        model = self._recognizer.model
        text_model = pack_text_model(model.dims.n_vocab, model.dims.n_text_ctx, model.generation)
        return pack_info(self._recognizer.info) | {
            "worker": self._name,
            "busy": self._busy,
            "text_model": text_model,
            "windows": min(MAX_WINDOWS, self._recognizer.batch),
        }

    async def recognize(self, message: Message) -> Message:
        """Answer one request.

        Returns:
            ``hypothesis``; or ``refused`` with the reason; or ``missing`` if omitted frames are
            not cached; or ``overdue`` if the gateway no longer waits. Further keys: ``worker``
            (name of this worker), ``seconds`` and ``cpu`` (elapsed and CPU time of the batch),
            ``batch`` (requests in it), ``busy`` (busy share of the worker, 0 to 1), ``recalled``
            (a past was cached) and ``kept`` (a past is cached now).
        """
        try:
            job = self._job(message)
        except FramesMissing:
            return {"worker": self._name, "missing": True}
        except RecognitionError as error:
            return {"worker": self._name, "refused": str(error)}
        with self._load.of(job.mel.shape[1] - message["first"]):
            answer: Message = await self._answer(job)
        return {"worker": self._name, **answer}

    async def transcribe_window(self, message: Message) -> Message:
        """Transcribe one whole window of a recording, with less priority than live requests.

        Returns:
            ``hypothesis``, or ``refused`` with the reason; and ``worker``, the name of this worker.
        """
        try:
            check_version(message)
            self._check_kind(message)
            request = unpack_window_request(message)
        except RecognitionError as error:
            return {"worker": self._name, "refused": str(error)}
        with self._load.of(request.mel.shape[1]):
            answer: Message = await self._transcribe(request)
        return {"worker": self._name, **answer}

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Return the average seconds of queued audio since the last call, for Ray's autoscaler."""
        return {"queued_audio": self._load.average() / FRAMES_PER_SECOND}

    @property
    def _busy(self) -> float:
        return min(1.0, self._worked.rate())

    def _job(self, message: Message) -> _Job:
        check_version(message)
        self._check_kind(message)
        kept = self._pasts.find(message["window"])
        mel = half_mel(message, kept.mel if kept else None)
        fits = kept is not None and kept.frames <= mel.shape[1]
        past = kept.past if kept is not None and fits else None
        return _Job(message, mel, unpack_request(message, mel, past), fits)

    def _check_kind(self, message: Message) -> None:
        """Raise RecognitionError if the request is meant for a model with other tokens."""
        info = self._recognizer.info
        if message["multilingual"] != info.multilingual:
            raise RecognitionError(
                f"the worker's model is now {info.name}, whose vocabulary differs from that of "
                "the session's model; restart the gateway, or deploy a model of the same kind"
            )

    @serve.batch(max_batch_size=1, batch_wait_timeout_s=0.0)  # type: ignore[untyped-decorator]
    async def _answer(self, jobs: list[_Job]) -> list[Message]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        overdue = [job.overdue for job in jobs]
        due = [job for job, late in zip(jobs, overdue, strict=True) if not late]
        found, cpu = await loop.run_in_executor(self._thread, self._work, due)
        seconds = loop.time() - began
        self._worked.add(seconds)
        spent = {"seconds": seconds, "cpu": cpu, "batch": len(due), "busy": self._busy}
        answers = iter(found)
        return [
            {"overdue": True} if late else self._reply(job, next(answers)) | spent
            for job, late in zip(jobs, overdue, strict=True)
        ]

    @serve.batch(max_batch_size=1, batch_wait_timeout_s=0.0)  # type: ignore[untyped-decorator]
    async def _transcribe(self, requests: list[WindowRequest]) -> list[Message]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._window_thread, self._transcribed, requests)

    def _transcribed(self, requests: list[WindowRequest]) -> list[Message]:
        """Transcribe windows together; if that fails, transcribe each separately."""
        try:
            found = self._recognizer.transcribe_windows(requests)
        except RecognitionError as error:
            if len(requests) == 1:
                return [{"refused": str(error)}]
            return [answer for request in requests for answer in self._transcribed([request])]
        return [{"hypothesis": pack_window_hypothesis(one)} for one in found]

    def _work(self, jobs: list[_Job]) -> tuple[list[Hypothesis | str], float]:
        """Return the answers and the CPU seconds of this thread."""
        began = time.thread_time()
        return self._recognize_each(jobs), time.thread_time() - began

    def _recognize_each(self, jobs: list[_Job]) -> list[Hypothesis | str]:
        """Return the hypothesis, or the reason of the rejection, of each request.

        Answers all together; if that fails, each separately, so that a bad request harms no other.
        """
        try:
            return list(self._recognizer.recognize([job.request for job in jobs]))
        except RecognitionError as error:
            if len(jobs) == 1:
                return [str(error)]
            return [answer for job in jobs for answer in self._recognize_each([job])]

    def _reply(self, job: _Job, found: Hypothesis | str) -> Message:
        if isinstance(found, str):
            return {"refused": found}
        return {
            "hypothesis": pack_hypothesis(found),
            "recalled": job.recalled,
            "kept": self._pasts.keep(job.message["window"], job.mel, found.past),
        }
