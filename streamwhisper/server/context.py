"""The parts of a server that all of its connections share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from streamwhisper.server.access.open_files import FileBudget, Newcomers, open_files
from streamwhisper.server.access.origins import is_loopback
from streamwhisper.server.access.policy import AccessPolicy, Client
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.metrics import Metrics
from streamwhisper.server.options import ServerOptions
from streamwhisper.server.publishing.recorder import Recorder
from streamwhisper.server.publishing.rooms import Rooms
from streamwhisper.server.sessions.active_connections import ActiveConnections
from streamwhisper.server.sessions.admission import Admission
from streamwhisper.server.sessions.outcome import LOST
from streamwhisper.server.sessions.resumable import ResumableSessions, Timer
from streamwhisper.server.sessions.startup import Startup

__all__ = ["ServerContext"]

log = logging.getLogger(__name__)

_STARTUP_WAIT = 0.4  # share of the handshake timeout for which clients wait for the model


@dataclass(frozen=True, slots=True)
class ServerContext:
    """The parts of a server that all of its connections share.

    Attributes:
        options: options of the server.
        metrics: metrics of the server.
        startup: the model, once it is loaded.
        access: authentication, origin checks and quotas.
        connections: open connections.
        resumable: sessions that can be resumed.
        rooms: rooms in which sessions publish.
        recorder: records the sessions; None: sessions are not recorded.
        admission: opens the sessions.
    """

    options: ServerOptions
    metrics: Metrics
    startup: Startup
    access: AccessPolicy
    connections: ActiveConnections
    resumable: ResumableSessions
    rooms: Rooms
    recorder: Recorder | None
    admission: Admission

    @classmethod
    def create(cls, options: ServerOptions) -> ServerContext:
        """Create the parts of a server whose model is not loaded yet.

        Raises:
            OSError: the folder of records cannot be written to.
        """
        limits, features, metrics = options.limits, options.features, Metrics()
        # Clients learn that the model is missing before their handshake times out.
        startup = Startup(limits.handshake_timeout * _STARTUP_WAIT, limits.max_sessions)
        access = AccessPolicy(options.access, limits, loopback=is_loopback(options.host))
        resumable = ResumableSessions(
            limits.resume_timeout,
            limits.max_sessions,
            _call_later,
            on_expire=metrics.sessions_closed.labels(LOST).inc,
        )
        files = _file_budget(options)
        viewers = min(features.rooms.max_viewers, files.viewers)
        if viewers < features.rooms.max_viewers:
            log.warning(
                "only %d files can be open, so there is room for %d viewers instead of %d; raise "
                "the limit, e.g. with ulimit -n, or lower --max-sessions",
                open_files(),
                viewers,
                features.rooms.max_viewers,
            )
        rooms = Rooms(
            replace(features.rooms, max_viewers=viewers),
            on_drop=metrics.viewers_dropped.inc,
            dismiss=resumable.dismiss,
        )
        recorder = (
            None
            if features.recording is None
            else Recorder(features.recording, metrics.recording_failures.inc)
        )
        admission = Admission(
            startup,
            rooms,
            recorder,
            metrics,
            max_wait=options.max_wait,
            interval=options.session.update_interval,
        )
        connections = ActiveConnections(access)
        return cls(
            options,
            metrics,
            startup,
            access,
            connections,
            resumable,
            rooms,
            recorder,
            admission,
        )

    async def admits_only_resuming(self, client: Client, *, resumable: bool) -> bool:
        """Check that a session slot is free for a client's connection.

        Args:
            client: the client.
            resumable: whether the connection's path has sessions that can be resumed.

        Returns:
            False if it is free; True if none is free, but the connection of one of the client's
            sessions seems to be dead: then the new connection may resume that session.

        Raises:
            HandshakeRejected: no slot is free, or the server is shutting down.
        """
        try:
            self.access.check_slots(client)
        except HandshakeRejected:
            owner = client.owner
            if self.access.shutting_down or not (resumable and self.resumable.claimable(owner)):
                raise
            holders = self.resumable.holders(owner)
            if all(await asyncio.gather(*(holder.answers() for holder in holders))):
                raise
            return True
        return False

    def new_connections(self) -> Newcomers:
        """Return the newcomers of one port."""
        return Newcomers(_file_budget(self.options).newcomers)

    @property
    def shutdown_seconds(self) -> float:
        """Seconds that sessions have to finish when the server stops."""
        return self.options.limits.drain_timeout + self.options.commit_timeout

    def follow(self) -> None:
        """Add gauges of the current state to the metrics."""
        follow = self.metrics.follow
        follow("open_sessions", "Open sessions.", lambda: self.access.open_sessions)
        follow(
            "parked_sessions",
            "Sessions without a connection that can be resumed.",
            lambda: self.resumable.detached,
        )
        follow(
            "longest_lag_seconds",
            "Audio received but not recognized yet, in the session that has most of it.",
            lambda: self.connections.longest_lag,
        )
        follow("viewers", "Viewers of publishing sessions.", lambda: self.rooms.viewers)
        follow("tasks", "Tasks on the event loop.", lambda: len(asyncio.all_tasks()))


def _file_budget(options: ServerOptions) -> FileBudget:
    features = options.features
    return FileBudget.of(
        open_files(),
        options.limits.max_sessions,
        per_session=1 if features.recording is None else 3,  # and the files of text and audio
        ports=1 if features.rest is None else 2,
    )


def _call_later(seconds: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, call)
