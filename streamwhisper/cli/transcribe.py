"""``streamwhisper transcribe``: recordings to text, with openai-whisper's options and more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamwhisper.cli.destination import Destination, destination
from streamwhisper.cli.flags import LanguageFlag, ModelFlags, SelectionFlags, Task
from streamwhisper.cli.groups import grouped
from streamwhisper.cli.inputs import STANDARD_INPUT, find_recordings
from streamwhisper.cli.loading import load_model
from streamwhisper.cli.recordings import OutputWriter, stem, transcribe_files
from streamwhisper.cli.subtitle_flags import SubtitleFlags
from streamwhisper.cli.transcription_flags import (
    FallbackFlags,
    InputFlags,
    OutputFlags,
    PromptFlags,
    SearchFlags,
    WindowFlags,
)
from streamwhisper.errors import AudioFormatError

if TYPE_CHECKING:
    from streamwhisper.audio.formats import AudioFormat

__all__ = ["transcribe"]


@grouped
def transcribe(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Audio or video files, or folders of them; - for standard input.", metavar="FILE"
        ),
    ],
    language: LanguageFlag,
    output: OutputFlags,
    model: ModelFlags,
    windows: WindowFlags,
    prompts: PromptFlags,
    search: SearchFlags,
    fallback: FallbackFlags,
    subtitles: SubtitleFlags,
    selection: SelectionFlags,
    raw: InputFlags,
    task: Task = "transcribe",
) -> None:
    """Transcribe recordings as fast as the machine can.

    \b
    Examples:
      streamwhisper transcribe talk.mp3                 # text
      streamwhisper transcribe talk.mp4 -o talk.srt     # subtitles
      streamwhisper transcribe lectures -f all -o out   # a folder, in every format
      ffmpeg -i talk.mkv -f wav - | streamwhisper transcribe - --json

    The options are openai-whisper's; --beam_size works as well as --beam-size.
    """
    from streamwhisper.console import print_notice

    if files.count(STANDARD_INPUT) > 1:
        raise typer.BadParameter("- is given more than once; standard input can be read once")
    recordings = find_recordings(files, print_notice)
    if not recordings:
        raise typer.Exit(1)
    place = destination(output.format, output.output_dir, len(recordings))
    _check_outputs(recordings, place, as_json=output.as_json)
    _check_words(output, windows)
    clips = windows.clips()
    sequential = windows.method == "sequential"
    segmented = sequential or output.as_json or place.format != "txt"
    recognizer = load_model(model)  # early: a wrong name fails before any work is done
    recognizer.info.check_languages(filter(None, [language.tag()]))
    from streamwhisper.transcription.options import ChunkOptions, TranscriptionOptions

    try:
        options = TranscriptionOptions(
            method=windows.method,
            language=language.tag(),
            task=task,
            clips=clips,
            prompts=prompts.prompt_options(),
            words=subtitles.word_options(windows.hallucination_silence_threshold)
            if output.word_timestamps or subtitles.needs_words or place.has_subtitles
            else None,
            search=search.search_options(sequential=sequential, segmented=segmented),
            fallback=fallback.fallback_options(),
            chunks=ChunkOptions(batch_size=windows.batch_size, vad=windows.vad),
        )
        audio_format = _audio_format(raw, selection)
    except (ValueError, AudioFormatError) as error:
        raise typer.BadParameter(str(error)) from error
    place.create_folder()  # before any work is done
    writer = OutputWriter(
        place,
        output.as_json,
        len(recordings) > 1,
        output.word_timestamps or subtitles.needs_words,
        subtitles.subtitle_options(),
    )
    if not transcribe_files(
        recognizer, recordings, audio_format, selection.selection(), options, writer
    ):
        raise typer.Exit(1)


def _audio_format(raw: InputFlags, selection: SelectionFlags) -> AudioFormat | None:
    """Return the format of raw samples; None: files. Raise ValueError for a track of samples."""
    audio_format = raw.audio_format()
    if audio_format is not None and selection.audio_track is not None:
        raise ValueError("--audio-track needs a file, but --encoding declares raw samples")
    return audio_format


def _check_outputs(files: list[Path], place: Destination, *, as_json: bool) -> None:
    """Raise BadParameter when the output has no place to go."""
    if place.file is not None:
        return
    if place.folder is None:
        if len(files) > 1 and not as_json and place.format != "txt":
            raise typer.BadParameter(f"--format {place.format} of several files needs --output-dir")
        if place.format == "all":
            raise typer.BadParameter("--format all needs --output-dir")
        return
    names = [stem(file) for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise typer.BadParameter(
            f"two files would be written to {place.folder / twice}.*; transcribe them "
            "separately or rename one"
        )


def _check_words(output: OutputFlags, windows: WindowFlags) -> None:
    """Raise BadParameter for a flag that needs word times and another method."""
    if windows.hallucination_silence_threshold is None:
        return
    if not output.word_timestamps:
        raise typer.BadParameter("--hallucination-silence-threshold needs --word-timestamps")
    if windows.method == "chunked":
        raise typer.BadParameter("--hallucination-silence-threshold needs --method sequential")
