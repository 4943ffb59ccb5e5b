"""Options of a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamwhisper.deprecation import grouped_fields
from streamwhisper.errors import check_fields
from streamwhisper.live.scheduler import SchedulerOptions
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.publishing.recorder import RecordingOptions
from streamwhisper.server.publishing.rooms import RoomOptions
from streamwhisper.server.rest.options import RestOptions
from streamwhisper.server.wyoming.options import WyomingOptions
from streamwhisper.session.options import SessionOptions

if TYPE_CHECKING:
    import ssl

__all__ = ["DEFAULT_PORT", "FeatureOptions", "ServerOptions"]

DEFAULT_PORT = 8765


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """Optional features of a server.

    Attributes:
        recording: what to record of each session, and where; None: nothing.
        rooms: limits of rooms and viewers.
        wyoming: how to serve the Wyoming protocol; None: not at all.
        rest: how to transcribe recordings sent over HTTP; None: not at all.
    """

    recording: RecordingOptions | None = None
    rooms: RoomOptions = field(default_factory=RoomOptions)
    wyoming: WyomingOptions | None = None
    rest: RestOptions | None = None


@grouped_fields("features", FeatureOptions, "recording", "rooms", "wyoming", "rest")
@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Address, access, limits and features of a server.

    Attributes:
        host: address to listen on.
        port: port to listen on; 0: any free one.
        tls: TLS context; None: no encryption, e.g. behind a proxy that encrypts.
        access: which clients may use the server.
        limits: limits that apply to all clients.
        session: default options of sessions.
        scheduler: how requests are batched, if the recognizer is passed to `Server`.
        features: optional features.
        max_wait: seconds that requests may wait for the recognizer before new sessions are
            rejected, because they would slow down the running ones; None: sessions are never
            rejected.
        commit_timeout: seconds in which sessions must commit all text when the server stops, after
            the drain (`Limits.drain_timeout`).

    Raises:
        ValueError: a value is out of range.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    tls: ssl.SSLContext | None = None
    access: AccessOptions = field(default_factory=AccessOptions)
    limits: Limits = field(default_factory=Limits)
    session: SessionOptions = field(default_factory=SessionOptions)
    scheduler: SchedulerOptions = field(default_factory=SchedulerOptions)
    features: FeatureOptions = field(default_factory=FeatureOptions)
    max_wait: float | None = None
    commit_timeout: float = 20.0

    def __post_init__(self) -> None:
        check_fields(self, ("max_wait", self.max_wait is None or self.max_wait > 0, "above 0 s"))
