"""Synchronous live transcription of an iterable of audio chunks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Unpack

import numpy as np

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.files import load_audio, stream_audio
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.audio.opening import Selection
from streamwhisper.audio.samples import ChunkConverter, SupportsArray
from streamwhisper.events import Event
from streamwhisper.live.driver import recognize_pending
from streamwhisper.live.keywords import SessionKeywords, session_options
from streamwhisper.recognition import Recognizer
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["listen"]


def listen(
    model: Recognizer | str | os.PathLike[str],
    chunks: Iterable[Any] | str | os.PathLike[str],
    options: SessionOptions | None = None,
    *,
    sample_rate: int = SAMPLE_RATE,
    channel: int | None = None,
    audio_track: int | None = None,
    **keywords: Unpack[SessionKeywords],
) -> Iterator[Event]:
    """Transcribe audio live and yield events as they happen, `Done` last.

    The model runs in the calling thread, between two chunks. For an event loop use
    `streamwhisper.LiveStream`.

    Args:
        model: the result of `streamwhisper.load_model`, or a model's name or path.
        chunks: audio in pieces of any length, e.g. from `streamwhisper.microphone`: arrays or
            tensors of any numeric type with any number of channels. A path reads a file.
        options: all options as one object; most callers use keywords instead.
        sample_rate: of the chunks, in hertz. Files state their own.
        channel: the only channel to use, counted from 1; the default mixes all.
        audio_track: audio track of a file, counted from 1; the default is the default track.
        keywords: see `SessionKeywords`.

    Raises:
        AudioFormatError: a chunk cannot be converted.
        RecognitionError: the recognizer failed, or does not support the options.
        TypeError: a keyword is unknown.
        ValueError: a keyword contradicts `options`.

    Example:
        ::

            for event in listen(model, microphone()):
                if isinstance(event, Committed):
                    print(event.text, end="", flush=True)
    """
    from streamwhisper.engine.loading import as_model

    chosen = session_options("listen", options, keywords)
    recognizer = as_model(os.fspath(model) if isinstance(model, os.PathLike) else model)
    session = Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), chosen)
    if isinstance(chunks, str | os.PathLike):
        pieces = stream_audio(os.fspath(chunks), selection=Selection(audio_track, channel))
        return _events(session, recognizer, pieces, ChunkConverter())
    if audio_track is not None:
        raise ValueError(f"audio_track is {audio_track}; expected it only with the path of a file")
    if isinstance(chunks, Mapping | SupportsArray):
        rate = None if isinstance(chunks, Mapping) else sample_rate
        whole = load_audio(chunks, rate, selection=Selection(channel=channel))
        return _events(session, recognizer, [whole], ChunkConverter())
    return _events(session, recognizer, chunks, ChunkConverter(sample_rate, channel=channel))


def _events(
    session: Session, recognizer: Recognizer, chunks: Iterable[Any], converter: ChunkConverter
) -> Iterator[Event]:
    for chunk in chunks:
        _receive(session, converter.convert(chunk))
        yield from recognize_pending(session, recognizer)
    _receive(session, converter.finish())
    session.end()
    yield from recognize_pending(session, recognizer)


def _receive(session: Session, samples: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    if len(samples):
        session.receive_audio(samples.astype("<f4", copy=False).tobytes())
