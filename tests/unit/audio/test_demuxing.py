"""A container's audio is read at its place in time, by files and by streams alike."""

from __future__ import annotations

import io

import numpy as np
import pytest

from streamwhisper.audio.container import ContainerDecoder
from streamwhisper.audio.demuxing import decode_container
from streamwhisper.audio.files import decode_bytes, read_audio
from streamwhisper.audio.opening import Selection, allowed_formats
from streamwhisper.audio.timeline import ReadReport
from streamwhisper.errors import AudioFormatError
from tests.support.paths import SAMPLE
from tests.support.recordings import damaged, nist_sphere, place_of, recording, trimmed

SPEECH = read_audio(SAMPLE)[12000:76000]
LONG = read_audio(SAMPLE)[: 12 * 16000]
ENDING = LONG[-32000:]
ENDS_AT = (len(LONG) - 32000) / 16000


def whole(data: bytes, **selection: int) -> tuple[np.ndarray, ReadReport]:
    report = ReadReport()
    return decode_bytes(data, selection=Selection(**selection), report=report), report


def live(data: bytes) -> np.ndarray:
    decoder = ContainerDecoder()
    pieces = [decoder.decode(data[at : at + 3000]) for at in range(0, len(data), 3000)]
    return np.concatenate([*pieces, decoder.finish()])


@pytest.mark.parametrize("kind", ["mkv", "mp4", "ts"])
def test_late_audio_begins_when_the_picture_has_run_so_long(kind):
    options = {"movflags": "frag_keyframe+empty_moov"} if kind == "mp4" else {}
    data = recording(kind, SPEECH, starts=[3.0], picture=9.0, **options)
    for found in (whole(data)[0], live(data)):
        assert place_of(SPEECH, found) == pytest.approx(3.0, abs=0.05)
        assert np.abs(found[: 2 * 16000]).max() < 0.01


@pytest.mark.parametrize("kind", ["mp3", "mka", "webm", "ogg", "flac", "m4a", "ac3", "ts"])
def test_damage_in_the_middle_moves_nothing_after_it_and_is_reported(kind):
    found, report = whole(damaged(recording(kind, LONG), 0.4, 0.45))
    assert place_of(ENDING, found) == pytest.approx(ENDS_AT, abs=0.06)
    (start, end) = report.damage[0]
    assert 2 < start < end < 11
    assert "in the middle could not be read" in report.describe_damage()


def test_damaged_raw_frames_are_reported_even_where_their_length_is_unknown():
    _, report = whole(damaged(recording("aac", LONG), 0.4, 0.45))
    assert sum(end - start for start, end in report.damage) == pytest.approx(0.6, abs=0.3)


@pytest.mark.parametrize("kind", ["mp3", "mka", "webm", "ogg", "flac", "m4a", "aac", "ts", "wav"])
def test_a_whole_recording_has_no_holes_and_no_damage(kind):
    found, report = whole(recording(kind, LONG))
    assert place_of(ENDING, found) == pytest.approx(ENDS_AT, abs=0.06)
    assert report.damage == []
    assert report.end == pytest.approx(len(found) / 16000, abs=1e-3)


def test_silence_that_a_recorder_left_out_is_no_damage():
    data = recording("mkv", SPEECH, SPEECH, starts=[0.0, 6.0], picture=12.0)
    found, report = whole(data, track=2)
    assert place_of(SPEECH, found) == pytest.approx(6.0, abs=0.05)
    assert report.damage == []


def test_two_mp3_files_in_a_row_with_tags_are_read_in_a_row():
    part = recording("mp3", SPEECH)
    tag = b"ID3\4\0\0\0\1\0\0" + bytes(128 * 128)
    found, report = whole(part + tag + part)
    assert place_of(SPEECH, found[4 * 16000 :]) < 0.2
    assert report.damage == []


@pytest.mark.parametrize("kind", ["ogg", "webm", "ts", "flac", "aac"])
@pytest.mark.parametrize("first", [8000, 64000])
def test_recordings_in_a_row_are_read_in_a_row(kind, first):
    found, report = whole(recording(kind, LONG[-first:]) + recording(kind, SPEECH))
    assert place_of(SPEECH[16000:], found) == pytest.approx(first / 16000 + 1, abs=0.12)
    assert report.damage == []


@pytest.mark.parametrize("kept", [0.03, 1.0])
def test_an_edit_list_leaves_out_what_comes_before_it(kept):
    found, report = whole(trimmed(recording("m4a", SPEECH), 1.5, kept))
    assert place_of(SPEECH[32000:], found) == pytest.approx(0.5, abs=0.01)
    assert report.end == pytest.approx(2.5, abs=0.03)


def test_silence_in_holes_counts_as_audio_that_the_bytes_claim():
    far = recording("mkv", SPEECH[:1600], SPEECH[:1600], starts=[0.0, 1700.0])
    with pytest.raises(AudioFormatError, match="claim more than"):
        whole(far, track=2)


def test_the_default_track_is_read_and_another_can_be_chosen():
    silent = np.zeros_like(SPEECH)
    data = recording("mkv", silent, SPEECH, default=1)
    found, report = whole(data)
    assert (report.tracks, report.track) == (2, 2)
    assert place_of(SPEECH, found) == pytest.approx(0, abs=0.05)
    assert place_of(SPEECH, live(data)) == pytest.approx(0, abs=0.05)
    assert np.abs(whole(data, track=1)[0]).max() < 0.01
    with pytest.raises(AudioFormatError, match="audio_track is 3, but the file has 2 audio tracks"):
        whole(data, track=3)
    with pytest.raises(AudioFormatError, match="channel is 2, but the audio has 1 channel"):
        whole(data, channel=2)


@pytest.mark.parametrize("kind", ["aac", "mp3", "flac", "mka", "ogg", "wav", "ts"])
def test_a_recording_that_is_cut_off_is_read_up_to_there(kind):
    data = recording(kind, SPEECH)
    for share in (0.5, 0.6, 0.7):
        found = decode_bytes(data[: round(len(data) * share)])
        assert 1 < len(found) / 16000 < 3.3


def test_a_recording_without_samples_is_empty():
    header = recording("wav", SPEECH)
    empty = header[: header.index(b"data") + 4] + bytes(4)
    assert len(whole(empty)[0]) == 0
    with pytest.raises(AudioFormatError, match=r"no audio could be decoded|cannot be read"):
        whole(recording("mp3", SPEECH)[:50])


RARE = ["nut", "sf", "voc", "au", "caf", "w64", "aiff", "avi", "flv", "tta", "wv"]


@pytest.mark.parametrize("kind", RARE)
def test_rare_formats_are_read(kind):
    found, report = whole(recording(kind, SPEECH))
    assert place_of(SPEECH, found) < 0.1
    assert report.damage == []


def test_nist_sphere_is_read():
    assert place_of(SPEECH, whole(nist_sphere(SPEECH))[0]) == 0


@pytest.mark.parametrize("name", ["gsm", "mxf", "tak", "dss", "xwma", "sln", "qcp", "mtaf"])
def test_formats_of_ffmpeg_are_allowed(name):
    assert name in allowed_formats().split(",")


@pytest.mark.parametrize(
    "name", ["hls", "concat", "dash", "sdp", "rtsp", "lavfi", "image2", "png_pipe", "alsa", "srt"]
)
def test_formats_that_open_other_things_are_not(name):
    assert name not in allowed_formats().split(",")


def test_an_mp4_without_its_index_is_called_incomplete():
    data = recording("m4a", SPEECH)
    with pytest.raises(AudioFormatError, match=r"the index \(moov\) of this MP4 file is missing"):
        list(decode_container(io.BytesIO(data[: len(data) // 2]), 16000))


def test_nothing_of_ffmpegs_wording_is_left(tmp_path):
    path = tmp_path / "noise"
    path.write_bytes(np.random.default_rng(0).bytes(9000))
    with pytest.raises(AudioFormatError, match=r"encoding, e\.g\. --encoding pcm_s16le") as raised:
        read_audio(path)
    assert "Invalid" not in str(raised.value)
