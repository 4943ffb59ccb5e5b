"""Fields of a form and parameters of an address: read by a table, each with a clear error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from streamwhisper.errors import RecognitionError
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.server.rest.request import BadField
from streamwhisper.whisper.languages import language_code

__all__ = [
    "FormField",
    "boolean",
    "language",
    "names",
    "number",
    "one_of",
    "read_fields",
    "read_form",
    "several_of",
    "text",
    "texts",
    "uploaded",
]

_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 64 * 1024

Read = Callable[[Sequence[str]], Any]
"""What the values of a field mean; raises ValueError or RecognitionError for those that mean none.
"""


@dataclass(frozen=True, slots=True)
class FormField:
    """A field that means something here.

    Attributes:
        attribute: that it sets.
        read: what its values mean.
    """

    attribute: str
    read: Read


async def read_form(request: Request) -> FormData:
    """Receive a form; whoever has it closes it.

    Raises:
        Refusal: it is none, or too much.
        ClientDisconnect: the client is gone.
    """
    kind = request.headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "bad_form",
            f"the request is {kind[:100] or 'of no type'!r}; expected multipart/form-data with a "
            "field 'file'",
        )
    try:
        return await request.form(
            max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES
        )
    except (HTTPException, KeyError, ValueError) as error:
        said = error.detail if isinstance(error, HTTPException) else str(error)
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "bad_form",
            f"the form cannot be read ({said}); expected multipart/form-data with one file",
        ) from error


def uploaded(form: FormData, name: str) -> UploadFile:
    """The file of a form.

    Raises:
        BadField: there is none.
    """
    found = form.get(name)
    if not isinstance(found, UploadFile):
        raise BadField(name, f"there is no file in the field {name!r}; send the sound there")
    return found


def read_fields(
    fields: Mapping[str, FormField], given: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What the fields say, by the attributes that they set; nothing for those that are not given.

    Raises:
        BadField: one of them means nothing.
    """
    found: dict[str, Any] = {}
    for name, field in fields.items():
        values = [value for value in given.get(name, ()) if value != ""]
        if not values:
            continue
        try:
            found[field.attribute] = field.read(values)
        except (ValueError, RecognitionError) as error:
            raise BadField(name, f"{name} is {_shown(values)}: {error}") from error
    return found


def text(values: Sequence[str]) -> str:
    """The last one counts."""
    return values[-1]


def texts(values: Sequence[str]) -> tuple[str, ...]:
    """All of them count."""
    return tuple(values)


def names(values: Sequence[str]) -> tuple[str, ...]:
    """What is to be preferred, all of them; not too many."""
    check_vocabulary(values)
    return tuple(values)


def boolean(values: Sequence[str]) -> bool:
    """``true`` or ``false``, however they are spelt."""
    spelt = values[-1].lower()
    if spelt not in ("true", "false", "1", "0"):
        raise ValueError("expected true or false")
    return spelt in ("true", "1")


def number(least: float, most: float) -> Read:
    """A number within bounds."""

    def read(values: Sequence[str]) -> float:
        try:
            found = float(values[-1])
        except ValueError:
            found = float("nan")
        if not least <= found <= most:
            raise ValueError(f"expected a number from {least:g} to {most:g}")
        return found

    return read


def one_of(*known: str) -> Read:
    """One of these."""

    def read(values: Sequence[str]) -> str:
        if values[-1] not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return values[-1]

    return read


def several_of(*known: str) -> Read:
    """Some of these."""

    def read(values: Sequence[str]) -> frozenset[str]:
        if not set(values) <= set(known):
            raise ValueError(f"expected some of {', '.join(known)}")
        return frozenset(values)

    return read


def language(values: Sequence[str]) -> str:
    """The code of a language."""
    return language_code(values[-1])


def _shown(values: Sequence[str]) -> str:
    return repr(values[0] if len(values) == 1 else list(values))[:200]
