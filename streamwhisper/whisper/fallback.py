"""Whisper's answer to a text that went wrong: the same window again at a higher temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamwhisper.errors import check_fields
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import Output, SearchOptions, SearchResult, SearchTask, search
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["FallbackOptions", "search_with_fallback"]


@dataclass(frozen=True, slots=True)
class FallbackOptions:
    """When a text is not taken; None for a threshold leaves it out.

    Attributes:
        temperatures: one after the other, as long as the text is not taken; the last one's is.
        compression_ratio_threshold: a text that packs better than this repeats itself.
        log_probability_threshold: a text with a lower mean is hardly believed.
        no_speech_threshold: a window that is likelier than this to hold no speech, and whose text
            is hardly believed, is silence: another temperature would not help.
    """

    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    compression_ratio_threshold: float | None = 2.4
    log_probability_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of range."""
        fine = bool(self.temperatures) and min(self.temperatures) >= 0
        check_fields(self, ("temperatures", fine, "one or more, each 0 or more"))

    def refuses(self, result: SearchResult) -> bool:
        """Whether the next temperature is to be tried."""
        ratio, least = self.compression_ratio_threshold, self.log_probability_threshold
        unlikely = least is not None and result.log_probability < least
        if unlikely and self.is_silence(result):
            return False
        return unlikely or (ratio is not None and result.compression_ratio > ratio)

    def is_silence(self, result: SearchResult) -> bool:
        """Whether nobody speaks in the window: its text is to be left out."""
        most, least = self.no_speech_threshold, self.log_probability_threshold
        if most is None or result.no_speech_probability <= most:
            return False
        return least is None or result.log_probability <= least


def search_with_fallback(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    tasks: Sequence[SearchTask],
    options: SearchOptions | None = None,
    fallback: FallbackOptions | None = None,
) -> list[SearchResult]:
    """Find the text of each task at the first temperature whose text is taken; see `search`."""
    fallback = fallback or FallbackOptions()
    results: dict[int, SearchResult] = {}
    left = list(range(len(tasks)))
    for temperature in fallback.temperatures:
        found = search(model, output, tokenizer, [tasks[i] for i in left], options, temperature)
        results |= zip(left, found, strict=True)
        left = [i for i in left if fallback.refuses(results[i])]
        if not left:
            break
    return [results[i] for i in range(len(tasks))]
