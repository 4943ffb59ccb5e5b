"""Synchronous live transcription of an iterable of audio chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.audio.samples import as_samples
from streamwhisper.events import Event
from streamwhisper.live.driver import recognize_pending
from streamwhisper.recognition import Recognizer
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

__all__ = ["listen"]


def listen(
    recognizer: Recognizer,
    chunks: Iterable[Any],
    options: SessionOptions | None = None,
) -> Iterator[Event]:
    """Transcribe `chunks` live and yield events as they happen, `Done` last.

    The recognizer runs in the calling thread, between two chunks. For an event loop use
    `streamwhisper.live.stream.LiveStream`.

    Args:
        recognizer: the model.
        chunks: mono audio at 16 kHz in pieces of any length, e.g. from a microphone.
        options: language, task, vocabulary and so on.

    Raises:
        RecognitionError: the recognizer failed.

    Example:
        ::

            for event in listen(recognizer, microphone()):
                if isinstance(event, Committed):
                    print(event.text, end="", flush=True)
    """
    session = Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), options)
    for chunk in chunks:
        session.receive_audio(as_samples(chunk).astype("<f4", copy=False).tobytes())
        yield from recognize_pending(session, recognizer)
    session.end()
    yield from recognize_pending(session, recognizer)
