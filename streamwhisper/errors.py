"""Every error streamwhisper raises on purpose.

::

    StreamWhisperError
    ├── AudioFormatError        (also ValueError)  sound that cannot be read as declared
    ├── ModelError
    │   ├── UnknownModelError   (also LookupError) a model name nobody knows
    │   ├── ModelDownloadError  (also OSError)     no source could serve the model
    │   └── CheckpointError     (also ValueError)  a model file that cannot be read
    ├── RecognitionError        a request the recognizer could not answer
    ├── SessionError            (also RuntimeError) a call that does not fit the session's state
    ├── ProtocolError           (also ValueError)  a message that breaks the wire protocol
    ├── ServerError             an ``error`` message received from a server
    └── ConnectionLostError     (also ConnectionError) the server went away

Messages say what was seen, what was expected and what to try.
"""

from __future__ import annotations

__all__ = [
    "AudioFormatError",
    "CheckpointError",
    "ConnectionLostError",
    "ModelDownloadError",
    "ModelError",
    "ProtocolError",
    "RecognitionError",
    "ServerError",
    "SessionError",
    "StreamWhisperError",
    "UnknownModelError",
    "check_fields",
]


class StreamWhisperError(Exception):
    """Base of every error that streamwhisper raises on purpose."""


class AudioFormatError(StreamWhisperError, ValueError):
    """Sound that cannot be read as declared."""


class ModelError(StreamWhisperError):
    """Base of the errors about models and their files."""


class UnknownModelError(ModelError, LookupError):
    """A model name that is neither known, a file, nor a hub repository."""


class ModelDownloadError(ModelError, OSError):
    """No source could serve a model; the message names each one and what it said."""


class CheckpointError(ModelError, ValueError):
    """A model file that is damaged, or not a Whisper checkpoint."""


class RecognitionError(StreamWhisperError):
    """The recognizer could not answer a request."""


class SessionError(StreamWhisperError, RuntimeError):
    """A call that does not fit the session's state."""


class ProtocolError(StreamWhisperError, ValueError):
    """A message that breaks the wire protocol.

    Attributes:
        code: short machine-readable name, such as ``"bad_json"``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServerError(StreamWhisperError):
    """An ``error`` message received from a server.

    Attributes:
        code: the server's short name for it.
        fatal: whether the server closed the connection after it.
        retry_after: seconds after which the server wants to be asked again; None: it said none.
    """

    def __init__(
        self, code: str, message: str, *, fatal: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.fatal = fatal
        self.retry_after = retry_after


class ConnectionLostError(StreamWhisperError, ConnectionError):
    """The server went away before the session was done."""


def check_fields(options: object, *rules: tuple[str, bool, str]) -> None:
    """Raise ValueError for the first field of `options` that breaks its rule.

    Args:
        rules: the name of a field, whether its value is fine, and what would be.
    """
    for name, fine, expected in rules:
        if not fine:
            raise ValueError(f"{name} is {getattr(options, name)!r}; expected {expected}")
