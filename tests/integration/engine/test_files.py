""""""

from __future__ import annotations

import numpy as np
import pytest


@pytest.mark.parametrize("set_name", ["ls-dev", "fleurs-cuttledoc", "sonnets", "ljspeech", "rir"])
def test_flac_opus_mp3_and_wav_have_their_full_length(speech, set_name):
    clip = speech.clips(set_name)[0]
    sound = speech.load(clip)
    assert sound.dtype == np.float32
    assert sound.ndim == 1
    assert abs(len(sound) / 16000 - clip["duration_s"]) < 0.06
