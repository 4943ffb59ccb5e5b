"""How much is granted: by the server as a whole, and to one client."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.errors import check_fields

__all__ = ["Limits", "Quota", "RateLimiter"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server grants its clients, whoever they are.

    Attributes:
        max_sessions: connections served at the same time; further ones are refused. Sessions
            that wait to be resumed take places that no connection needs.
        max_sessions_per_address: likewise from one address (of IPv6: one /64); None: no limit.
        max_text_bytes: the largest text frame; a larger one is answered by close 1009.
        max_message_bytes: the largest frame of any kind, likewise.
        handshake_timeout: seconds until a connection has become a WebSocket, or is dropped.
        start_timeout: seconds from there to its ``start``.
        idle_timeout: seconds without any message before a session is ended.
        send_timeout: seconds that a client may leave its incoming data unread.
        drain_timeout: seconds in which what a client has sent is still heard when the server
            stops.
        resume_timeout: seconds that a session is kept after its connection was lost; 0: none is.

    Raises:
        ValueError: a value that makes no sense.
    """

    max_sessions: int = 100
    max_sessions_per_address: int | None = None
    max_text_bytes: int = 64 * 1024
    max_message_bytes: int = 1024 * 1024
    handshake_timeout: float = 10.0
    start_timeout: float = 10.0
    idle_timeout: float = 300.0
    send_timeout: float = 20.0
    drain_timeout: float = 10.0
    resume_timeout: float = 30.0

    def __post_init__(self) -> None:
        per_address = self.max_sessions_per_address
        check_fields(
            self,
            ("max_sessions", self.max_sessions >= 1, "1 or more"),
            ("max_sessions_per_address", per_address is None or per_address >= 1, "1 or more"),
            ("max_text_bytes", self.max_text_bytes >= 256, "256 or more"),
            ("max_message_bytes", self.max_message_bytes >= 256, "256 or more"),
            ("handshake_timeout", self.handshake_timeout > 0, "above 0 s"),
            ("start_timeout", self.start_timeout > 0, "above 0 s"),
            ("idle_timeout", self.idle_timeout > 0, "above 0 s"),
            ("send_timeout", self.send_timeout > 0, "above 0 s"),
            ("drain_timeout", self.drain_timeout >= 0, "0 s or more"),
            ("resume_timeout", self.resume_timeout >= 0, "0 s or more"),
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """What one client is granted: everybody with the same key, or everybody where there is none.

    Attributes:
        sessions: at the same time with one key; None: as many as the server has.
        audio_rate: seconds of sound that one session may bring in a second; faster ones are
            slowed down, by leaving the socket unread. None: as fast as the server keeps up.
        audio_burst: seconds of sound that may come at once nevertheless, such as what was
            spoken while a connection was lost.
        session_seconds: how long a session may last, and how much sound it may bring.

    Raises:
        ValueError: a value that makes no sense.
    """

    sessions: int | None = None
    audio_rate: float | None = None
    audio_burst: float = 60.0
    session_seconds: float | None = None

    def __post_init__(self) -> None:
        rate, seconds = self.audio_rate, self.session_seconds
        check_fields(
            self,
            ("sessions", self.sessions is None or self.sessions >= 1, "1 or more"),
            # With less, one that has fallen behind could hardly catch up, and its pings would
            # wait behind its sound for longer than WebSocket clients are patient.
            ("audio_rate", rate is None or rate >= 2, "2 (times real time) or more"),
            ("audio_burst", self.audio_burst >= 1, "1 s or more"),
            ("session_seconds", seconds is None or seconds > 0, "above 0 s"),
        )


class RateLimiter:
    """How long to leave a socket unread so that its sound comes no faster than is allowed."""

    def __init__(self, allowance: Quota, now: float) -> None:
        """Begin with the whole burst, at a clock's second `now`."""
        self._allowance = allowance
        self._ahead = 0.0  # seconds of sound beyond what the rate allows
        self._at = now

    def wait(self, heard: float, now: float) -> float:
        """Seconds to wait after so many seconds of sound came in."""
        rate = self._allowance.audio_rate
        if rate is None:
            return 0.0
        self._ahead = max(0.0, self._ahead - (now - self._at) * rate) + heard
        self._at = now
        return max(0.0, self._ahead - self._allowance.audio_burst) / rate
