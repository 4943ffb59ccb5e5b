"""Flags of ``transcribe``, under openai-whisper's names, and the options they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamwhisper.audio.constants import SAMPLE_RATE

if TYPE_CHECKING:
    from streamwhisper.audio.formats import AudioFormat
    from streamwhisper.transcription.options import Clip, PromptOptions
    from streamwhisper.whisper.fallback import FallbackOptions
    from streamwhisper.whisper.repetition import RepetitionOptions
    from streamwhisper.whisper.search import SearchOptions

__all__ = [
    "FallbackFlags",
    "InputFlags",
    "OutputFlags",
    "PromptFlags",
    "SearchFlags",
    "WindowFlags",
]

_windows = partial(typer.Option, rich_help_panel="Windows")
_prompts = partial(typer.Option, rich_help_panel="Prompts")
_search = partial(typer.Option, rich_help_panel="Search")
_fallback = partial(typer.Option, rich_help_panel="Fallback")
_input = partial(typer.Option, rich_help_panel="Raw input")
_ENCODINGS = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8", "mulaw", "alaw")


def _number(text: object) -> float | None:
    """Return a number, or None for ``none``."""
    return None if str(text).lower() == "none" else float(str(text))


Threshold = float | None
_threshold: Any = partial(_fallback, parser=_number)


@dataclass(frozen=True, slots=True)
class OutputFlags:
    """Flags for the output's format and place."""

    format: Annotated[
        Literal["txt", "json", "srt", "vtt", "tsv", "all"] | None,
        typer.Option(
            "--output-format",
            "--format",
            "-f",
            help="Output format. Default: the suffix of the output file, or txt.",
        ),
    ] = None
    output_dir: Annotated[
        Path | None,
        typer.Option(
            "--output-dir",
            "-o",
            help="Folder to write to or, for one recording, a file, e.g. talk.srt; earlier files "
            "are replaced. Default: standard output.",
        ),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per file, one per line.")
    ] = False
    word_timestamps: Annotated[
        bool, typer.Option("--word-timestamps", help="Add the time of every word.")
    ] = False


@dataclass(frozen=True, slots=True)
class WindowFlags:
    """Flags for the division of a recording into windows."""

    method: Annotated[
        Literal["chunked", "sequential"],
        _windows(
            help="chunked: cut at pauses and decode in batches. sequential: one 30 s window after "
            "another, each with the text before it as its prompt."
        ),
    ] = "chunked"
    batch_size: Annotated[int, _windows(min=1, help="Chunks decoded at a time.")] = 16
    vad: Annotated[
        bool,
        _windows(
            help="Skip silence, and cut at pauses. --no-vad transcribes all audio; with --method "
            "sequential it works as openai-whisper does."
        ),
    ] = True
    clip_timestamps: Annotated[
        str,
        _windows(
            help="Only transcribe these ranges: start,end,start,... in seconds; without its end, "
            "or with inf, the last one goes to the end of the recording."
        ),
    ] = "0"
    hallucination_silence_threshold: Annotated[
        Threshold,
        _windows(
            parser=_number,
            help="Skip silence longer than this many seconds around doubtful words; needs "
            "--method sequential and --word-timestamps.",
        ),
    ] = None

    def clips(self) -> tuple[Clip, ...]:
        """Return the ranges to transcribe, in seconds; the last end may be None.

        Raises:
            typer.BadParameter: the list is not one of numbers.
        """
        text = self.clip_timestamps
        try:
            numbers: list[float | None] = [float(part) for part in text.split(",") if part]
        except ValueError:
            raise typer.BadParameter(
                f"--clip-timestamps is {text!r}; expected seconds as start,end,start,..."
            ) from None
        if len(numbers) % 2:
            numbers.append(None)
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple((start or 0.0, end) for start, end in pairs)


@dataclass(frozen=True, slots=True)
class PromptFlags:
    """Flags for text that the decoder is given."""

    initial_prompt: Annotated[
        str | None, _prompts(help="Text before the first window: names, spelling, style.")
    ] = None
    carry_initial_prompt: Annotated[
        bool,
        _prompts("--carry-initial-prompt", help="Sequential: repeat it before every window."),
    ] = False
    prefix: Annotated[str | None, _prompts(help="Text that every window begins with.")] = None
    condition_on_previous_text: Annotated[
        bool, _prompts(help="Sequential: prompt each window with the text so far.")
    ] = True

    def prompt_options(self) -> PromptOptions:
        """Return the prompts of a transcription."""
        from streamwhisper.transcription.options import PromptOptions

        return PromptOptions(
            self.initial_prompt,
            self.prefix,
            self.condition_on_previous_text,
            self.carry_initial_prompt,
        )


@dataclass(frozen=True, slots=True)
class SearchFlags:
    """Flags for the search for text."""

    beam_size: Annotated[
        int | None,
        _search(
            min=1, help="Beam width at temperature 0. Default: 1 for chunked, 5 for sequential."
        ),
    ] = None
    best_of: Annotated[int, _search(min=1, help="Samples at other temperatures.")] = 5
    patience: Annotated[Threshold, _search(parser=_number, help="Beam-search patience.")] = None
    length_penalty: Annotated[
        Threshold, _search(parser=_number, help="Length penalty, 0 to 1.")
    ] = None
    suppress_tokens: Annotated[
        str,
        _search(help="Token ids never to write, e.g. 1,2; -1: non-speech symbols."),
    ] = "-1"
    without_timestamps: Annotated[
        bool,
        _search(
            "--without-timestamps",
            help="Decode without timestamp tokens: faster, one segment per chunk. Always on for "
            "chunked txt.",
        ),
    ] = False
    no_repeat_ngram: Annotated[
        int, _search(min=0, help="Never repeat a run of this many tokens; 0: off.")
    ] = 0
    repetition_penalty: Annotated[
        float, _search(help="Penalty on tokens already written; 1: off.")
    ] = 1.0

    def search_options(self, *, sequential: bool, segmented: bool) -> SearchOptions:
        """Return the search's options.

        Args:
            segmented: whether the output needs segment times.

        Raises:
            ValueError: a value out of range.
            typer.BadParameter: a list of tokens that is not one of numbers.
        """
        from streamwhisper.whisper.search import SearchOptions

        beam = self.beam_size if self.beam_size is not None else 5 if sequential else 1
        return SearchOptions(
            beam_size=beam if beam > 1 or self.patience is not None else None,
            best_of=self.best_of,
            patience=self.patience,
            length_penalty=self.length_penalty,
            timestamps=segmented and not self.without_timestamps,
            suppress_tokens=self._suppressed(),
            repetition=self._repetition(),
        )

    def _suppressed(self) -> tuple[int, ...] | None:
        text = self.suppress_tokens
        try:
            return tuple(int(part) for part in text.split(",") if part) or None
        except ValueError:
            raise typer.BadParameter(
                f"--suppress-tokens is {text!r}; expected token ids, e.g. 1,2"
            ) from None

    def _repetition(self) -> RepetitionOptions:
        from streamwhisper.whisper.repetition import RepetitionOptions

        return RepetitionOptions(self.no_repeat_ngram, self.repetition_penalty)


@dataclass(frozen=True, slots=True)
class FallbackFlags:
    """Flags for decoding a window again at a higher temperature."""

    temperature: Annotated[float, _fallback(min=0, help="First temperature.")] = 0.0
    temperature_increment_on_fallback: Annotated[
        Threshold, _threshold(help="Step to the next temperature; none: never decode again.")
    ] = 0.2
    compression_ratio_threshold: Annotated[
        Threshold, _threshold(help="Above this, the text repeats itself: decode again.")
    ] = 2.4
    logprob_threshold: Annotated[
        Threshold, _threshold(help="Below this mean log-probability: decode again.")
    ] = -1.0
    no_speech_threshold: Annotated[
        Threshold,
        _threshold(help="Above this probability, a doubtful window counts as silence."),
    ] = 0.6

    def fallback_options(self) -> FallbackOptions:
        """Return the temperatures and thresholds."""
        from streamwhisper.whisper.fallback import FallbackOptions

        return FallbackOptions(
            self._temperatures(),
            self.compression_ratio_threshold,
            self.logprob_threshold,
            self.no_speech_threshold,
        )

    def _temperatures(self) -> tuple[float, ...]:
        """Return the temperatures from the first one to 1, in steps."""
        first, step = self.temperature, self.temperature_increment_on_fallback
        if not step:
            return (first,)
        count = int((1.0 + 1e-6 - first) / step) + 1 if first <= 1 else 1
        return tuple(first + index * step for index in range(max(1, count)))


@dataclass(frozen=True, slots=True)
class InputFlags:
    """Flags for the format of raw samples."""

    encoding: Annotated[
        str | None,
        _input(
            metavar="ENCODING",
            help=f"Encoding of raw samples: {', '.join(_ENCODINGS)}. Default: an audio or video "
            "file.",
        ),
    ] = None
    sample_rate: Annotated[
        int | None, _input(help=f"Sample rate of raw samples in hertz. Default: {SAMPLE_RATE}.")
    ] = None
    channels: Annotated[int | None, _input(help="Channels of raw samples. Default: 1.")] = None

    def audio_format(self) -> AudioFormat | None:
        """Return the format of raw samples; None: files say their format themselves.

        Raises:
            AudioFormatError: an encoding, rate or channel count that is not supported.
            typer.BadParameter: flags that do not fit together.
        """
        from streamwhisper.audio.formats import AudioFormat

        if self.encoding is None:
            if self.sample_rate is not None or self.channels is not None:
                raise typer.BadParameter(
                    "--sample-rate and --channels describe raw samples and need --encoding; files "
                    "state their own"
                )
            return None
        encoding = self.encoding.lower().replace("-", "_")
        return AudioFormat(encoding, self.sample_rate or SAMPLE_RATE, self.channels or 1)
