"""Discrete-event simulation of speakers and the workers that answer them."""

from __future__ import annotations

import math
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

from benchmarks.lib.measure import percentile

SLICE = 0.004  # seconds that a process keeps a core while others wait
CHUNK = 0.1  # seconds of audio that gateways receive at once
DETECTION = 0.02  # seconds until a gateway knows that a worker died with its request
Events = Generator[simpy.Event, Any, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """What an update costs a worker, in seconds of one core or GPU.

    Attributes:
        recalled: samples of it where the window's past was there.
        forgotten: samples of it where it was not.
        more: what each further request of a batch costs, as a share of the first.
        overhead: seconds between gateway and worker, both ways, which nobody else waits for.
    """

    recalled: Sequence[float]
    forgotten: Sequence[float]
    more: float = 1.0
    overhead: float = 0.008


@dataclass(frozen=True, slots=True)
class Talk:
    """Speaking behaviour of one speaker.

    Attributes:
        speech: seconds of speech between pauses, on average.
        pause: seconds of a pause, on average.
    """

    speech: float = 6.0
    pause: float = 0.8


@dataclass(frozen=True, slots=True)
class Fleet:
    """Workers, and who speaks.

    Attributes:
        speakers: sessions at the same time.
        workers: that answer them.
        cores: that the workers share; None: each has its own.
        others: cores' worth of work that gateways, Ray and all else do on the shared ones.
        batch: requests that a worker answers at once.
        queue: requests that a worker takes before the next goes elsewhere.
        interval: seconds of new sound that make an update due.
        talk: how each speaker talks.
        lifetime: seconds until a worker dies, on average; None: never.
        restart: seconds until another one is loaded and warm.
    """

    speakers: int
    workers: int
    cores: int | None = None
    others: float = 0.0
    batch: int = 1
    queue: int = 8
    interval: float = 0.25
    talk: Talk = Talk()
    lifetime: float | None = None
    restart: float = 8.0


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        waits: seconds from when an update was due to its answer.
        lags: seconds of sound that an answer does not cover yet when it comes.
        busy: seconds that workers worked, all together.
        offered: seconds that they could have.
        windows: updates that were the first of their window.
        forgotten: others for which no past was there.
        lost: requests that died with a worker, and were sent again.
    """

    waits: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    busy: float = 0.0
    offered: float = 0.0
    windows: int = 0
    forgotten: int = 0
    lost: int = 0

    @property
    def utilization(self) -> float:
        """Share of the time that workers worked."""
        return self.busy / self.offered if self.offered else 0.0

    def row(self) -> dict[str, float]:
        """The figures of a table, times in milliseconds."""
        updates = max(1, len(self.waits))
        return {
            "utilization": round(self.utilization, 3),
            "wait_p50": round(1000 * percentile(self.waits, 0.5)),
            "wait_p95": round(1000 * percentile(self.waits, 0.95)),
            "lag_p95": round(1000 * percentile(self.lags, 0.95)),
            "forgotten": round(self.forgotten / updates, 4),
            "lost": self.lost,
        }


@dataclass(eq=False)
class _Request:
    answer: simpy.Event
    recalled: bool


class _Worker:
    """Takes requests in order, some at a time."""

    def __init__(self, world: _World) -> None:
        self._world = world
        self.waiting: list[_Request] = []
        self.working: list[_Request] = []
        self.pasts: set[int] = set()
        self.alive = True
        self._news = world.env.event()
        world.env.process(self._work())
        if world.fleet.lifetime is not None:
            world.env.process(self._die())

    @property
    def load(self) -> int:
        return len(self.waiting) + len(self.working)

    def put(self, request: _Request) -> None:
        self.waiting.append(request)
        if not self._news.triggered:
            self._news.succeed()

    def _work(self) -> Events:
        world = self._world
        while True:
            if not self.waiting or not self.alive:
                self._news = world.env.event()
                yield self._news
                continue
            self.working = self.waiting[: world.fleet.batch]
            del self.waiting[: world.fleet.batch]
            costs = sorted(map(world.cost, self.working), reverse=True)
            seconds = costs[0] + world.service.more * sum(costs[1:])
            yield from world.compute(seconds)
            world.outcome.busy += seconds
            done, self.working = self.working, []
            for request in done:
                if not request.answer.triggered:
                    request.answer.succeed(self)

    def _die(self) -> Events:
        world, fleet = self._world, self._world.fleet
        while True:
            yield world.env.timeout(world.random.expovariate(1 / (fleet.lifetime or 1)))
            self.alive = False
            self.pasts.clear()
            lost, self.waiting, self.working = [*self.waiting, *self.working], [], []
            for request in lost:
                if not request.answer.triggered:
                    world.outcome.lost += 1
                    request.answer.succeed(None)
            yield world.env.timeout(fleet.restart)
            self.alive = True
            if not self._news.triggered:
                self._news.succeed()


class _World:
    """One run."""

    def __init__(self, fleet: Fleet, service: Service, seed: int) -> None:
        self.fleet, self.service = fleet, service
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.outcome = Outcome()
        self.cores = simpy.Resource(self.env, fleet.cores) if fleet.cores else None
        self.workers = [_Worker(self) for _ in range(fleet.workers)]
        for speaker in range(fleet.speakers):
            self.env.process(self._speak(speaker))
            if fleet.others:
                self.env.process(self._disturb(fleet.others / fleet.speakers))

    def compute(self, seconds: float) -> Events:
        """Work of one process."""
        if self.cores is None:
            yield self.env.timeout(seconds)
            return
        while seconds > 0:
            with self.cores.request() as core:
                yield core
                yield self.env.timeout(min(SLICE, seconds))
            seconds -= SLICE

    def _disturb(self, cores: float) -> Events:
        """Work that somebody else does on the shared cores, at each chunk of sound."""
        yield self.env.timeout(self.random.uniform(0, CHUNK))
        while True:
            begun = self.env.now
            yield from self.compute(cores * CHUNK)
            yield self.env.timeout(max(0.0, begun + CHUNK - self.env.now))

    def cost(self, request: _Request) -> float:
        service = self.service
        return self.random.choice(service.recalled if request.recalled else service.forgotten)

    def _choose(self, preferred: _Worker | None) -> _Worker | None:
        room = [w for w in self.workers if w.alive and w.load < self.fleet.queue]
        if preferred in room:
            return preferred
        two = self.random.sample(room, min(2, len(room)))
        return min(two, key=lambda worker: worker.load, default=None)

    def _speak(self, speaker: int) -> Events:
        """Updates while there is speech, as soon as one is due and the last one is answered."""
        env, fleet = self.env, self.fleet
        yield env.timeout(self.random.uniform(0, fleet.talk.speech))
        while True:
            preferred: _Worker | None = None  # an utterance is a window of its own
            begun = env.now
            spoken = self.random.expovariate(1 / fleet.talk.speech)
            covered = 0.0
            while covered < spoken:
                # It is due when that much new sound is there, or when speech has ended.
                due = begun + chunked(min(covered + fleet.interval, spoken + 0.15))
                yield env.timeout(max(0.0, due - env.now))
                reach = env.now - begun
                preferred = yield from self._ask(speaker, preferred, max(due, env.now))
                covered = max(reach, covered + 1e-3)
                self.outcome.lags.append(env.now - begun - covered)
            if preferred is not None:
                preferred.pasts.discard(speaker)
            yield env.timeout(self.random.expovariate(1 / fleet.talk.pause))

    def _ask(self, speaker: int, preferred: _Worker | None, due: float) -> Events:
        env = self.env
        yield env.timeout(self.service.overhead / 2)
        while True:
            while (worker := self._choose(preferred)) is None:
                yield env.timeout(0.01)
            recalled = speaker in worker.pasts
            request = _Request(env.event(), recalled)
            worker.put(request)
            answered = yield request.answer
            if answered is not None:
                break
            yield env.timeout(DETECTION)
        if preferred is None:
            self.outcome.windows += 1
        elif not recalled:
            self.outcome.forgotten += 1
            preferred.pasts.discard(speaker)
        worker.pasts.add(speaker)
        yield env.timeout(self.service.overhead / 2)
        self.outcome.waits.append(env.now - due)
        return worker


def chunked(seconds: float) -> float:
    """When so much sound is there, as it comes in chunks."""
    return math.ceil(seconds / CHUNK - 1e-9) * CHUNK


def simulate(fleet: Fleet, service: Service, seconds: float = 60.0, seed: int = 1) -> Outcome:
    """Let speakers talk for so long."""
    world = _World(fleet, service, seed)
    world.env.run(until=seconds)
    world.outcome.offered = seconds * (fleet.workers if not fleet.cores else fleet.cores)
    return world.outcome
