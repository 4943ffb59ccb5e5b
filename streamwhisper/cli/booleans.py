"""Flags as openai-whisper has them: ``--word_timestamps True`` beside ``--word-timestamps``."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

__all__ = ["BooleanValues"]


class BooleanValues(TyperCommand):
    """A command whose flags may be followed by True or False."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the flag that is meant in the place of a flag and its value, then parse."""
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
                meant += flag.secondary_opts[:1]  # a flag without one is off unless it is given
            else:
                meant.append(name if flag and value == "True" else arg)
        return super().parse_args(ctx, meant)


def _is_flag(parameter: Any) -> bool:
    return bool(getattr(parameter, "is_flag", False))
