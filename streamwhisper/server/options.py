"""What a server is told at its start: where to listen, and what to grant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamwhisper.errors import check_fields
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from streamwhisper.server.publishing.rooms import RoomOptions
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.server.wyoming.port import WyomingOptions
from streamwhisper.session.options import SessionOptions

if TYPE_CHECKING:
    import ssl

__all__ = ["DEFAULT_PORT", "ServerOptions"]

DEFAULT_PORT = 8765


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where to listen, and what to grant.

    Attributes:
        host: the address to listen on.
        port: 0 takes a free one.
        commit_timeout: seconds that sessions get to commit everything when the server stops,
            after those in which they hear out their clients (`Limits.drain_timeout`).
        tls: encrypts; None leaves that to a proxy, or out.
        max_wait: seconds that requests may wait for the recognizer; while they wait longer, new
            sessions are refused, for they would spoil those that run. None: they never are.
        recording: what is recorded of all sessions; None: nothing is.
        rooms: what viewers of sessions that publish are granted.
        wyoming: speaks Wyoming at a port of its own; None: it is not spoken.
        rest: where and how whole recordings are taken in; None: they are not.

    Raises:
        ValueError: a value that makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    commit_timeout: float = 20.0
    tls: ssl.SSLContext | None = None
    access: AccessOptions = field(default_factory=AccessOptions)
    limits: Limits = field(default_factory=Limits)
    session: SessionOptions = field(default_factory=SessionOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    max_wait: float | None = None
    recording: RecordingOptions | None = None
    rooms: RoomOptions = field(default_factory=RoomOptions)
    wyoming: WyomingOptions | None = None
    rest: RestOptions | None = None

    def __post_init__(self) -> None:
        check_fields(self, ("max_wait", self.max_wait is None or self.max_wait > 0, "above 0 s"))
