"""Generation settings of a model: its languages and its suppressed tokens."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GenerationConfig"]


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """Declared generation settings of a model; None takes the reference's default.

    Attributes:
        suppress: tokens to suppress everywhere; replaces the non-speech tokens.
        begin_suppress: tokens to suppress at the beginning; replaces space and end-of-text.
        languages: language codes and their tokens, in the order of the tokens.
        multilingual: True if a transcript begins with its language and task.
        no_timestamps: token of a transcript without timestamps.
        latest_start: latest first timestamp, in steps of 20 ms.
    """

    suppress: tuple[int, ...] | None = None
    begin_suppress: tuple[int, ...] | None = None
    languages: tuple[tuple[str, int], ...] | None = None
    multilingual: bool | None = None
    no_timestamps: int | None = None
    latest_start: int | None = None
