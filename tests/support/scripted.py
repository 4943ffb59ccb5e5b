"""The sample of the examples with numbered words: a word that is lost or repeated shows."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from streamwhisper import testing
from streamwhisper.audio.constants import SAMPLE_RATE as RATE
from streamwhisper.audio.files import read_audio
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import SessionOptions
from streamwhisper.testing import ScriptedRecognizer
from tests.support.paths import SAMPLE

__all__ = ["INFO", "OPTIONS", "RATE", "SAMPLE", "Script", "ScriptedRecognizer", "script"]

OPTIONS = SessionOptions(endpoint=EndpointOptions("fixed"))
INFO = ScriptedRecognizer.info


class Script(testing.Script):
    """Audio, and the moments in seconds at which its words begin."""

    @property
    def sound(self) -> NDArray[np.float32]:
        return self.samples


@cache
def script(seconds: float = 60.0) -> Script:
    """The sample of the examples, and words wherever it is surely recognized as speech."""
    written = testing.write_script(read_audio(SAMPLE)[: round(seconds * RATE)], gate=OPTIONS.gate)
    return Script(written.samples, written.starts)
