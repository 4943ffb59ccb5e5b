"""Flags of ``serve`` for whole recordings over HTTP."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from streamwhisper.cli.flags import option

if TYPE_CHECKING:
    from streamwhisper.server.rest.options import RestOptions

__all__ = [
    "MaxUploadBytes",
    "MaxUploadSeconds",
    "RestPort",
    "Transcriptions",
    "UploadTimeout",
    "rest_options",
]

rest_option = partial(option, rich_help_panel="Whole recordings (REST)")

RestPort = Annotated[
    int | None,
    rest_option(
        "--rest-port",
        min=0,
        max=65535,
        help="Take recordings in here, as OpenAI's and Deepgram's REST interfaces do; "
        "needs the extra called rest.",
    ),
]
MaxUploadBytes = Annotated[
    int, rest_option("--max-upload-bytes", min=1024, help="Size of a request.")
]
MaxUploadSeconds = Annotated[
    float, rest_option("--max-upload-seconds", help="How long a recording may last.")
]
UploadTimeout = Annotated[
    float, rest_option("--upload-timeout", help="Seconds until a request is there whole.")
]
Transcriptions = Annotated[
    int, rest_option("--transcriptions", min=1, help="Recordings at a time; others wait in line.")
]


def rest_options(
    port: int | None, max_bytes: int, max_seconds: float, timeout: float, at_a_time: int
) -> RestOptions | None:
    """How recordings are taken in; None: they are not.

    Raises:
        ValueError: a package is missing, or a value makes no sense.
    """
    from streamwhisper.server.rest.options import RestOptions, check_installed

    if port is None:
        return None
    check_installed()
    return RestOptions(port, max_bytes, max_seconds, timeout, at_a_time)
