"""Audio and events of the speech gate."""

from __future__ import annotations

import numpy as np

from streamwhisper.vad.gate import GateOptions, SpeechEnd, SpeechStart, VadGate

Event = SpeechStart | SpeechEnd
SECOND = 16000
SILENCE = np.zeros(SECOND, np.float32)


def events(sound: np.ndarray, options: GateOptions | None = None) -> list[Event]:
    gate = VadGate(options)
    return gate.append(sound) + gate.finish()


def with_silence(sound: np.ndarray) -> np.ndarray:
    return np.concatenate([SILENCE, sound, SILENCE])
