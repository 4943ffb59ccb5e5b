"""Reader of form fields and query parameters, by a table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from streamwhisper.audio.channels import MAX_CHANNELS
from streamwhisper.errors import ProtocolError, RecognitionError
from streamwhisper.languages import normalize_language
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.dialects.start import check_vocabulary
from streamwhisper.server.rest.request import BadField
from streamwhisper.validation import FieldError, Reader, last_value, misspelt, shown

__all__ = [
    "CHANNEL",
    "TRACK",
    "FormField",
    "check_names",
    "language",
    "names",
    "read_fields",
    "read_form",
    "uploaded",
]

CHANNEL: Reader = last_value(Annotated[int, msgspec.Meta(ge=1, le=MAX_CHANNELS)])
"""Reader of a channel, counted from 1."""
TRACK: Reader = last_value(Annotated[int, msgspec.Meta(ge=1, le=1000)])
"""Reader of an audio track, counted from 1."""
_MAX_FIELDS = 64
_MAX_FIELD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FormField:
    """Supported field.

    Attributes:
        attribute: name of the value.
        read: reader of the values.
    """

    attribute: str
    read: Reader


async def read_form(request: Request) -> FormData:
    """Receive a form; the caller closes it.

    Raises:
        HandshakeRejected: the body is not a form, or too large.
        ClientDisconnect: the client has disconnected.
    """
    kind = request.headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "bad_form",
            f"the request is {kind[:100] or 'without a content type'!r}; expected "
            "multipart/form-data with a field 'file'",
        )
    try:
        return await request.form(
            max_files=1, max_fields=_MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES
        )
    except (HTTPException, KeyError, ValueError) as error:
        reason = error.detail if isinstance(error, HTTPException) else str(error)
        raise HandshakeRejected(
            HTTPStatus.BAD_REQUEST,
            "bad_form",
            f"the form cannot be read ({reason}); expected multipart/form-data with one file",
        ) from error


def uploaded(form: FormData, name: str) -> UploadFile:
    """Return the file of a form.

    Raises:
        BadField: the field has no file.
    """
    found = form.get(name)
    if not isinstance(found, UploadFile):
        raise BadField(name, f"the field {name!r} has no file; send the audio in it")
    return found


def check_names(given: Iterable[str], known: Collection[str]) -> list[str]:
    """Return the names of unknown fields, which are ignored.

    Raises:
        BadField: an unknown name is surely a known one that is misspelt.
    """
    unknown = [name for name in given if name.partition("[")[0] not in known]
    for name in unknown:
        if meant := misspelt(name, known):
            raise BadField(
                name, f"unknown field {shown(name)}; did you mean {meant!r}?", code="unknown_field"
            )
    return unknown


def read_fields(
    fields: Mapping[str, FormField], given: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return the values of the given fields, by attribute; missing fields are left out.

    Args:
        fields: supported fields; the names of lists end with ``[]``.
        given: values by name, without brackets.

    Raises:
        BadField: a value is invalid.
    """
    found: dict[str, Any] = {}
    for name, field in fields.items():
        values = [value for value in given.get(name.removesuffix("[]"), ()) if value != ""]
        if not values:
            continue
        try:
            found[field.attribute] = field.read(values)
        except FieldError as error:
            raise BadField(name, f"{name} {error}") from None
        except (ProtocolError, RecognitionError) as error:
            raise BadField(name, f"{name} is {shown(values[-1])}: {error}") from error
    return found


def names(values: Sequence[str]) -> tuple[str, ...]:
    """Return all values as a vocabulary.

    Raises:
        ProtocolError: the vocabulary is too large.
    """
    check_vocabulary(values)
    return tuple(values)


def language(values: Sequence[str]) -> str | None:
    """Return the tag of a language, which the model may not know; None: it is to be detected."""
    return normalize_language(values[-1]) or None
