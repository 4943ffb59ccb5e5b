"""Plain keywords instead of nested option objects."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

__all__ = ["check_known", "merge"]

Options = TypeVar("Options")


def check_known(function: str, keywords: Iterable[str], known: Iterable[str]) -> None:
    """Raise TypeError for the first keyword that is not known; the message has the nearest one."""
    names = sorted(known)
    for keyword in keywords:
        if keyword not in names:
            near = difflib.get_close_matches(keyword, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names)}"
            raise TypeError(f"{function}() has no keyword {keyword!r}; {hint}")


def merge(
    function: str,
    defaults: Options,
    options: Options | None,
    values: Mapping[str, Any],
    fields: Mapping[str, str],
) -> Options:
    """Return options with the fields that keywords name replaced.

    Args:
        function: name of the public function, for errors.
        defaults: frozen dataclass with the default of every field.
        options: options that the caller passed as well; None for none.
        values: value of each keyword.
        fields: field of each keyword; a dot leads into a nested dataclass.

    Raises:
        TypeError: a keyword is not in `fields`.
        ValueError: `options` and a keyword set one field to different values, or a value is out
            of range.
    """
    check_known(function, values, fields)
    changes: dict[str, Any] = {}
    for keyword, value in values.items():
        path = fields[keyword].split(".")
        if options is not None and _at(options, path) not in (_at(defaults, path), value):
            raise ValueError(
                f"{keyword} is {value!r}, but options has {_at(options, path)!r}; expected one of "
                "them only"
            )
        inner = changes
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
    merged: Options = _replaced(defaults if options is None else options, changes)
    return merged


def _at(options: object, path: Iterable[str]) -> Any:
    for name in path:
        options = getattr(options, name)
    return options


def _replaced(options: Any, changes: Mapping[str, Any]) -> Any:
    """Replace fields; nested ones first, so that each object is checked once, whole."""
    whole = {
        name: _replaced(getattr(options, name), change) if isinstance(change, dict) else change
        for name, change in changes.items()
    }
    return replace(options, **whole)
