"""Transcription of whole recordings, translation and language detection."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Unpack, overload

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE, WINDOW_SAMPLES, WINDOW_SECONDS
from streamwhisper.audio.files import AudioInput, load_audio
from streamwhisper.audio.mel import log_mel
from streamwhisper.audio.opening import Selection
from streamwhisper.engine.loading import DEFAULT_MODEL, as_model, load_model
from streamwhisper.errors import RecognitionError
from streamwhisper.transcript import Transcript
from streamwhisper.transcription import chunked
from streamwhisper.transcription.argument_order import accept_model_first
from streamwhisper.transcription.keywords import TranscriptionKeywords, with_keywords
from streamwhisper.transcription.languages import main_language
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.recognizer import WindowRecognizer
from streamwhisper.transcription.sequential import SequentialTranscriber, hear_windows
from streamwhisper.transcription.stretches import first_speech
from streamwhisper.whisper.windows import WindowRequest

__all__ = [
    "Model",
    "Progress",
    "detect_language",
    "load_model",
    "transcribe",
    "transcribe_all",
    "transcribe_samples",
]

ROUND = 4
"""Batches for each worker that are collected before they are computed, longest chunks first."""
SIDE_BY_SIDE = 4
"""Recordings transcribed at the same time by the sequential method; all are in memory."""

Model = str | Path | WindowRecognizer
"""A model's name or path, or the result of `load_model`."""
Progress = Callable[[float], None]
"""Called with the seconds of audio processed since the last call."""

Samples = NDArray[np.float32]


@overload
def detect_language(
    audio: AudioInput,
    model: Model = ...,
    *,
    sample_rate: int | None = ...,
    channel: int | None = ...,
    audio_track: int | None = ...,
) -> dict[str, float]: ...
@overload
def detect_language(
    model: WindowRecognizer,
    audio: AudioInput,
    /,
    *,
    sample_rate: int | None = ...,
    channel: int | None = ...,
    audio_track: int | None = ...,
) -> dict[str, float]: ...
@accept_model_first
def detect_language(
    audio: AudioInput,
    model: Model = DEFAULT_MODEL,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    audio_track: int | None = None,
) -> dict[str, float]:
    """Return the probability of each language in the first 30 s of speech, most likely first.

    Without speech the answer is a guess about the beginning of the recording.

    Args:
        audio: see `transcribe`.
        model: a multilingual model, by name or loaded.
        sample_rate: of an array or tensor, in hertz; the default is 16000.
        channel: the only channel to use, counted from 1; the default mixes all.
        audio_track: audio track of a file, counted from 1; the default is the default track.

    Raises:
        AudioFormatError: the audio cannot be read.
        RecognitionError: the model supports English only.
    """
    samples = load_audio(audio, sample_rate, selection=Selection(audio_track, channel))
    recognizer = as_model(model)
    if not recognizer.info.multilingual:
        raise RecognitionError(
            f"{recognizer.info.name} supports English only; use a multilingual model to detect "
            'languages, e.g. "base"'
        )
    speech = first_speech(samples, WINDOW_SECONDS)
    whole = np.pad(speech, (0, WINDOW_SAMPLES - len(speech)))
    mel = log_mel(whole, recognizer.info.n_mels)
    (found,) = recognizer.transcribe_windows([WindowRequest(mel, search=None, padded=True)])
    return dict(found.languages)


@overload
def transcribe(
    audio: AudioInput,
    model: Model = ...,
    options: TranscriptionOptions | None = ...,
    *,
    sample_rate: int | None = ...,
    channel: int | None = ...,
    audio_track: int | None = ...,
    progress: Progress | None = ...,
    **keywords: Unpack[TranscriptionKeywords],
) -> Transcript: ...
@overload
def transcribe(
    model: WindowRecognizer,
    audio: AudioInput,
    /,
    options: TranscriptionOptions | None = ...,
    *,
    sample_rate: int | None = ...,
    channel: int | None = ...,
    audio_track: int | None = ...,
    progress: Progress | None = ...,
    **keywords: Unpack[TranscriptionKeywords],
) -> Transcript: ...
@accept_model_first
def transcribe(
    audio: AudioInput,
    model: Model = DEFAULT_MODEL,
    options: TranscriptionOptions | None = None,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    audio_track: int | None = None,
    progress: Progress | None = None,
    **keywords: Unpack[TranscriptionKeywords],
) -> Transcript:
    """Transcribe a recording.

    ::

        streamwhisper.transcribe("talk.mp3", model="base", word_timestamps=True).save("talk.srt")

    Args:
        audio: a path; a file opened in binary mode, or the bytes of one; a NumPy array, torch
            tensor or list of any numeric type with any number of channels; or a mapping with
            ``array`` and ``sampling_rate``.
        model: by name, or the result of `load_model`. A model given by name is loaded for this
            call only. ``transcribe(model, audio)`` works, too.
        options: all options as one object; most callers use keywords instead.
        sample_rate: of an array or tensor, in hertz; the default is 16000.
        channel: the only channel to use, counted from 1; the default mixes all.
        audio_track: audio track of a file, counted from 1; the default is the default track.
        progress: called with the seconds of audio processed since the last call.
        keywords: see `TranscriptionKeywords`.

    Raises:
        AudioFormatError: the audio cannot be read.
        RecognitionError: the model does not support the options.
        ModelError: the model cannot be loaded.
        TypeError: a keyword is unknown.
        ValueError: a keyword contradicts `options`, or is out of range.
    """
    chosen = with_keywords("transcribe", options, keywords)
    samples = load_audio(audio, sample_rate, selection=Selection(audio_track, channel))
    return next(transcribe_all([samples], model, chosen, progress=progress))


def _warned(samples: Samples, options: TranscriptionOptions) -> Samples:
    """Return the samples; warn of clips that begin after their end."""
    for message in options.late_clips(len(samples) / SAMPLE_RATE):
        warnings.warn(message, stacklevel=2)
    return samples


@overload
def transcribe_all(
    audios: Iterable[AudioInput],
    model: Model = ...,
    options: TranscriptionOptions | None = ...,
    *,
    sample_rate: int | None = ...,
    channel: int | None = ...,
    audio_track: int | None = ...,
    progress: Progress | None = ...,
    **keywords: Unpack[TranscriptionKeywords],
) -> Iterator[Transcript]: ...
@overload
def transcribe_all(
    model: WindowRecognizer,
    audios: Iterable[AudioInput],
    /,
    options: TranscriptionOptions | None = ...,
    *,
    sample_rate: int | None = ...,
    channel: int | None = ...,
    audio_track: int | None = ...,
    progress: Progress | None = ...,
    **keywords: Unpack[TranscriptionKeywords],
) -> Iterator[Transcript]: ...
@accept_model_first
def transcribe_all(
    audios: Iterable[AudioInput],
    model: Model = DEFAULT_MODEL,
    options: TranscriptionOptions | None = None,
    *,
    sample_rate: int | None = None,
    channel: int | None = None,
    audio_track: int | None = None,
    progress: Progress | None = None,
    **keywords: Unpack[TranscriptionKeywords],
) -> Iterator[Transcript]:
    """Transcribe recordings and yield their transcripts in order, each as soon as it is ready.

    Chunks or windows of several recordings share a batch. Only as many recordings are read ahead
    as fill a few batches. The arguments are those of `transcribe`, with an iterable of audios.

    Raises:
        AudioFormatError: a recording cannot be read.
        RecognitionError: the model does not support the options.
        ModelError: the model cannot be loaded.
        TypeError: a keyword is unknown, or `audios` is a single recording.
        ValueError: a keyword contradicts `options`, or is out of range.
    """
    if isinstance(audios, str | bytes | os.PathLike | Mapping | np.ndarray):
        raise TypeError(
            f"audios is one recording ({type(audios).__name__}); expected a list of them, or use "
            "transcribe"
        )
    chosen = with_keywords("transcribe_all", options, keywords)
    recognizer = as_model(model)
    chosen = chosen.for_model(recognizer)
    selection = Selection(audio_track, channel)
    loaded = (
        _warned(load_audio(audio, sample_rate, selection=selection), chosen) for audio in audios
    )
    return transcribe_samples(recognizer, loaded, chosen, progress)


def transcribe_samples(
    model: WindowRecognizer,
    recordings: Iterable[Samples],
    options: TranscriptionOptions,
    progress: Progress | None = None,
) -> Iterator[Transcript]:
    """Transcribe recordings that are float32 mono ``[n]`` at 16 kHz; they may be empty.

    Raises:
        RecognitionError: the model does not support the options.
    """
    options = options.for_model(model)
    if options.method == "sequential":
        return _sequential(model, recordings, options, progress)
    return _in_rounds(model, recordings, options, progress)


def _in_rounds(
    model: WindowRecognizer,
    audios: Iterable[Samples],
    options: TranscriptionOptions,
    progress: Progress | None,
) -> Iterator[Transcript]:
    with ThreadPoolExecutor(model.window_calls) as executor:
        for recordings in _rounds(model, audios, options):
            heard = chunked.hear(model, recordings, options, executor, progress)
            for recording, own in zip(recordings, heard, strict=True):
                if progress:
                    silent = len(recording.samples) / SAMPLE_RATE
                    progress(silent - sum(chunk.seconds for chunk in recording.chunks))
                yield _chunked(model, recording, own, options)


def _rounds(
    model: WindowRecognizer, audios: Iterable[Samples], options: TranscriptionOptions
) -> Iterator[list[chunked.Recording]]:
    """Group recordings so that each group has enough chunks to keep every worker busy."""
    enough = ROUND * model.window_calls * options.chunks.batch_size
    gathered: list[chunked.Recording] = []
    for samples in audios:
        gathered.append(chunked.prepare(model, samples, options))
        if sum(len(recording.chunks) for recording in gathered) >= enough:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _chunked(
    model: WindowRecognizer,
    recording: chunked.Recording,
    heard: list[chunked.ChunkHypothesis],
    options: TranscriptionOptions,
) -> Transcript:
    segments = chunked.segments(model, recording, heard, options)
    return Transcript(
        "".join(segment.text for segment in segments),
        tuple(segments),
        recording.language or main_language(segments),
        len(recording.samples) / SAMPLE_RATE,
    )


def _sequential(
    model: WindowRecognizer,
    audios: Iterable[Samples],
    options: TranscriptionOptions,
    progress: Progress | None,
) -> Iterator[Transcript]:
    left, under_way = iter(audios), deque[SequentialTranscriber]()
    while True:
        for samples in islice(left, SIDE_BY_SIDE - len(under_way)):
            under_way.append(SequentialTranscriber(model, samples, options, progress))
        if not under_way:
            return
        if waiting := [transcriber for transcriber in under_way if transcriber.request]:
            hear_windows(waiting)
        while under_way and not under_way[0].request:
            done = under_way.popleft()
            yield Transcript(done.text, tuple(done.segments), done.language, done.seconds)
