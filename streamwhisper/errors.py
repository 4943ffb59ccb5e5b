"""All errors of the package.

::

    StreamWhisperError
    ├── AudioFormatError        (also ValueError)  audio that cannot be read as declared
    ├── ModelError
    │   ├── UnknownModelError   (also LookupError) a model name that is not known
    │   ├── ModelDownloadError  (also OSError)     no source delivered the model
    │   └── CheckpointError     (also ValueError)  a model file that cannot be read
    ├── RecognitionError        a request that the recognizer cannot answer
    │   └── UnknownLanguageError (also LookupError) a language that the model does not know
    ├── SessionError            (also RuntimeError) a call that does not fit the session's state
    ├── ProtocolError           (also ValueError)  a message that breaks the wire protocol
    ├── ServerError             an ``error`` message received from a server
    └── ConnectionLostError     (also ConnectionError) the connection is lost

Messages state what was received, what was expected and what to try.
"""

from __future__ import annotations

import errno

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
    "UnknownLanguageError",
    "UnknownModelError",
    "check_fields",
    "out_of_memory",
    "reason_of",
]

_NO_MEMORY = (
    "can't allocate memory",  # torch on a CPU
    "not enough memory",  # and on Windows
    "Cannot allocate memory",  # a file that is mapped
    "failed to map segment",  # a library that is loaded
    "can't start new thread",  # its stack, or a limit of threads
)


class StreamWhisperError(Exception):
    """Base of all errors of the package."""


class AudioFormatError(StreamWhisperError, ValueError):
    """Audio that cannot be read as declared."""


class ModelError(StreamWhisperError):
    """Base of the errors about models and their files."""


class UnknownModelError(ModelError, LookupError):
    """A model name that is neither known nor a file nor a hub repository."""


class ModelDownloadError(ModelError, OSError):
    """No source delivered a model; the message names each source and its answer."""


class CheckpointError(ModelError, ValueError):
    """A model file that is damaged or is not a Whisper checkpoint."""


class RecognitionError(StreamWhisperError):
    """A request that the recognizer cannot answer."""


class UnknownLanguageError(RecognitionError, LookupError):
    """A language that Whisper, or the model in use, does not know."""


class SessionError(StreamWhisperError, RuntimeError):
    """A call that does not fit the session's state."""


class ProtocolError(StreamWhisperError, ValueError):
    """A message that breaks the wire protocol.

    Attributes:
        code: short machine-readable name, e.g. ``"bad_json"``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServerError(StreamWhisperError):
    """An ``error`` message received from a server.

    Attributes:
        code: short machine-readable name.
        fatal: whether the server closed the connection afterwards.
        retry_after: seconds after which to try again; None if the server gave none.
    """

    def __init__(
        self, code: str, message: str, *, fatal: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.fatal = fatal
        self.retry_after = retry_after


class ConnectionLostError(StreamWhisperError, ConnectionError):
    """The connection to the server was lost before the session ended."""


def reason_of(error: BaseException) -> str:
    """Return the reason of an error; that of the operating system without its number and file."""
    reason = getattr(error, "strerror", None)
    return f"{reason[:1].lower()}{reason[1:]}" if reason else str(error)


def check_fields(options: object, *rules: tuple[str, bool, str]) -> None:
    """Raise ValueError for the first field of `options` that breaks its rule.

    Args:
        options: a dataclass.
        rules: name of a field, whether its value is valid, and a description of valid values.
    """
    for name, fine, expected in rules:
        if not fine:
            raise ValueError(f"{name} is {getattr(options, name)!r}; expected {expected}")


def out_of_memory(error: BaseException | None) -> bool:
    """Return whether an error, or the one that caused it, is a lack of memory.

    Torch raises a RuntimeError of its own kind on a GPU, and a plain one on a CPU.
    """
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if any(sign in str(error) for sign in _NO_MEMORY):
            return True
        error = error.__cause__
    return False
