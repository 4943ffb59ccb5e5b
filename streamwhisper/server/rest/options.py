"""How whole recordings are taken in over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from streamwhisper.errors import check_fields

__all__ = ["RestOptions", "check_installed"]

_NEEDED = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
"""Modules, and the packages that have them."""


@dataclass(frozen=True, slots=True)
class RestOptions:
    """Where to listen for recordings, and how much of them to take in.

    Attributes:
        port: 0 takes a free one.
        max_upload_bytes: the largest request; a larger one is answered by HTTP 413.
        max_seconds: of sound in one recording; a longer one likewise.
        upload_timeout: seconds in which a request has to be there whole.
        at_a_time: recordings that are transcribed side by side; others wait for their turn.

    Raises:
        ValueError: a value that makes no sense.
    """

    port: int = 0
    max_upload_bytes: int = 100 * 1024 * 1024
    max_seconds: float = 7200.0
    upload_timeout: float = 300.0
    at_a_time: int = 1

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("port", 0 <= self.port < 65536, "0 to 65535"),
            ("max_upload_bytes", self.max_upload_bytes >= 1024, "1024 or more"),
            ("max_seconds", self.max_seconds > 0, "above 0 s"),
            ("upload_timeout", self.upload_timeout > 0, "above 0 s"),
            ("at_a_time", self.at_a_time >= 1, "1 or more"),
        )


def check_installed() -> None:
    """Raise ValueError if a package is missing that listening for recordings needs."""
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ValueError(
            f"the REST interfaces need {', '.join(missing)}, which this Python has not; try: "
            "pip install 'streamwhisper[rest]'"
        )
