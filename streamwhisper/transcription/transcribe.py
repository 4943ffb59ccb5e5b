"""Whole recordings: transcribe them, translate them, tell their language."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE, WINDOW_SAMPLES
from streamwhisper.audio.files import read_audio
from streamwhisper.audio.mel import log_mel
from streamwhisper.checkpoints.hub import HubOptions
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import RecognitionError
from streamwhisper.transcript import Transcript
from streamwhisper.transcription import chunked
from streamwhisper.transcription.options import TranscriptionOptions
from streamwhisper.transcription.sequential import SequentialTranscriber, hear_windows
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.tail import encode_padded

__all__ = ["Progress", "Sound", "detect_language", "load_model", "transcribe", "transcribe_all"]

ROUND = 4
"""Batches for each worker that are gathered before they are heard, longest chunks first."""
SIDE_BY_SIDE = 4
"""Recordings at a time where each is heard window by window; all of them are in memory."""

Sound = str | Path | NDArray[np.float32]
"""A file that PyAV reads, or float32 mono ``[n]`` at 16 kHz."""
Progress = Callable[[float], None]
"""Called with the seconds of sound that were dealt with since it was called last."""


def load_model(
    name: str | Path = "tiny.en",
    options: LocalOptions | None = None,
    hub: HubOptions | None = None,
) -> LocalRecognizer:
    """Load a model, fetching it where necessary; it serves live sound as well.

    Args:
        name: of a model, a checkpoint file or folder, or a hub id.
        options: device, precision, threads, adapter.

    Raises:
        UnknownModelError, ModelDownloadError, CheckpointError: as they say.
    """
    return LocalRecognizer.load(name, options, hub)


def detect_language(model: LocalRecognizer, sound: Sound) -> dict[str, float]:
    """Return the probability of each language in the first 30 s, most likely first.

    Raises:
        AudioFormatError: a file that cannot be read.
        RecognitionError: the model knows English alone.
    """
    if not model.info.multilingual:
        raise RecognitionError(
            f"{model.info.name} knows English alone; take a multilingual model, such as "
            f"{model.info.name.removesuffix('.en')}, to tell languages apart"
        )
    samples = _samples(sound)[:WINDOW_SAMPLES]
    whole = np.pad(samples, (0, WINDOW_SAMPLES - len(samples)))
    (encoded,) = encode_padded(model.model, [torch.from_numpy(log_mel(whole, model.info.n_mels))])
    return detect_languages(model.model, model.tokenizer, [encoded])[0]


def transcribe(
    model: LocalRecognizer,
    sound: Sound,
    options: TranscriptionOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Transcript:
    """Transcribe a recording; see `TranscriptionOptions` for what can be chosen.

    Raises:
        AudioFormatError: a file that cannot be read.
        RecognitionError: the options do not fit the model.
    """
    return next(transcribe_all(model, [sound], options, progress=progress))


def transcribe_all(
    model: LocalRecognizer,
    sounds: Iterable[Sound],
    options: TranscriptionOptions | None = None,
    *,
    progress: Progress | None = None,
) -> Iterator[Transcript]:
    """Transcribe recordings, and yield their transcripts in order, as soon as they are there.

    Chunks, or windows, of several recordings share a batch. No more of them are read ahead than
    fill a few.

    Raises:
        AudioFormatError: a file that cannot be read.
        RecognitionError: the options do not fit the model.
    """
    options = options or TranscriptionOptions()
    options.check(model)
    if options.method == "sequential":
        yield from _sequential(model, sounds, options, progress)
        return
    with ThreadPoolExecutor(model.workers) as executor:
        for recordings in _rounds(model, sounds, options):
            heard = chunked.hear(model, recordings, options, executor, progress)
            for recording, own in zip(recordings, heard, strict=True):
                if progress:
                    silent = len(recording.samples) / SAMPLE_RATE
                    progress(silent - sum(chunk.seconds for chunk in recording.chunks))
                yield _chunked(model, recording, own, options)


def _rounds(
    model: LocalRecognizer, sounds: Iterable[Sound], options: TranscriptionOptions
) -> Iterator[list[chunked.Recording]]:
    """Recordings that have enough chunks together to keep every worker busy."""
    enough = ROUND * model.workers * options.chunks.batch_size
    gathered: list[chunked.Recording] = []
    for sound in sounds:
        gathered.append(chunked.prepare(model, _samples(sound), options))
        if sum(len(recording.chunks) for recording in gathered) >= enough:
            yield gathered
            gathered = []
    if gathered:
        yield gathered


def _chunked(
    model: LocalRecognizer,
    recording: chunked.Recording,
    heard: list[chunked.ChunkHypothesis],
    options: TranscriptionOptions,
) -> Transcript:
    segments = chunked.segments(model, recording, heard, options)
    found = heard[0].result.language if heard else "en"
    return Transcript(
        "".join(segment.text for segment in segments),
        tuple(segments),
        recording.language or found,
        len(recording.samples) / SAMPLE_RATE,
    )


def _sequential(
    model: LocalRecognizer,
    sounds: Iterable[Sound],
    options: TranscriptionOptions,
    progress: Progress | None,
) -> Iterator[Transcript]:
    left, under_way = iter(sounds), deque[SequentialTranscriber]()
    while True:
        for sound in islice(left, SIDE_BY_SIDE - len(under_way)):
            under_way.append(SequentialTranscriber(model, _samples(sound), options, progress))
        if not under_way:
            return
        if waiting := [transcriber for transcriber in under_way if transcriber.task]:
            hear_windows(waiting)
        while under_way and not under_way[0].task:
            done = under_way.popleft()
            yield Transcript(done.text, tuple(done.segments), done.language, done.seconds)


def _samples(sound: Sound) -> NDArray[np.float32]:
    return sound if isinstance(sound, np.ndarray) else read_audio(sound)
