"""Flags of ``serve`` for access, encryption, limits and logs, and the options they stand for."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from streamwhisper.cli.flags import option
from streamwhisper.cli.loading import hub_options

if TYPE_CHECKING:
    from streamwhisper.server.access.keys import Key
    from streamwhisper.server.access.limits import Limits, Quota
    from streamwhisper.server.access.policy import AccessOptions
    from streamwhisper.server.publishing.recorder import RecordingOptions

__all__ = [
    "AccessFlags",
    "EncryptionFlags",
    "LogFlags",
    "QuotaFlags",
    "RecordingFlags",
    "StopFlags",
    "TrafficFlags",
]

log = logging.getLogger(__name__)

_access = partial(option, rich_help_panel="Access")
_encryption = partial(option, rich_help_panel="Encryption")
_limit = partial(option, rich_help_panel="Limits")
_operation = partial(option, rich_help_panel="Operation")

_SHORT = 16  # characters; a shorter token can be guessed


@dataclass(frozen=True, slots=True)
class AccessFlags:
    """Flags for access tokens, origins and proxies."""

    token: Annotated[
        list[str] | None,
        _access(
            "--token",
            help="Access token that clients must send; repeatable. Other users of this machine "
            "can read command lines: prefer the environment variable or --tokens.",
        ),
    ] = None
    tokens: Annotated[
        Path | None,
        _access("--tokens", help="TOML file of access tokens with names and limits."),
    ] = None
    origin: Annotated[
        list[str] | None,
        _access(
            "--origin",
            help="Allow web pages of another origin, e.g. https://captions.example; *: all. "
            "Repeatable.",
        ),
    ] = None
    trusted_proxy: Annotated[
        list[str] | None,
        _access(
            "--trusted-proxy",
            help="Address or network of a reverse proxy whose X-Forwarded-For header is trusted. "
            "Repeatable.",
        ),
    ] = None

    def access_options(self, quota: Quota) -> AccessOptions:
        """Return the server's access rules; `quota` applies where a token has none of its own.

        Raises:
            ValueError: a token, an origin or a network that cannot be read.
        """
        from streamwhisper.server.access.keys import read_keys
        from streamwhisper.server.access.policy import AccessOptions
        from streamwhisper.server.access.proxies import parse_network

        keys = self._given_keys(quota)
        if self.tokens is not None:
            keys += tuple(read_keys(self.tokens, quota))
        proxies = tuple(parse_network(proxy) for proxy in self.trusted_proxy or ())
        return AccessOptions(keys, tuple(self.origin or ()), quota, proxies)

    def _given_keys(self, quota: Quota) -> tuple[Key, ...]:
        from streamwhisper.server.access.keys import Key

        secrets = list(enumerate(self.token or (), 1))
        for number, secret in secrets:
            if len(secret) < _SHORT:
                log.warning(
                    "token %d has %d characters and can be guessed; use %d or more",
                    number,
                    len(secret),
                    _SHORT,
                )
        return tuple(Key.of(f"token-{number}", secret, quota) for number, secret in secrets)


@dataclass(frozen=True, slots=True)
class EncryptionFlags:
    """Flags for the server's TLS certificate."""

    tls: Annotated[
        Literal["self-signed"] | None,
        _encryption(
            "--tls",
            help="Create and keep a certificate, and print the address for the local network.",
        ),
    ] = None
    tls_cert: Annotated[
        Path | None, _encryption("--tls-cert", help="PEM file of the certificate.")
    ] = None
    tls_key: Annotated[
        Path | None,
        _encryption("--tls-key", help="PEM file of the private key, if not in --tls-cert."),
    ] = None

    def files(self) -> tuple[Path, Path | None] | None:
        """Return the files of the certificate and of its key; None: no encryption.

        Raises:
            ValueError: flags that exclude each other.
        """
        from streamwhisper.server.access.tls import self_signed

        if self.tls is not None and (self.tls_cert or self.tls_key):
            raise ValueError(
                "--tls self-signed creates its own certificate; leave out --tls-cert and --tls-key"
            )
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError("--tls-key needs --tls-cert, the certificate that it belongs to")
        if self.tls is not None:
            return self_signed(hub_options().cache_dir / "tls")
        return (self.tls_cert, self.tls_key) if self.tls_cert is not None else None


@dataclass(frozen=True, slots=True)
class QuotaFlags:
    """Flags for the number, length and speed of sessions."""

    max_sessions: Annotated[
        int, _limit("--max-sessions", min=1, help="Maximum concurrent sessions.")
    ] = 100
    sessions_per_key: Annotated[
        int | None,
        _limit(
            "--sessions-per-key",
            min=1,
            help="Maximum concurrent sessions per access token. Default: unlimited.",
        ),
    ] = None
    sessions_per_address: Annotated[
        int | None,
        _limit(
            "--sessions-per-address",
            min=1,
            help="Maximum concurrent sessions per client IP address. Default: unlimited.",
        ),
    ] = None
    session_seconds: Annotated[
        float | None,
        _limit(
            "--session-seconds", help="Maximum length of a session in seconds. Default: unlimited."
        ),
    ] = None
    audio_rate: Annotated[
        float | None,
        _limit(
            "--audio-rate",
            min=2,
            help="Maximum speed of incoming audio, as a multiple of real time; faster clients "
            "are slowed down. Default: 30, for all channels together.",
        ),
    ] = None
    audio_burst: Annotated[
        float,
        _limit("--audio-burst", min=1, help="Seconds of audio exempt from --audio-rate."),
    ] = 60.0
    max_viewers: Annotated[
        int, _limit("--max-viewers", min=0, help="Maximum viewers across all rooms.")
    ] = 1000
    viewers_per_address: Annotated[
        int,
        _limit("--viewers-per-address", min=1, help="Maximum viewers per client IP address."),
    ] = 500
    max_wait: Annotated[
        float,
        _limit(
            "--max-wait",
            min=0,
            help="Reject new sessions while requests wait longer than this many seconds for the "
            "recognizer; 0: never reject.",
        ),
    ] = 0.1

    def quota(self) -> Quota:
        """Return what one client may use."""
        from streamwhisper.server.access.limits import Quota

        return Quota(self.sessions_per_key, self.audio_rate, self.audio_burst, self.session_seconds)


@dataclass(frozen=True, slots=True)
class TrafficFlags:
    """Flags for message sizes and time limits of connections."""

    max_text_bytes: Annotated[
        int, _limit("--max-text-bytes", min=256, help="Maximum size of a text message in bytes.")
    ] = 64 * 1024
    max_message_bytes: Annotated[
        int,
        _limit("--max-message-bytes", min=256, help="Maximum size of an audio message in bytes."),
    ] = 1024 * 1024
    handshake_timeout: Annotated[
        float,
        _limit("--handshake-timeout", help="Seconds a client has to complete the handshake."),
    ] = 10.0
    start_timeout: Annotated[
        float, _limit("--start-timeout", help="Seconds a client has to send `start`.")
    ] = 10.0
    idle_timeout: Annotated[
        float, _limit("--idle-timeout", help="Seconds without a message until a session ends.")
    ] = 300.0
    send_timeout: Annotated[
        float, _limit("--send-timeout", help="Seconds a client may leave messages unread.")
    ] = 20.0

    def limits(self, quotas: QuotaFlags, stop: StopFlags) -> Limits:
        """Return the limits of all connections.

        Raises:
            ValueError: a value out of range.
        """
        from streamwhisper.server.access.limits import Limits

        return Limits(
            max_sessions=quotas.max_sessions,
            max_sessions_per_address=quotas.sessions_per_address,
            max_text_bytes=self.max_text_bytes,
            max_message_bytes=self.max_message_bytes,
            handshake_timeout=self.handshake_timeout,
            start_timeout=self.start_timeout,
            idle_timeout=self.idle_timeout,
            send_timeout=self.send_timeout,
            drain_timeout=stop.drain,
            resume_timeout=stop.resume,
        )


@dataclass(frozen=True, slots=True)
class StopFlags:
    """Flags for sessions at shutdown and after a lost connection."""

    drain: Annotated[
        float,
        _operation(
            "--drain",
            min=0,
            help="Seconds to finish received audio after SIGTERM; closing connections can take "
            "20 s more.",
        ),
    ] = 10.0
    resume: Annotated[
        float,
        _operation("--resume", min=0, help="Seconds to keep a session whose connection is lost."),
    ] = 30.0


@dataclass(frozen=True, slots=True)
class RecordingFlags:
    """Flags for recordings of sessions."""

    record: Annotated[
        Path | None,
        _operation("--record", help="Folder for each session's text as JSONL, SRT and WebVTT."),
    ] = None
    record_audio: Annotated[
        bool, _operation("--record-audio", help="Also keep the audio in --record (WAV).")
    ] = False

    def recording_options(self) -> RecordingOptions | None:
        """Return how sessions are recorded; None: not at all.

        Raises:
            ValueError: audio without a folder.
        """
        from streamwhisper.server.publishing.recorder import RecordingOptions

        if self.record is None:
            if self.record_audio:
                raise ValueError("--record-audio needs --record, the folder to keep the audio in")
            return None
        return RecordingOptions(self.record, audio=self.record_audio)


@dataclass(frozen=True, slots=True)
class LogFlags:
    """Flags for the server's log."""

    log_format: Annotated[
        Literal["text", "json"], _operation("--log-format", help="Format of log lines.")
    ] = "text"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _operation("--log-level", help="Minimum level to log."),
    ] = "info"
    log_text: Annotated[
        bool, _operation("--log-text", help="Also log committed text (off for privacy).")
    ] = False

    def configure(self) -> None:
        """Set the log up."""
        from streamwhisper.server.logs import configure

        configure(self.log_format, self.log_level, committed=self.log_text)
