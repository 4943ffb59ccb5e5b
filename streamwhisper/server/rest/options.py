"""Options of the REST interfaces."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from streamwhisper.errors import check_fields

__all__ = ["RestOptions", "check_installed"]

_NEEDED = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}
"""Required modules and their packages."""


@dataclass(frozen=True, slots=True)
class RestOptions:
    """Port and limits of the REST interfaces.

    Attributes:
        port: TCP port; 0 selects a free one.
        max_upload_bytes: maximum size of a request; a larger one is rejected with HTTP 413.
        max_seconds: maximum duration of a recording; a longer one is rejected with HTTP 413.
        upload_timeout: seconds in which a request must be complete.
        at_a_time: number of recordings transcribed in parallel; others wait for their turn.
        max_uploads_per_address: maximum concurrent uploads per IP address, or per /64 network of
            IPv6; more are rejected with HTTP 429. Complete uploads do not count.

    Raises:
        ValueError: a value is out of range.
    """

    port: int = 0
    max_upload_bytes: int = 100 * 1024 * 1024
    max_seconds: float = 7200.0
    upload_timeout: float = 300.0
    at_a_time: int = 1
    max_uploads_per_address: int = 32

    def __post_init__(self) -> None:
        check_fields(
            self,
            ("port", 0 <= self.port < 65536, "0 to 65535"),
            ("max_upload_bytes", self.max_upload_bytes >= 1024, "1024 or more"),
            ("max_seconds", self.max_seconds > 0, "above 0 s"),
            ("upload_timeout", self.upload_timeout > 0, "above 0 s"),
            ("at_a_time", self.at_a_time >= 1, "1 or more"),
            ("max_uploads_per_address", self.max_uploads_per_address >= 1, "1 or more"),
        )


def check_installed() -> None:
    """Raise ValueError if a package of the REST interfaces is not installed."""
    missing = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise ValueError(
            f"the REST interfaces need {', '.join(missing)}, not installed here; try: "
            "pip install 'streamwhisper[rest]'"
        )
