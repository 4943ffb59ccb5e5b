"""A recording, or any chunks of sound, through the engine that serves live sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.events import Event
from streamwhisper.recognition import Recognizer
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["listen"]


def listen(
    recognizer: Recognizer,
    chunks: Iterable[NDArray[np.float32]],
    options: SessionOptions | None = None,
) -> Iterator[Event]:
    """Drive a session over `chunks` and yield its events as they come, `Done` last.

    Args:
        recognizer: answers the session's requests.
        chunks: float32 mono ``[n]`` at 16 kHz, of any length each.
        options: language, task and the like.

    Raises:
        RecognitionError: the recognizer could not answer.
    """
    session = Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), options)
    for chunk in chunks:
        session.receive_audio(np.asarray(chunk, dtype="<f4").tobytes())
        yield from _answer(session, recognizer)
    session.end()
    yield from _answer(session, recognizer)


def _answer(session: Session, recognizer: Recognizer) -> Iterator[Event]:
    yield from session.events()
    while request := session.next_request():
        session.receive_hypothesis(recognizer.recognize([request])[0])
        yield from session.events()
    yield from session.events()
