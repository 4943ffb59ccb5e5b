"""Groups of flags: a command takes frozen dataclasses, Typer sees their fields as flags."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from inspect import Parameter, Signature
from typing import Any, get_type_hints

__all__ = ["grouped"]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with each argument that is a dataclass replaced by the fields of its class.

    Typer reads flags from a function's signature. Each field's annotation and default become one
    flag; the command receives whole instances::

        @dataclass(frozen=True)
        class Limits:
            max_sessions: Annotated[int, option("--max-sessions", help="…")] = 100

        @grouped
        def serve(limits: Limits) -> None: ...
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {
        name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)
    }
    flags: list[Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            flags += _fields(groups[parameter.name])
        else:
            kind = hints[parameter.name]
            flags.append(parameter.replace(annotation=kind, kind=Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def flat(**values: Any) -> None:
        for name, group in groups.items():
            own = {field.name: values.pop(field.name) for field in dataclasses.fields(group)}
            values[name] = group(**own)
        command(**values)

    del flat.__dict__["__wrapped__"]  # its signature is not the one that Typer must read
    flat.__dict__["__signature__"] = Signature(flags)
    flat.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return flat


def _fields(group: Any) -> Iterator[Parameter]:
    """Yield a keyword parameter for each field of a dataclass."""
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        default = Parameter.empty if field.default is dataclasses.MISSING else field.default
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
        )
