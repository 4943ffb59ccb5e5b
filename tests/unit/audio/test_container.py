from __future__ import annotations

import gc
import io
import threading
import weakref
from functools import cache
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.robustness.bombs import flac_bomb
from streamwhisper.audio import feed
from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.errors import AudioFormatError
from tests.support.examples import examples

SECONDS = 2
KINDS = {
    "webm": ("webm", "libopus", 48000, {"live": "1", "cluster_time_limit": "100"}),
    "ogg": ("ogg", "libopus", 48000, {}),
    "mp3": ("mp3", "libmp3lame", 44100, {}),
    "flac": ("flac", "flac", 16000, {}),
    "wav": ("wav", "pcm_s16le", 22050, {}),
    "adts": ("adts", "aac", 44100, {}),
    "mp4": ("mp4", "aac", 44100, {"movflags": "frag_keyframe+empty_moov"}),
}


def tune() -> np.ndarray:
    """A rising tone, so that a shift in time shows."""
    time = np.arange(SECONDS * 16000) / 16000
    return (0.3 * np.sin(2 * np.pi * (200 + 300 * time) * time)).astype(np.float32)


@cache
def encoded(kind: str) -> bytes:
    name, codec, rate, options = KINDS[kind]
    file = io.BytesIO()
    with av.open(file, "w", format=name, options=options) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=rate)
        frame = av.AudioFrame.from_ndarray(tune()[None], format="flt", layout="mono")
        frame.sample_rate = 16000
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def decoded(data: bytes, cuts: list[int]) -> np.ndarray:
    decoder = ContainerDecoder()
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    pieces = [decoder.decode(data[a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*pieces, decoder.finish()])


def workers() -> int:
    return sum(thread.name == "container-decoder" for thread in threading.enumerate())


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_gives_the_sound_it_holds(kind):
    sound = decoded(encoded(kind), [])
    assert abs(len(sound) - SECONDS * 16000) < 3000  # encoders pad, before and after
    shifts = range(0, 1200, 4)
    tail = tune()[8000:24000]
    best = max(np.corrcoef(sound[8000 + s : 24000 + s], tail)[0, 1] for s in shifts)
    assert best > 0.98


@settings(max_examples=examples(40))
@given(st.sampled_from(sorted(KINDS)), st.lists(st.integers(0, 30000), max_size=30))
def test_any_cut_decodes_as_the_whole(kind, cuts):
    np.testing.assert_array_equal(decoded(encoded(kind), cuts), decoded(encoded(kind), []))


def test_sound_of_a_live_recording_comes_while_it_is_sent():
    data = encoded("webm")
    decoder = ContainerDecoder()
    heard = [len(decoder.decode(data[i : i + 100])) for i in range(0, len(data), 100)]
    assert sum(heard[: len(heard) // 2]) > 0.3 * SECONDS * 16000
    assert sum(heard) > 0.9 * SECONDS * 16000
    decoder.close()


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"\0" * 100_000,
        np.random.default_rng(0).bytes(50_000),
        b'{"type": "start"}' * 400,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/hosts\n#EXT-X-ENDLIST\n" * 99,
        b"ffconcat version 1.0\nfile /etc/hosts\n" * 200,
        encoded("mp3")[:50],
    ],
    ids=["byte", "zeros", "noise", "json", "playlist", "script", "header"],
)
def test_what_holds_no_sound_is_an_error(data):
    with pytest.raises(
        AudioFormatError, match=r"expected WebM, Ogg, MP3|no audio could be decoded"
    ):
        decoded(data, [1000, 3000])
    assert not workers()


@settings(max_examples=examples(40))
@example(kind="mp4", at=296, byte=128)  # in the spelling of a tag
@given(kind=st.sampled_from(sorted(KINDS)), at=st.integers(0, 20000), byte=st.integers(0, 255))
def test_damaged_data_is_decoded_or_refused_and_never_hangs(kind, at, byte):
    data = bytearray(encoded(kind))
    at %= len(data)
    data[at : at + 40] = bytes([byte]) * 40
    decoder = ContainerDecoder()
    try:
        for start in range(0, len(data), 5000):
            assert np.isfinite(decoder.decode(data[start : start + 5000])).all()
        decoder.finish()
    except AudioFormatError:
        decoder.close()
    assert not workers()


def test_sound_before_the_damage_is_not_lost():
    decoder = ContainerDecoder()
    heard = len(decoder.decode(encoded("webm")[: len(encoded("webm")) // 2]))
    assert heard > 0
    assert len(decoder.finish()) >= 0


def test_no_bytes_are_no_sound_and_no_error():
    decoder = ContainerDecoder()
    assert len(decoder.decode(b"")) == 0
    assert len(decoder.finish()) == 0
    decoder.close()


def test_a_closed_or_forgotten_decoder_leaves_no_thread():
    closed = ContainerDecoder()
    closed.decode(encoded("ogg")[:3000])
    assert workers() == 1
    closed.close()
    assert not workers()
    forgotten = ContainerDecoder()
    forgotten.decode(encoded("ogg")[:3000])
    thread = next(t for t in threading.enumerate() if t.name == "container-decoder")
    del forgotten
    gc.collect()
    thread.join(timeout=60)
    assert not thread.is_alive()


def test_audio_comes_in_steps_however_much_a_few_bytes_claim():
    decoder = ContainerDecoder()
    decoder.give(flac_bomb(40))  # of 4 s each
    decoder.end()
    sizes, claimed = [], 40 * 65_535
    while decoder.more:
        decoder.wait()
        sizes.append(len(decoder.take()))
    assert max(sizes) == 16_000
    assert sum(sizes) == claimed
    decoder.close()


def test_a_decoder_whose_audio_is_not_taken_decodes_no_further():
    decoder = ContainerDecoder()
    given = threading.Event()
    decoder.on_ready(given.set)
    decoder.give(flac_bomb(400))
    assert given.wait(10)
    assert decoder.ready
    assert 16_000 <= len(decoder._feed._samples) <= 16_000 + 65_535
    decoder.close()
    assert not decoder.more


def test_bytes_without_audio_are_refused_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(feed, "_READ_AHEAD", 100_000)
    picture = b"ID3\x04\0\0" + bytes([0, 127, 127, 127]) + bytes(300_000)  # a tag of 2 MB
    with pytest.raises(AudioFormatError, match="came without audio; expected audio within 100000"):
        decoded(picture + encoded("mp3"), [])
    assert not workers()


def test_nothing_stays_of_a_decoder_whose_data_cannot_be_read():
    decoder = ContainerDecoder()
    try:
        decoder.decode(b"no container " * 1000)
        decoder.finish()
    except AudioFormatError:
        decoder.close()
    gone = weakref.ref(decoder)
    del decoder
    gc.collect()
    assert gone() is None
