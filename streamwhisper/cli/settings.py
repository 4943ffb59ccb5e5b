"""A command's settings: read from a TOML file, and printed with their sources.

A flag overrides its environment variable, which overrides the file, which overrides the default.
A setting has the name of its flag without the leading dashes.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from streamwhisper.errors import reason_of

__all__ = ["read_settings", "show_settings"]

NO_SETTINGS = {"config", "print-config", "help"}


def read_settings(context: typer.Context, file: Path | None) -> Path | None:
    """Take the file's settings as the command's defaults: the callback of ``--config``.

    Raises:
        typer.BadParameter: the file cannot be read, or has an unknown setting or a bad value.
    """
    if file is None or context.resilient_parsing:
        return file
    parameters = _parameters(context)
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"cannot read {file}: {reason_of(error)}") from error
    defaults = {}
    for name, value in found.items():
        if name not in parameters:
            near = get_close_matches(name, parameters, 1, 0)[0]
            raise typer.BadParameter(f"{file}: unknown setting {name!r}; did you mean {near!r}?")
        parameter = parameters[name]
        many = getattr(parameter, "multiple", False)
        try:
            words = [_word(one) for one in (value if many and isinstance(value, list) else [value])]
            defaults[parameter.name] = words if many else words[0]
            parameter.process_value(context, defaults[parameter.name])  # for its error
        except (ValueError, typer.BadParameter) as error:
            raise typer.BadParameter(f"{file}: {name}: {error}") from error
    context.default_map = {**(context.default_map or {}), **defaults}
    return file


def show_settings(
    context: typer.Context, effective: Mapping[str, Any], secrets: Sequence[str]
) -> str:
    """Return a TOML file of all settings, each with its source in a comment.

    Args:
        context: the command's context.
        effective: values that replace the given ones, by parameter name.
        secrets: names of settings whose values are not shown.
    """
    lines = []
    for name, parameter in _parameters(context).items():
        key = str(parameter.name)
        value = effective.get(key, context.params[key])
        source = _source(context, parameter)
        if value is None or value in ([], ()):
            lines.append(f"# {name} is not set")
        elif name in secrets:
            lines.append(f"# {name} is set (not shown)  # {source}")
        else:
            lines.append(f"{name} = {_toml(value)}  # {source}")
    return "\n".join(lines)


def _parameters(context: typer.Context) -> dict[str, Any]:
    """Return the parameters that a file may set, by the names of their flags."""
    named = {
        parameter.opts[0].removeprefix("--"): parameter for parameter in context.command.params
    }
    return {name: parameter for name, parameter in named.items() if name not in NO_SETTINGS}


def _source(context: typer.Context, parameter: Any) -> str:
    found = context.get_parameter_source(parameter.name)
    sources = {
        "COMMANDLINE": str(parameter.opts[0]),
        "ENVIRONMENT": str(parameter.envvar),
        "DEFAULT_MAP": str(context.params.get("config")),
    }
    return sources.get(found.name if found else "", "default")


def _word(value: Any) -> str:
    """Return a TOML value as a shell would pass it."""
    if not isinstance(value, str | int | float):
        raise ValueError(f"expected a single value, got {value!r}")
    return str(value)


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
