""""""

from __future__ import annotations

import numpy as np
import pytest

from streamwhisper.vad.models import SileroVad, WebRtcVad
from tests.support.blocks import blocks


@pytest.mark.parametrize("set_name", ["ls-dev", "fleurs-cuttledoc", "noise"])
def test_silero_equals_its_torch_model_over_whole_clips(speech, set_name):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    reference = pytest.importorskip("silero_vad").load_silero_vad()
    for clip in speech.clips(set_name)[::40][:3]:
        sound = blocks(speech.load(clip)[: 16000 * 20], SileroVad.block)
        reference.reset_states()
        with torch.no_grad():
            expected = [reference(torch.from_numpy(block), 16000).item() for block in sound]
        silero = SileroVad()
        np.testing.assert_allclose([silero(block) for block in sound], expected, atol=1e-4)


def test_webrtc_hears_loud_and_quiet_speech_and_no_silence(speech):
    sound = speech.load(speech.clips("ls-dev")[0])
    for gain in (1, 0.03):
        vad = WebRtcVad()
        assert np.mean([vad(frame) for frame in blocks(sound * np.float32(gain), 480)]) > 0.6
    vad = WebRtcVad()
    assert not any(vad(np.zeros(480, np.float32)) for _ in range(50))
    hiss = np.random.default_rng(0).standard_normal(48000).astype(np.float32) * 5e-4
    assert np.mean([vad(frame) for frame in blocks(hiss, 480)]) < 0.1


def test_webrtc_starts_afresh_after_a_reset(speech):
    frames = blocks(speech.load(speech.clips("noise")[0])[:48000], 480)
    vad = WebRtcVad()
    first = [vad(frame) for frame in frames]
    vad.reset()
    assert [vad(frame) for frame in frames] == first
