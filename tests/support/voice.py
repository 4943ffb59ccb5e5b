"""The synthetic voice of ``examples/sample.flac``, sentence by sentence."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamwhisper.audio.files import read_audio
from tests.support.paths import SAMPLE

RATE = 16000
# Seconds of the sample between which each of its sentences lies.
BOUNDS = ((0.4, 2.3), (3.0, 7.0), (7.7, 11.6), (12.3, 15.8), (16.5, 22.3))


@cache
def _sample() -> NDArray[np.float32]:
    return read_audio(SAMPLE)


def sentence(number: int) -> NDArray[np.float32]:
    """One sentence, from its first sound to its last."""
    begin, end = BOUNDS[number]
    return _sample()[round(begin * RATE) : round(end * RATE)]
