from __future__ import annotations

import numpy as np
import pytest

from streamwhisper.errors import CheckpointError
from streamwhisper.vad import models
from streamwhisper.vad.models import Leveller, SileroState, SileroVad, WebRtcVad
from tests.support.blocks import blocks


def test_silero_goes_on_from_a_state_that_was_kept():
    sound = blocks(np.random.default_rng(0).standard_normal(20 * 512).astype(np.float32), 512)
    silero = SileroVad()
    first = [silero(block) for block in sound[:10]]
    kept = silero.state
    rest = [silero(block) for block in sound[10:]]
    other = SileroVad()
    other.state = kept
    assert [other(block) for block in sound[10:]] == rest
    silero.reset()
    np.testing.assert_array_equal(silero.state.hidden, SileroState().hidden)
    assert [silero(block) for block in sound[:10]] == first


def test_weights_that_are_missing_or_damaged_are_named(monkeypatch, tmp_path):
    models._weights.cache_clear()
    monkeypatch.setattr(models, "_FILE", "no_such.onnx")
    with pytest.raises(CheckpointError, match=r"no_such\.onnx .*install silero-vad"):
        SileroVad()
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"\x3a\x7f")
    monkeypatch.setattr(models, "_weights_path", lambda: damaged)
    with pytest.raises(CheckpointError, match=r"damaged\.onnx is not the 16 kHz network"):
        SileroVad()


@pytest.mark.parametrize("aggressiveness", [-1, 4, 1.5, None])
def test_an_aggressiveness_that_does_not_exist_is_refused(aggressiveness):
    with pytest.raises(ValueError, match="expected 0 to 3"):
        WebRtcVad(aggressiveness)


def test_the_leveller_lifts_quiet_sound_to_the_target_and_never_beyond():
    leveller = Leveller(target=0.1, max_gain=30)
    for level in (0.0, 0.001, 0.005, 0.05, 0.5):
        block = np.full(512, level, np.float32)
        assert leveller.gain(block) * level == pytest.approx(
            min(max(level, 0.1), level * 30), rel=0.01
        )
    assert leveller.gain(np.zeros(512, np.float32)) == 1  # a pause changes little
    for _ in range(32 * 31):
        gain = leveller.gain(np.zeros(512, np.float32))
    assert gain == 30
    assert leveller.gain(np.zeros(0, np.float32)) == 1
