"""Generation settings of a model: its languages and the tokens it never writes."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GenerationConfig"]


@dataclass(frozen=True, slots=True)
class GenerationConfig:
    """How a model writes; None where nothing is declared, and the reference's defaults hold.

    Attributes:
        suppress: tokens that are never written; in place of those that nobody says.
        begin_suppress: tokens that no text begins with; in place of a space and the end.
        languages: codes and their tokens, in the order of these.
        multilingual: whether a transcript begins with its language and task.
        no_timestamps: the token that says that there are no timestamps.
        latest_start: the first timestamp at the most, in steps of 20 ms.
    """

    suppress: tuple[int, ...] | None = None
    begin_suppress: tuple[int, ...] | None = None
    languages: tuple[tuple[str, int], ...] | None = None
    multilingual: bool | None = None
    no_timestamps: int | None = None
    latest_start: int | None = None
