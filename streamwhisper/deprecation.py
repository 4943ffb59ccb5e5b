"""Renamed and regrouped dataclass fields: old names work for one release, with a warning."""

from __future__ import annotations

import dataclasses
import functools
import operator
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["grouped_fields", "renamed_fields"]

T = TypeVar("T")


def renamed_fields(**new_names: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator that accepts the old names of a dataclass's fields.

    An old name is accepted as a keyword, also by `dataclasses.replace`, where it wins over the
    new name, and can be read as an attribute.

    Args:
        new_names: the new name of each old one.
    """

    def decorate(cls: type[T]) -> type[T]:
        original = cls.__init__

        @functools.wraps(original)
        def init(self: T, *args: Any, **fields: Any) -> None:
            if fields and not new_names.keys().isdisjoint(fields):
                for old in new_names.keys() & fields:
                    _warn(cls, old, new_names[old])
                    fields[new_names[old]] = fields.pop(old)
            original(self, *args, **fields)

        type.__setattr__(cls, "__init__", init)
        for old, new in new_names.items():
            setattr(cls, old, _alias(cls, old, new))
        return cls

    return decorate


def grouped_fields(group: str, kind: type, *names: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator that accepts, as keywords and attributes, fields that moved into a group.

    Args:
        group: the field that holds the group.
        kind: dataclass of the group; all its fields have defaults.
        names: fields of the group that were fields of the decorated class.
    """

    def decorate(cls: type[T]) -> type[T]:
        original = cls.__init__

        @functools.wraps(original)
        def init(self: T, *args: Any, **fields: Any) -> None:
            moved = {name: fields.pop(name) for name in names if name in fields}
            for name in moved:
                _warn(cls, name, f"{group}.{name}")
            if moved:
                fields[group] = dataclasses.replace(fields.get(group) or kind(), **moved)
            original(self, *args, **fields)

        type.__setattr__(cls, "__init__", init)
        for name in names:
            setattr(cls, name, _alias(cls, name, f"{group}.{name}"))
        return cls

    return decorate


def _alias(cls: type, old: str, new: str) -> property:
    def read(self: object) -> object:
        _warn(cls, old, new)
        return operator.attrgetter(new)(self)

    return property(read, doc=f"Old name of `{new}`.")


def _warn(cls: type, old: str, new: str) -> None:
    text = f"{cls.__name__}.{old} is now {new}; the old name will be removed in the next release"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
