"""Whole recordings through the engine that serves live sound, as fast as the machine can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.events import Committed, Done, Event, Word
from streamwhisper.recognition import Recognizer
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["Transcript", "listen", "transcribe"]

SAMPLE_RATE = 16000
STEP = 8 * SAMPLE_RATE
"""Samples taken in at once: nobody waits for the words between, so few updates do."""

Sound = NDArray[np.float32] | Iterable[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording.

    Attributes:
        text: the words as they are written; each utterance is a line.
        words: every word with its times in seconds and its confidence.
        language: the code of the language that was given or heard; None where nobody spoke.
        audio_seconds: length of the recording.
        speech_seconds: how much of it was speech.
    """

    text: str
    words: tuple[Word, ...]
    language: str | None
    audio_seconds: float
    speech_seconds: float


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


def transcribe(
    recognizer: Recognizer,
    sound: Sound,
    options: SessionOptions | None = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> Transcript:
    """Transcribe a recording: its samples, or chunks of them where it is long.

    Args:
        recognizer: such as a `LocalRecognizer`.
        sound: float32 mono ``[n]`` at 16 kHz, or an iterable of such chunks.
        options: language, task and the like.
        progress: called with the seconds taken in so far.

    Raises:
        RecognitionError: the recognizer could not answer.
    """
    texts: list[str] = [""]
    words: list[Word] = []
    language: str | None = None
    done = Done(0.0, 0.0)
    for event in listen(recognizer, _counted(_steps(sound), progress), options):
        if isinstance(event, Committed):
            texts[-1] += event.text
            words += event.words
            language = event.language if event.words else language
            if event.final:
                texts.append("")
        elif isinstance(event, Done):
            done = event
    lines = (text.strip() for text in texts)
    return Transcript(
        "\n".join(line for line in lines if line),
        tuple(words),
        language,
        done.audio_seconds,
        done.speech_seconds,
    )


def _answer(session: Session, recognizer: Recognizer) -> Iterator[Event]:
    yield from session.events()
    while request := session.next_request():
        session.receive_hypothesis(recognizer.recognize([request])[0])
        yield from session.events()
    yield from session.events()


def _steps(sound: Sound) -> Iterator[NDArray[np.float32]]:
    for piece in [sound] if isinstance(sound, np.ndarray) else sound:
        for start in range(0, len(piece), STEP):
            yield piece[start : start + STEP]


def _counted(
    chunks: Iterable[NDArray[np.float32]], progress: Callable[[float], None] | None
) -> Iterator[NDArray[np.float32]]:
    taken = 0
    for chunk in chunks:
        yield chunk
        taken += len(chunk)
        if progress:
            progress(taken / SAMPLE_RATE)
