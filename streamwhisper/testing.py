"""Test doubles for programs that embed streamwhisper: no weights, no GPU, the same text each time.

::

    from streamwhisper import listen, read_audio
    from streamwhisper.testing import ScriptedRecognizer, text_of, write_script

    def test_my_program():
        script = write_script(read_audio("speech.wav"), ["hello", "world"])
        events = listen(ScriptedRecognizer(script), [script.samples])
        assert text_of(events) == "hello world"

The audio must contain real speech, because voice activity detection is not replaced. Each word has
one fixed time in the audio, so a word that is lost or repeated shows in the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.constants import FRAMES_PER_SECOND, HOP, SAMPLE_RATE
from streamwhisper.audio.mel import LogMel
from streamwhisper.errors import RecognitionError
from streamwhisper.events import Committed, Event
from streamwhisper.recognition import (
    Hypothesis,
    HypothesisWord,
    ModelInfo,
    RecognitionRequest,
    Recognizer,
)
from streamwhisper.vad.gate import GateOptions, VadGate

__all__ = ["FailingRecognizer", "Script", "ScriptedRecognizer", "text_of", "write_script"]

_INFO = ModelInfo("scripted", 80, multilingual=False)
_STEP = 0.3  # seconds from word to word
_WORD = 0.2  # seconds
# Seconds without a word at both ends of speech: post-roll, and the error of the detector.
_MARGIN = 0.7
_TOLERANCE = 0.011  # seconds: one frame, and rounding
_EDGE_FRAMES = 2  # at the end of a window, which later audio still changes


@dataclass(frozen=True, eq=False)
class Script:
    """Audio and the words that are recognized in it.

    Attributes:
        samples: float32 mono ``[n]`` at 16 kHz.
        starts: start of each word, in seconds.
        words: the words; the default is ``w0``, ``w1``, ...
    """

    samples: NDArray[np.float32]
    starts: tuple[float, ...]
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError if the words do not match their starts."""
        if not self.words:
            object.__setattr__(self, "words", tuple(f"w{n}" for n in range(len(self.starts))))
        if len(self.words) != len(self.starts):
            raise ValueError(
                f"{len(self.words)} words with {len(self.starts)} starts; expected equal numbers"
            )

    @property
    def text(self) -> str:
        """The words with spaces between them."""
        return " ".join(self.words)

    @property
    def pcm(self) -> bytes:
        """The samples as 16-bit little-endian PCM, for clients of a server."""
        return (self.samples * 32767).astype("<i2").tobytes()


def write_script(
    samples: NDArray[np.float32],
    words: Sequence[str] | None = None,
    gate: GateOptions | None = None,
) -> Script:
    """Place words where the audio contains speech, one every 0.3 s.

    Args:
        samples: float32 mono ``[n]`` at 16 kHz, e.g. from `streamwhisper.read_audio`.
        words: without spaces; None for numbered words that fill the speech.
        gate: options of the voice activity detection.

    Raises:
        ValueError: the speech is too short for the words.
    """
    detector = VadGate(gate or GateOptions())
    changes = [*detector.append(samples), *detector.finish()]
    bounds = [change.at / SAMPLE_RATE for change in changes]
    starts = [
        float(start)
        for begin, end in zip(bounds[::2], bounds[1::2], strict=True)
        for start in np.arange(np.ceil((begin + _MARGIN) / _STEP) * _STEP, end - _MARGIN, _STEP)
    ]
    if words is None:
        return Script(samples, tuple(starts))
    if len(words) > len(starts):
        raise ValueError(
            f"there are {len(words)} words, but the speech has room for {len(starts)}; expected "
            "fewer words or longer speech"
        )
    return Script(samples, tuple(starts[: len(words)]), tuple(words))


class ScriptedRecognizer:
    """A recognizer that finds each window in a script's audio and returns the words there."""

    info = _INFO

    def __init__(self, script: Script) -> None:
        """Recognize the words of `script`."""
        mel = LogMel(_INFO.n_mels, len(script.samples) // HOP + 2)
        mel.append(script.samples)
        self._loudest = mel.window(0, len(script.samples)).argmax(axis=0)
        self._script = script

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Answer each request, in order."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: RecognitionRequest) -> Hypothesis:
        seconds = request.mel.shape[1] / FRAMES_PER_SECOND
        begin = self._find(request.mel.argmax(axis=0)) / FRAMES_PER_SECOND
        known = max((*request.context.prompt, *request.prefix), default=-1)
        words = tuple(
            HypothesisWord(f" {word}", (number,), start - begin, start - begin + _WORD, -0.01)
            for number, (word, start) in enumerate(
                zip(self._script.words, self._script.starts, strict=True)
            )
            if number > known and request.prefix_end - _TOLERANCE <= start - begin < seconds - _WORD
        )
        return Hypothesis(words, "en", "end_of_text", 0.0, -0.01)

    def _find(self, loudest: NDArray[np.intp]) -> int:
        """Return the frame of the script's audio at which a window begins."""
        inner = loudest[:-_EDGE_FRAMES] if len(loudest) > 3 * _EDGE_FRAMES else loudest
        last = len(self._loudest) - len(inner)
        windows = np.lib.stride_tricks.sliding_window_view(self._loudest, len(inner))
        return int((windows[: last + 1] == inner).sum(axis=1).argmax())


class FailingRecognizer:
    """A recognizer that fails for some calls, then answers like another one."""

    def __init__(self, recognizer: Recognizer, failures: int = 1) -> None:
        """Raise RecognitionError in the first `failures` calls."""
        self.info = recognizer.info
        self.failures = failures
        self._recognizer = recognizer

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Answer each request, in order.

        Raises:
            RecognitionError: failures are left.
        """
        if self.failures > 0:
            self.failures -= 1
            raise RecognitionError("the recognizer fails on purpose")
        return self._recognizer.recognize(requests)


def text_of(events: Iterable[Event]) -> str:
    """Return the committed text of events, without surrounding space."""
    return "".join(event.text for event in events if isinstance(event, Committed)).strip()
