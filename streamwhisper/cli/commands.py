"""Command classes: help in sections, and flags followed by True or False."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["BooleanValues", "SectionedHelp"]


class SectionedHelp(TyperCommand):
    """A command whose help lists the options by section; no flag is cut at 80 columns."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each section of options."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            section = getattr(parameter, "rich_help_panel", None) or "Options"
            if parameter.param_type_name == "argument":
                section = "Arguments"
            term = re.sub(r"<list\[(\w+)\]>|<(\w+) range>", r"<\1\2>", record[0])
            sections.setdefault(section, []).append((term, record[1]))
        for title, records in sections.items():
            if records:
                with formatter.section(typer.style(title, bold=True)):
                    formatter.write_dl(records)


class BooleanValues(SectionedHelp):
    """A command whose flags may be followed by True or False."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Replace each flag and its value by the flag that is meant, then parse."""
        on = {name: flag for flag in self.params if _is_flag(flag) for name in flag.opts}
        left, meant = list(args), list[str]()
        while left:
            arg = left.pop(0)
            if arg == "--":
                meant += [arg, *left]
                break
            name, equals, value = arg.partition("=")
            flag = on.get(name.replace("_", "-"))
            if flag and not equals and left and left[0] in ("True", "False"):
                value = left.pop(0)
            if flag and value == "False":
                meant += flag.secondary_opts[:1]  # a flag without an opposite is off by default
            else:
                meant.append(name if flag and value == "True" else arg)
        return super().parse_args(ctx, meant)


def _is_flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))
