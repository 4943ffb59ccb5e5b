"""Lack of memory while a model is loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from streamwhisper.errors import RecognitionError, out_of_memory

__all__ = ["memory_for"]


@contextlib.contextmanager
def memory_for(model: str) -> Iterator[None]:
    """Load `model` in the body.

    Raises:
        RecognitionError: there is not enough memory.
    """
    try:
        yield
        return
    except Exception as error:
        if not out_of_memory(error):
            raise
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    # Not while the first error is handled: it holds what was loaded.
    raise RecognitionError(
        f"not enough memory to load {model} ({reason}). Use a smaller model, --dtype int8 on a CPU "
        "or float16 on a GPU, or close other programs"
    )
