"""``streamwhisper transcribe``: recordings to text, with openai-whisper's options and more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.cli.flags import (
    DEFAULT_MODEL,
    Adapter,
    Compile,
    Device,
    Dtype,
    Language,
    Model,
    Precision,
    Task,
    Threads,
)
from streamwhisper.cli.loading import load_model
from streamwhisper.cli.recordings import STANDARD_INPUT, OutputWriter, stem, transcribe_files
from streamwhisper.errors import AudioFormatError

if TYPE_CHECKING:
    from streamwhisper.transcription.options import Clip

__all__ = ["transcribe"]

Format = Literal["txt", "json", "srt", "vtt", "tsv", "all"]
Method = Literal["chunked", "sequential"]
Encoding = Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw"]
Threshold = float | None


def _number(text: object) -> float | None:
    """A number, or None by its name."""
    return None if str(text).lower() == "none" else float(str(text))


def _clips(text: str) -> tuple[Clip, ...]:
    """``start,end,start,...`` in seconds; the last end may be left out."""
    try:
        numbers: list[float | None] = [float(part) for part in text.split(",") if part]
    except ValueError:
        raise typer.BadParameter(f"{text!r}; expected seconds as start,end,start,...") from None
    if len(numbers) % 2:
        numbers.append(None)
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return tuple((start or 0.0, end) for start, end in pairs)


def _tokens(text: str) -> tuple[int, ...] | None:
    """Numbers with commas between them; None for no text."""
    try:
        return tuple(int(part) for part in text.split(",") if part) or None
    except ValueError:
        raise typer.BadParameter(f"{text!r}; expected numbers of tokens, such as 1,2") from None


SEARCH, WINDOWS, SUBTITLES, INPUT = "Search", "Windows", "Subtitles", "Input"


def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(help="Sound or video files; - for standard input.", metavar="FILE..."),
    ],
    model: Model = DEFAULT_MODEL,
    task: Task = "transcribe",
    language: Language = None,
    format: Annotated[
        Format, typer.Option("--output-format", "--format", "-f", help="Of the output.")
    ] = "txt",
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Folder to write to; default: standard output."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line for each file.")
    ] = False,
    word_timestamps: Annotated[
        bool, typer.Option("--word-timestamps", help="Time every word.")
    ] = False,
    method: Annotated[
        Method,
        typer.Option(
            help="chunked: many chunks at a time, cut at pauses; sequential: one window after "
            "the other, each conditioned on the text before it.",
            rich_help_panel=WINDOWS,
        ),
    ] = "chunked",
    batch_size: Annotated[
        int, typer.Option(min=1, help="Chunks at a time.", rich_help_panel=WINDOWS)
    ] = 16,
    vad: Annotated[
        bool,
        typer.Option(help="Cut chunks at pauses, and skip silence.", rich_help_panel=WINDOWS),
    ] = True,
    clip_timestamps: Annotated[
        str,
        typer.Option(
            help="Hear these only: start,end,start,... in seconds.", rich_help_panel=WINDOWS
        ),
    ] = "0",
    initial_prompt: Annotated[
        str | None,
        typer.Option(help="Text before the first window's.", rich_help_panel=WINDOWS),
    ] = None,
    carry_initial_prompt: Annotated[
        bool,
        typer.Option(
            "--carry-initial-prompt", help="Sequential: before every one.", rich_help_panel=WINDOWS
        ),
    ] = False,
    prefix: Annotated[
        str | None, typer.Option(help="Text that windows begin with.", rich_help_panel=WINDOWS)
    ] = None,
    condition_on_previous_text: Annotated[
        bool, typer.Option(help="Sequential: prompt with the text so far.", rich_help_panel=WINDOWS)
    ] = True,
    hallucination_silence_threshold: Annotated[
        Threshold,
        typer.Option(
            parser=_number,
            help="Sequential, with words: skip silence of so many seconds around doubtful ones.",
            rich_help_panel=WINDOWS,
        ),
    ] = None,
    beam_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Texts side by side at temperature 0. [default: 1 chunked, 5 sequential]",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    best_of: Annotated[
        int, typer.Option(min=1, help="Texts at other temperatures.", rich_help_panel=SEARCH)
    ] = 5,
    patience: Annotated[
        Threshold, typer.Option(parser=_number, help="Of the beam.", rich_help_panel=SEARCH)
    ] = None,
    length_penalty: Annotated[
        Threshold, typer.Option(parser=_number, help="0 to 1.", rich_help_panel=SEARCH)
    ] = None,
    temperature: Annotated[float, typer.Option(min=0, rich_help_panel=SEARCH)] = 0.0,
    temperature_increment_on_fallback: Annotated[
        Threshold, typer.Option(parser=_number, help="none: no fallback.", rich_help_panel=SEARCH)
    ] = 0.2,
    compression_ratio_threshold: Annotated[
        Threshold,
        typer.Option(parser=_number, help="More is repetition.", rich_help_panel=SEARCH),
    ] = 2.4,
    logprob_threshold: Annotated[
        Threshold, typer.Option(parser=_number, help="Less is doubtful.", rich_help_panel=SEARCH)
    ] = -1.0,
    no_speech_threshold: Annotated[
        Threshold,
        typer.Option(
            parser=_number, help="More is silence, where doubtful.", rich_help_panel=SEARCH
        ),
    ] = 0.6,
    suppress_tokens: Annotated[
        str,
        typer.Option(help="Never written; -1: what nobody says.", rich_help_panel=SEARCH),
    ] = "-1",
    without_timestamps: Annotated[
        bool,
        typer.Option(
            "--without-timestamps",
            help="Segments are whole chunks; faster. So it is for chunked txt.",
            rich_help_panel=SEARCH,
        ),
    ] = False,
    no_repeat_ngram: Annotated[
        int, typer.Option(min=0, help="Runs of tokens that come once.", rich_help_panel=SEARCH)
    ] = 0,
    repetition_penalty: Annotated[
        float, typer.Option(help="On tokens that came; 1: none.", rich_help_panel=SEARCH)
    ] = 1.0,
    max_line_width: Annotated[
        int | None, typer.Option(min=1, help="Characters.", rich_help_panel=SUBTITLES)
    ] = None,
    max_line_count: Annotated[
        int | None, typer.Option(min=1, help="Lines.", rich_help_panel=SUBTITLES)
    ] = None,
    max_words_per_line: Annotated[
        int | None, typer.Option(min=1, rich_help_panel=SUBTITLES)
    ] = None,
    highlight_words: Annotated[
        bool,
        typer.Option("--highlight-words", help="While spoken.", rich_help_panel=SUBTITLES),
    ] = False,
    prepend_punctuations: Annotated[
        str | None, typer.Option(help="Join the word after.", rich_help_panel=SUBTITLES)
    ] = None,
    append_punctuations: Annotated[
        str | None, typer.Option(help="Join the word before.", rich_help_panel=SUBTITLES)
    ] = None,
    encoding: Annotated[
        Encoding | None,
        typer.Option(help="Of raw samples; default: a container.", rich_help_panel=INPUT),
    ] = None,
    sample_rate: Annotated[
        int, typer.Option(help="Of raw samples, in hertz.", rich_help_panel=INPUT)
    ] = SAMPLE_RATE,
    channels: Annotated[int, typer.Option(help="Of raw samples.", rich_help_panel=INPUT)] = 1,
    device: Device = "auto",
    dtype: Precision = Dtype.auto,
    threads: Threads = None,
    adapter: Adapter = None,
    compiled: Compile = False,
) -> None:
    """Transcribe recordings as fast as the machine can."""
    _refuse_what_does_not_fit(files, format, output_dir, as_json)
    words = [max_line_width, max_line_count, max_words_per_line, highlight_words]
    if not word_timestamps and any([*words, hallucination_silence_threshold]):
        raise typer.BadParameter(
            "line widths, line counts, words in a line, highlighted words and the hallucination "
            "silence threshold need --word-timestamps"
        )
    if hallucination_silence_threshold is not None and method == "chunked":
        raise typer.BadParameter("--hallucination-silence-threshold needs --method sequential")
    clips, never = _clips(clip_timestamps), _tokens(suppress_tokens)
    recognizer = load_model(
        model, device, dtype, threads, adapter, compiled=compiled
    )  # first: a wrong name is said soon

    from streamwhisper.audio.formats import AudioFormat
    from streamwhisper.subtitles.writers import SubtitleOptions
    from streamwhisper.transcription.options import (
        ChunkOptions,
        PromptOptions,
        TranscriptionOptions,
        WordOptions,
    )
    from streamwhisper.whisper.fallback import FallbackOptions
    from streamwhisper.whisper.languages import language_code
    from streamwhisper.whisper.repetition import RepetitionOptions
    from streamwhisper.whisper.search import SearchOptions
    from streamwhisper.whisper.timing import Punctuation

    sequential = method == "sequential"
    segmented = sequential or as_json or format != "txt"
    beam = beam_size if beam_size is not None else 5 if sequential else 1
    signs = Punctuation()
    try:
        options = TranscriptionOptions(
            method=method,
            language=language_code(language) if language else None,
            task=task,
            clips=clips,
            prompts=PromptOptions(
                initial_prompt, prefix, condition_on_previous_text, carry_initial_prompt
            ),
            words=WordOptions(
                Punctuation(
                    signs.before if prepend_punctuations is None else prepend_punctuations,
                    signs.after if append_punctuations is None else append_punctuations,
                ),
                hallucination_silence_threshold,
            )
            if word_timestamps
            else None,
            search=SearchOptions(
                beam_size=beam if beam > 1 or patience is not None else None,
                best_of=best_of,
                patience=patience,
                length_penalty=length_penalty,
                timestamps=segmented and not without_timestamps,
                suppress_tokens=never,
                repetition=RepetitionOptions(no_repeat_ngram, repetition_penalty),
            ),
            fallback=FallbackOptions(
                _temperatures(temperature, temperature_increment_on_fallback),
                compression_ratio_threshold,
                logprob_threshold,
                no_speech_threshold,
            ),
            chunks=ChunkOptions(batch_size=batch_size, vad=vad),
        )
        raw = AudioFormat(encoding, sample_rate, channels) if encoding else None
    except (ValueError, AudioFormatError) as error:
        raise typer.BadParameter(str(error)) from error
    layout = SubtitleOptions(max_line_width, max_line_count, max_words_per_line, highlight_words)
    outlet = OutputWriter("json-lines" if as_json else format, output_dir, len(files) > 1, layout)
    if not transcribe_files(recognizer, files, raw, options, outlet):
        raise typer.Exit(1)


def _refuse_what_does_not_fit(
    files: list[Path], format: Format, folder: Path | None, as_json: bool
) -> None:
    """Say what is wrong with the command before any work is done."""
    if files.count(STANDARD_INPUT) > 1:
        raise typer.BadParameter("standard input (-) can be read once")
    if folder is None:
        if len(files) > 1 and not as_json and format != "txt":
            raise typer.BadParameter(f"several files as {format} need --output-dir")
        if format == "all":
            raise typer.BadParameter("all formats need --output-dir")
        return
    names = [stem(file) for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise typer.BadParameter(f"two files would be written to {folder / twice}.*")


def _temperatures(first: float, step: float | None) -> tuple[float, ...]:
    """From `first` to 1 in steps; `first` alone without any."""
    if not step:
        return (first,)
    count = int((1.0 + 1e-6 - first) / step) + 1 if first <= 1 else 1
    return tuple(first + index * step for index in range(max(1, count)))
