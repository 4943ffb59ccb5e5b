"""Packets without a container, made by real encoders, from real speech."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streamwhisper.audio.files import read_audio
from streamwhisper.audio.packets import AmrDecoder, OpusDecoder
from streamwhisper.errors import AudioFormatError
from tests.support.packets import packets
from tests.support.scripted import SAMPLE

SOUND = read_audio(SAMPLE)[:48000]


def alike(heard: NDArray[np.float32], sound: NDArray[np.float32]) -> float:
    """How well one sound follows the other, at the best delay below 50 ms: 1 is perfect."""
    found = 0.0
    for delay in range(0, 800, 4):
        one, other = heard[delay:], sound[: len(heard) - delay]
        length = min(len(one), len(other))
        found = max(found, float(np.corrcoef(one[:length], other[:length])[0, 1]))
    return found


def decoded(decoder: OpusDecoder | AmrDecoder, pieces: list[bytes]) -> NDArray[np.float32]:
    return np.concatenate([*map(decoder.decode, pieces), decoder.finish()])


def test_opus_goes_packet_by_packet() -> None:
    heard = decoded(OpusDecoder(), packets("libopus", 48000, SOUND))
    assert abs(len(heard) - len(SOUND)) < 1600
    assert alike(heard, SOUND) > 0.9


def test_opus_of_two_channels_stays_apart_if_it_is_to() -> None:
    both = np.stack([SOUND, np.zeros_like(SOUND)], axis=1)
    made = packets("libopus", 48000, both.reshape(-1), "stereo")
    heard = decoded(OpusDecoder(2), made).reshape(-1, 2)
    assert alike(heard[:, 0], SOUND) > 0.9
    assert np.abs(heard[:, 1]).mean() < np.abs(heard[:, 0]).mean() / 10


def test_opus_in_a_container_is_noticed_wherever_it_is_cut() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream: Any = container.add_stream("libopus", rate=48000)
        frame = av.AudioFrame.from_ndarray(SOUND.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    data = file.getvalue()
    heard = decoded(OpusDecoder(), [data[at : at + 777] for at in range(0, len(data), 777)])
    assert alike(heard, SOUND) > 0.9


def test_what_is_no_packet_of_opus_is_refused() -> None:
    with pytest.raises(AudioFormatError, match="no packet of Opus"):
        OpusDecoder().decode(b"\xff" * 40)


@pytest.mark.parametrize("headed", [True, False])
def test_amr_may_come_without_the_header_of_a_file_and_cut_anywhere(headed: bool) -> None:
    stream = b"".join([b"#!AMR\n"] * headed + packets("libopencore_amrnb", 8000, SOUND))
    pieces = [stream[at : at + 3] for at in range(0, len(stream), 3)]
    heard = decoded(AmrDecoder(wide=False), pieces)
    assert abs(len(heard) - len(SOUND)) < 1600
    assert alike(heard, SOUND) > 0.7


def test_amr_that_is_shorter_than_a_header_is_no_sound() -> None:
    assert len(decoded(AmrDecoder(wide=True), [b"#!", b""])) == 0
