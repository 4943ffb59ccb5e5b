"""Order and names of the arguments of `transcribe` and its siblings."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["accept_model_first"]


def accept_model_first(function: Callable[..., Any]) -> Callable[..., Any]:
    """Accept the order ``(model, audio)``, and the old names of the audio argument."""

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        for old, new in (("sound", "audio"), ("sounds", "audios")):
            if old in keywords:
                name = f"streamwhisper.{function.__name__}({old}=...)"
                warnings.warn(f"{name} is now {new}=...", DeprecationWarning, stacklevel=2)
                keywords[new] = keywords.pop(old)
        if args and hasattr(args[0], "recognize"):
            model, *rest = args
            if not rest:
                return function(model=model, **keywords)
            args = (rest[0], model, *rest[1:])
        return function(*args, **keywords)

    return call
