"""Renamed dataclass fields: the old names work for one release and raise a DeprecationWarning."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["renamed_fields"]

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


def _alias(cls: type, old: str, new: str) -> property:
    def read(self: object) -> object:
        _warn(cls, old, new)
        return getattr(self, new)

    return property(read, doc=f"Old name of `{new}`.")


def _warn(cls: type, old: str, new: str) -> None:
    text = f"{cls.__name__}.{old} is now {new}; the old name will be removed in the next release"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
