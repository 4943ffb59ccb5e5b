"""Field validation: values from JSON, TOML, forms and addresses, checked against type hints.

Every border of the program (wire protocols, REST forms, settings files, key files) reads its fields
here and turns `FieldError` into an error of its own kind. A message says what was received and what
was expected, e.g. ``is "fast"; expected one of "low", "high"``.
"""

from __future__ import annotations

import contextlib
import json
import re
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

__all__ = [
    "FieldError",
    "Reader",
    "all_values",
    "describe",
    "did_you_mean",
    "last_value",
    "merge_lists",
    "misspelt",
    "read",
    "shown",
]

Reader = Callable[[Sequence[str]], Any]
"""Reader of all values of one name in a form or an address; raises FieldError."""

_WORDS: Mapping[Any, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
    None: "null",
    types.NoneType: "null",
}
_INDEX = re.compile(r"\[\d*\]$")  # of a list field: name[], name[0]
_NEAR = 0.85  # similarity of a misspelt name
_SHOWN = 60  # characters of a received value that a message repeats


class FieldError(ValueError):
    """A value that does not fit its type hint.

    Attributes:
        received: the value, as JSON, shortened.
        expected: what would fit, e.g. ``"a whole number from 1 to 16"``.
    """

    def __init__(self, value: object, expected: str) -> None:
        super().__init__(f"is {shown(value)}; expected {expected}")
        self.received = shown(value)
        self.expected = expected


def read(value: object, hint: Any, *, text: bool = False) -> Any:
    """Return `value` converted to the type that `hint` names; lists become tuples.

    Args:
        hint: a type, a union, a `Literal`, ``tuple[T, ...]``, a dataclass, or one of them in
            `Annotated` with a `msgspec.Meta` of bounds.
        text: whether `value` is text (forms, addresses): ``"8"`` is a number then, and
            ``"true"``, ``"false"``, ``"1"`` and ``"0"`` are truth values.

    Raises:
        FieldError: the value does not fit, or has text that is not Unicode.
    """
    try:
        result = msgspec.convert(_parsed(value, hint) if text else value, hint)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        _, _, place = str(error).partition(" - at `$")
        expected = describe(hint)
        raise FieldError(value, f"{expected} (see {place[:-1]})" if place else expected) from None
    if not _is_unicode(result):
        raise FieldError(value, f"{describe(hint)} without half of a surrogate pair")
    return result


def last_value(hint: Any) -> Reader:
    """Return a reader of the last value; the ones before it are ignored."""
    return lambda values: read(values[-1], hint, text=True)


def all_values(hint: Any) -> Reader:
    """Return a reader of all values, each of which must fit `hint`."""
    return lambda values: tuple(read(value, hint, text=True) for value in values)


def merge_lists(given: Mapping[str, Sequence[str]], lists: Collection[str]) -> dict[str, list[str]]:
    """Return the values of a form or an address by name.

    Clients spell a list field in several ways: ``name``, ``name[]``, ``name[0]``, each with one
    value or with a JSON list. All of them are merged under ``name``.

    Args:
        given: values by the names that the client sent.
        lists: names of the list fields, without brackets.
    """
    merged: dict[str, list[str]] = {}
    for name, values in given.items():
        plain = _INDEX.sub("", name)
        if plain in lists:
            merged.setdefault(plain, []).extend(one for value in values for one in _listed(value))
        else:
            merged.setdefault(name, []).extend(values)
    return merged


def misspelt(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that an unknown one is surely meant to be; None if there is none."""
    plain = _INDEX.sub("", name)
    alike = [one for one in known if abs(len(one) - len(plain)) <= 2]
    return next(iter(get_close_matches(plain, alike, 1, _NEAR)), None)


def describe(hint: Any) -> str:
    """Return what fits a type hint, in words: ``"a string or null"``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{describe(arguments[0])}{_bounds(arguments[1:])}"
    if origin is Literal:
        return f"one of {', '.join(json.dumps(choice) for choice in arguments)}"
    if origin in (Union, types.UnionType):
        # A union of both kinds of numbers keeps whole ones whole.
        kinds = [kind for kind in arguments if kind is not int or float not in arguments]
        return " or ".join(map(describe, kinds))
    if origin in (tuple, list):
        return f"a list of {_plural(arguments[0])}"
    return _WORDS.get(origin or hint, f"an object ({getattr(hint, '__name__', hint)})")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence with the known name that is nearest to an unknown one."""
    return f"did you mean {get_close_matches(name, known, 1, 0)[0]!r}?"


def shown(value: object) -> str:
    """Return a received value as JSON, shortened to 60 characters; it can always be encoded."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "a deeply nested value"
    except ValueError:  # more digits than Python prints
        return "a very large number"
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return text.encode(errors="backslashreplace").decode()


def _is_unicode(value: object) -> bool:
    """Return whether all texts in a value can be sent and written: JSON can escape more."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                return False
            return True
        case Mapping():
            return all(_is_unicode(name) and _is_unicode(item) for name, item in value.items())
        case list() | tuple():
            return all(map(_is_unicode, value))
    return True


def _parsed(text: object, hint: Any) -> object:
    """Return the number or truth value that a text stands for, or else the text."""
    kind = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if not isinstance(text, str) or kind not in (int, float, bool):
        return text
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text


def _listed(value: str) -> list[str]:
    """Return the entries of a JSON list of strings, or else the value itself."""
    if value.lstrip().startswith("["):
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(value, type=list[str])
    return [value]


def _plural(hint: Any) -> str:
    return {str: "strings", int: "whole numbers", float: "numbers"}.get(hint) or (
        f"{hint.__name__.lower()}s" if isinstance(hint, type) else f"values, each {describe(hint)}"
    )


def _bounds(details: Iterable[object]) -> str:
    for detail in details:
        if isinstance(detail, msgspec.Meta):
            low = detail.ge if detail.ge is not None else detail.gt
            high = detail.le if detail.le is not None else detail.lt
            if low is not None and high is not None:
                return f" from {low:g} to {high:g}"
            if low is not None:
                return f", {low:g} or more"
            if high is not None:
                return f", at most {high:g}"
    return ""
