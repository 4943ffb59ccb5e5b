"""Temperature fallback: decodes a window again at a higher temperature if its text is poor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamwhisper.errors import check_fields
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import Output, SearchOptions, SearchResult, SearchTask, search
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["FallbackOptions", "search_with_fallback"]


@dataclass(frozen=True, slots=True)
class FallbackOptions:
    """Thresholds for decoding a window again; None disables a threshold.

    Attributes:
        temperatures: temperatures to try in order; the text of the last one is always accepted.
        compression_ratio_threshold: ratio of zlib compression above which a text is repetitive.
        log_probability_threshold: mean log probability below which a text is unlikely.
        no_speech_threshold: probability of no speech above which a window with an unlikely text
            is silence, so no further temperature is tried.
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
        """Return whether to try the next temperature."""
        ratio, least = self.compression_ratio_threshold, self.log_probability_threshold
        unlikely = least is not None and result.log_probability < least
        if unlikely and self.is_silence(result):
            return False
        return unlikely or (ratio is not None and result.compression_ratio > ratio)

    def is_silence(self, result: SearchResult) -> bool:
        """Return whether the window has no speech, so its text is dropped."""
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
    complete: Callable[[int], None] | None = None,
) -> list[SearchResult]:
    """Decode each task at the first temperature whose text is accepted; see `search`.

    `complete` is called with the index of each task whose text ends, at each temperature.
    """
    fallback = fallback or FallbackOptions()
    results: dict[int, SearchResult] = {}
    left = list(range(len(tasks)))
    for temperature in fallback.temperatures:
        found = search(
            model,
            output,
            tokenizer,
            [tasks[i] for i in left],
            options,
            temperature,
            _named(complete, left),
        )
        results |= zip(left, found, strict=True)
        left = [i for i in left if fallback.refuses(results[i])]
        if not left:
            break
    return [results[i] for i in range(len(tasks))]


def _named(
    complete: Callable[[int], None] | None, names: Sequence[int]
) -> Callable[[int], None] | None:
    """Return `complete`, called with the name of a position."""
    return None if complete is None else lambda position: complete(names[position])
