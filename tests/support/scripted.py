"""A recognizer that knows beforehand what will be said: real sound, numbered words.

Whatever window it is asked about, it finds its place in the sound, and says the words whose times
lie in it. So every word has one right place, and a word that is lost or said twice shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.files import read_audio
from streamwhisper.audio.mel import LogMel
from streamwhisper.recognition import Hypothesis, HypothesisWord, ModelInfo, RecognitionRequest
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import SessionOptions
from streamwhisper.vad.gate import SpeechEnd, VadGate
from tests.support.paths import SAMPLE

RATE = 16000
STEP = 0.3  # seconds from word to word
MARGIN = 0.7  # seconds without a word at both ends of speech: post-roll and what a detector errs by
OPTIONS = SessionOptions(endpoint=EndpointOptions("fixed"))
INFO = ModelInfo("scripted", 80, multilingual=False)


@dataclass(frozen=True)
class Script:
    """Sound, and the moments in seconds at which its words begin."""

    sound: NDArray[np.float32]
    starts: tuple[float, ...]

    @property
    def pcm(self) -> bytes:
        return (self.sound * 32767).astype("<i2").tobytes()

    @property
    def text(self) -> str:
        return " ".join(f"w{number}" for number in range(len(self.starts)))


@cache
def script(seconds: float = 60.0) -> Script:
    """The sample of the examples, and words wherever it is surely heard as speech."""
    sound = read_audio(SAMPLE)[: round(seconds * RATE)]
    gate = VadGate(OPTIONS.gate)
    changes = [*gate.append(sound), *gate.finish()]
    bounds = [change.at / RATE for change in changes]
    assert [isinstance(change, SpeechEnd) for change in changes] == [False, True] * (
        len(changes) // 2
    )
    starts = [
        float(start)
        for begin, end in zip(bounds[::2], bounds[1::2], strict=True)
        for start in np.arange(np.ceil((begin + MARGIN) / STEP) * STEP, end - MARGIN, STEP)
    ]
    return Script(sound, tuple(starts))


class ScriptedRecognizer:
    """Hears the script."""

    info = INFO

    def __init__(self, script: Script) -> None:
        mel = LogMel(INFO.n_mels, len(script.sound) // 160 + 2)
        mel.append(script.sound)
        self._pitches = mel.window(0, len(script.sound)).argmax(axis=0)
        self._starts = script.starts

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [self._hear(request) for request in requests]

    def _hear(self, request: RecognitionRequest) -> Hypothesis:
        frames = request.mel.shape[1]
        begin = self._place(request.mel.argmax(axis=0)) / 100
        known = max((*request.prompt, *request.prefix), default=-1)
        words = tuple(
            HypothesisWord(f" w{number}", (number,), start - begin, start - begin + 0.2, -0.01)
            for number, start in enumerate(self._starts)
            if number > known and request.prefix_end - 0.011 <= start - begin < frames / 100 - 0.2
        )
        return Hypothesis(words, "en", "end_of_text", 0.0, -0.01)

    def _place(self, pitches: NDArray[np.intp]) -> int:
        """The frame of the sound at which these begin."""
        inner = pitches[: len(pitches) - 2] if len(pitches) > 6 else pitches
        last = len(self._pitches) - len(inner)
        windows = np.lib.stride_tricks.sliding_window_view(self._pitches, len(inner))
        return int((windows[: last + 1] == inner).sum(axis=1).argmax())
