"""A Deepgram stream in each of its encodings, made by real encoders from real speech."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwhisper.errors import AudioFormatError
from streamwhisper.server.dialects.deepgram.audio import ENCODINGS, StreamAudio, StreamAudioOptions
from tests.support.encoded_audio import MADE, contained, cut

NO_ENCODER = {"speex", "amr-wb"}


def heard(sound: StreamAudio, data: bytes) -> list[NDArray[np.float32]]:
    """Decode a container; return the samples of each channel."""
    container = sound.container
    assert container is not None
    try:
        pieces = [*map(container.decode, cut(data, 1001)), container.finish()]
    finally:
        container.close()
    parts = [sound.split(piece.tobytes()) for piece in pieces]
    return [np.frombuffer(b"".join(part), "<f4") for part in zip(*parts, strict=True)]


def test_every_encoding_is_tried_that_there_is_an_encoder_for() -> None:
    assert {*MADE, *NO_ENCODER} == {*ENCODINGS, ""}


def test_channels_of_a_container_are_heard_apart_as_many_as_are_announced() -> None:
    sine = np.sin(np.arange(16000) / 20, dtype=np.float32) / 2
    both = np.stack([sine, np.zeros_like(sine)], axis=1).reshape(-1)
    data = contained("wav", "pcm_s16le", 16000, both, "stereo")
    left, right = heard(StreamAudio(StreamAudioOptions(channels=2, multichannel=True)), data)
    assert np.allclose(left, sine, atol=1e-3)
    assert len(right) == 16000
    assert not right.any()
    with pytest.raises(AudioFormatError, match="has 2 channels, but channels is 3"):
        heard(StreamAudio(StreamAudioOptions(channels=3, multichannel=True)), data)
