"""Flags of ``transcribe`` for the layout of subtitles, under openai-whisper's names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamwhisper.subtitles.writers import SubtitleOptions
    from streamwhisper.transcription.options import WordOptions

__all__ = ["SubtitleFlags"]

_subtitles = partial(typer.Option, rich_help_panel="Subtitles")


@dataclass(frozen=True, slots=True)
class SubtitleFlags:
    """Layout of SRT and WebVTT files; line widths and counts imply word timestamps."""

    max_line_width: Annotated[
        int | None,
        _subtitles(
            min=1, help="Maximum columns per line; a wide character, e.g. Japanese, has two."
        ),
    ] = None
    max_line_count: Annotated[int | None, _subtitles(min=1, help="Maximum lines per cue.")] = None
    max_words_per_line: Annotated[int | None, _subtitles(min=1, help="Maximum words per line.")] = (
        None
    )
    highlight_words: Annotated[
        bool, _subtitles("--highlight-words", help="Underline each word while it is spoken.")
    ] = False
    min_cue_duration: Annotated[
        float,
        _subtitles(
            min=0, help="Seconds that a cue stays on the screen, unless the next one begins."
        ),
    ] = 1.0
    prepend_punctuations: Annotated[
        str | None, _subtitles(help="Punctuation that joins the word after it. Default: all.")
    ] = None
    append_punctuations: Annotated[
        str | None, _subtitles(help="Punctuation that joins the word before it. Default: all.")
    ] = None

    @property
    def needs_words(self) -> bool:
        """True if the layout needs word times."""
        return any([self.max_line_width, self.max_line_count, self.max_words_per_line]) or bool(
            self.highlight_words
        )

    def subtitle_options(self) -> SubtitleOptions:
        """Return the layout."""
        from streamwhisper.subtitles.writers import SubtitleOptions

        return SubtitleOptions(
            self.max_line_width,
            self.max_line_count,
            self.max_words_per_line,
            self.highlight_words,
            self.min_cue_duration,
        )

    def word_options(self, silence: float | None) -> WordOptions:
        """Return how words are timed; `silence` is --hallucination-silence-threshold."""
        from streamwhisper.transcription.options import WordOptions
        from streamwhisper.whisper.timing import Punctuation

        return WordOptions(
            Punctuation(self.prepend_punctuations, self.append_punctuations), silence
        )
