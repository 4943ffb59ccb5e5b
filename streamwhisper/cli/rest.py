"""Flags of ``serve`` for whole recordings over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from streamwhisper.cli.flags import option

if TYPE_CHECKING:
    from streamwhisper.server.rest.options import RestOptions

__all__ = ["RestFlags"]

_rest = partial(option, rich_help_panel="Recordings over HTTP (REST)")


@dataclass(frozen=True, slots=True)
class RestFlags:
    """Flags for the port for recordings and its limits."""

    rest_port: Annotated[
        int | None,
        _rest(
            "--rest-port",
            min=0,
            max=65535,
            help="Transcribe uploads on this port with OpenAI's and Deepgram's REST interfaces; "
            "needs the extra 'rest'.",
        ),
    ] = None
    max_upload_bytes: Annotated[
        int,
        _rest("--max-upload-bytes", min=1024, help="Maximum size of a request in bytes (100 MiB)."),
    ] = 100 * 1024 * 1024
    max_upload_seconds: Annotated[
        float,
        _rest("--max-upload-seconds", help="Maximum length of a recording in seconds."),
    ] = 7200.0
    upload_timeout: Annotated[
        float, _rest("--upload-timeout", help="Seconds a client has to send a whole request.")
    ] = 300.0
    transcriptions: Annotated[
        int,
        _rest(
            "--transcriptions",
            min=1,
            help="Number of recordings transcribed at a time; others queue.",
        ),
    ] = 1
    uploads_per_address: Annotated[
        int,
        _rest(
            "--uploads-per-address",
            min=1,
            help="Maximum concurrent uploads per client IP address.",
        ),
    ] = 32

    def rest_options(self) -> RestOptions | None:
        """Return the port's options; None: no port.

        Raises:
            ValueError: a package is missing, or a value is out of range.
        """
        from streamwhisper.server.rest.options import RestOptions, check_installed

        if self.rest_port is None:
            return None
        check_installed()
        return RestOptions(
            self.rest_port,
            self.max_upload_bytes,
            self.max_upload_seconds,
            self.upload_timeout,
            self.transcriptions,
            self.uploads_per_address,
        )
