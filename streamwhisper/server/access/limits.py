"""Limits of a server, and the quota of each client."""

from __future__ import annotations

from dataclasses import dataclass

from streamwhisper.errors import check_fields

__all__ = ["DEFAULT_AUDIO_RATE", "Limits", "Quota", "RateLimiter"]

DEFAULT_AUDIO_RATE = 30.0
"""Seconds of audio per second that a session may send if its quota names no rate. Silence costs no
recognition, but it keeps the event loop busy, and a few bytes can claim hours of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a server that apply to all clients.

    Attributes:
        max_sessions: maximum concurrent sessions; more are rejected. Sessions without a connection
            that can be resumed use slots that no connected session needs.
        max_sessions_per_address: maximum concurrent sessions per IP address, or per /64 network of
            IPv6; None: no limit.
        max_text_bytes: maximum size of a text frame; a larger one closes the connection with 1009.
        max_message_bytes: maximum size of any frame; a larger one closes the connection with 1009.
        handshake_timeout: seconds in which a connection must complete its WebSocket handshake.
        start_timeout: seconds in which the client must send ``start`` after the handshake.
        idle_timeout: seconds without a message after which a session ends.
        send_timeout: seconds that a client may leave its incoming data unread.
        drain_timeout: seconds in which the server finishes received audio when it shuts down.
        resume_timeout: seconds that a session can be resumed after its connection was lost; 0:
            sessions cannot be resumed.

    Raises:
        ValueError: a value is out of range.
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
    """Limits of one client's sessions.

    Attributes:
        sessions: maximum concurrent sessions with one key; None: no limit.
        audio_rate: seconds of audio that a session may send per second. Faster clients are slowed
            down: their socket is read later. None: `DEFAULT_AUDIO_RATE`, for all channels together.
        audio_burst: seconds of audio that a session may send at once in spite of `audio_rate`, e.g.
            audio that was recorded while the connection was lost.
        session_seconds: maximum duration of a session, and of its audio, in seconds; None: no
            limit.

    Raises:
        ValueError: a value is out of range.
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
            # With less, a session that has fallen behind could hardly catch up, and its pings
            # would wait behind its audio for longer than WebSocket clients tolerate.
            ("audio_rate", rate is None or rate >= 2, "2 (times real time) or more"),
            ("audio_burst", self.audio_burst >= 1, "1 s or more"),
            ("session_seconds", seconds is None or seconds > 0, "above 0 s"),
        )


class RateLimiter:
    """Limits the rate of a session's audio by pauses in reading its socket."""

    def __init__(self, quota: Quota, now: float) -> None:
        """Start with the whole burst available; `now` is the time in seconds of a clock."""
        self._quota = quota
        self._ahead = 0.0  # seconds of audio beyond the allowed rate
        self._at = now

    def wait(self, received: float, now: float) -> float:
        """Return the seconds to wait after `received` seconds of audio."""
        rate = self._quota.audio_rate or DEFAULT_AUDIO_RATE
        self._ahead = max(0.0, self._ahead - (now - self._at) * rate) + received
        self._at = now
        return max(0.0, self._ahead - self._quota.audio_burst) / rate
