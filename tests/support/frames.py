"""Log-mel frames computed in pieces and with padding."""

from __future__ import annotations

import numpy as np

from streamwhisper.audio.mel import SILENCE, LogMel


def streamed(sound: np.ndarray, cuts: list[int], n_mels: int = 80, capacity: int = 6000) -> LogMel:
    mel = LogMel(n_mels, capacity)
    for index, piece in enumerate(np.split(sound, sorted(cuts))):
        mel.append(piece)
        if index % 2:
            mel.window(mel.end_frame)
            mel.frames(mel.start_frame, mel.end_frame)
    return mel


def padded(raw: np.ndarray, frames: int) -> np.ndarray:
    rest = np.full((len(raw), frames - raw.shape[1]), SILENCE, np.float32)
    return np.concatenate([raw, rest], axis=1)
