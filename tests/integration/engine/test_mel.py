""""""

from __future__ import annotations

import numpy as np
import pytest

from streamwhisper.audio.mel import log_mel, scale
from tests.support.frames import padded, streamed

SETS = ("ls-dev", "fleurs-cuttledoc", "mfa-natural")


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("set_name", SETS)
def test_whole_and_streamed_frames_equal_the_reference_on_speech(speech, n_mels, set_name):
    whisper_audio = pytest.importorskip("whisper.audio")
    for index, clip in enumerate(speech.clips(set_name)[::25][:4]):
        sound = speech.load(clip)
        whole = whisper_audio.log_mel_spectrogram(sound, n_mels).numpy()
        np.testing.assert_allclose(log_mel(sound, n_mels), whole, atol=1e-4)
        in_window = whisper_audio.log_mel_spectrogram(sound, n_mels, padding=480_000).numpy()
        cuts = list(np.random.default_rng(index).integers(0, len(sound), 40))
        raw = streamed(sound, cuts, n_mels).window(0)
        np.testing.assert_allclose(scale(padded(raw, in_window.shape[1])), in_window, atol=1e-4)
