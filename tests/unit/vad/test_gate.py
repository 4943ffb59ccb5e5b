from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.vad.gate import GateOptions, SpeechEnd, SpeechStart, VadGate

Event = SpeechStart | SpeechEnd
SECOND = 16000
SILENCE = np.zeros(SECOND, np.float32)


def events(sound: np.ndarray, options: GateOptions | None = None) -> list[Event]:
    gate = VadGate(options)
    return gate.append(sound) + gate.finish()


def segments(sound: np.ndarray, options: GateOptions | None = None) -> list[tuple[int, int]]:
    found = events(sound, options)
    return [(a.at, b.at) for a, b in pairwise(found) if isinstance(a, SpeechStart)]


def hold_together(found: list[Event], end: int) -> None:
    """Starts and ends take turns, in order, and are told only after they happened."""
    assert [type(event) for event in found] == [SpeechStart, SpeechEnd] * (len(found) // 2)
    times = [event.at for event in found]
    assert times == sorted(times)
    assert all(0 <= event.at <= event.decided <= end for event in found)
    decisions = [event.decided for event in found]
    assert decisions == sorted(decisions)


def with_silence(sound: np.ndarray) -> np.ndarray:
    return np.concatenate([SILENCE, sound, SILENCE])


@pytest.fixture(scope="module")
def talk(speech):
    """Speech, pauses of several lengths, and noise."""
    clips = [speech.load(clip)[: 3 * SECOND] for clip in speech.clips("ls-dev")[::150]]
    dishes = speech.load(speech.clips("noise")[0])[: 2 * SECOND]
    quiet = clips[1] * np.float32(0.01)
    pause = np.zeros(SECOND * 2, np.float32)
    return np.concatenate([pause, clips[0], pause, quiet, dishes, clips[2], SILENCE, clips[0]])


@settings(max_examples=15)
@given(st.lists(st.integers(0, 300_000), max_size=30))
def test_any_chunking_gives_the_same_events(talk, cuts):
    gate = VadGate()
    found = [event for piece in np.split(talk, sorted(cuts)) for event in gate.append(piece)]
    found += gate.finish()
    assert found == events(talk)
    hold_together(found, len(talk))
    assert len(found) >= 6


@settings(max_examples=15)
@given(
    st.integers(0, 300_000),
    st.integers(0, 300_000),
    st.floats(0.05, 0.9),
    st.floats(0, 1),
    st.floats(0, 0.5),
    st.floats(0.05, 2),
)
def test_events_hold_together_for_any_sound_and_options(
    talk, start, length, threshold, share, minimum, silence
):
    sound = talk[start : start + length]
    options = GateOptions(
        threshold=threshold,
        negative_threshold=threshold * max(share, 0.1),
        minimum_speech=minimum,
        silence=silence,
        post_roll=share * silence,
    )
    hold_together(events(sound, options), len(sound))


@pytest.mark.parametrize("decibels", [0, -30, -40])
def test_first_and_last_words_lie_inside_whatever_the_level(speech, decibels):
    clips = [clip for clip in speech.clips("ls-dev") if clip["words_quality"] == "checked"][::15]
    assert len(clips) > 10
    gain = np.float32(10 ** (decibels / 20))
    inside = []
    for clip in clips:
        found = segments(with_silence(speech.load(clip) * gain))
        for _, start, end in (clip["words"][0], clip["words"][-1]):
            inside.append(
                any(a <= (start + 1) * SECOND and (end + 1) * SECOND <= b for a, b in found)
            )
    assert np.mean(inside) > 0.96


def test_very_quiet_recordings_open_the_gate(speech):
    quiet = [clip for clip in speech.clips("fleurs-cuttledoc") if clip["rms_dbfs"] < -55]
    assert len(quiet) >= 5
    for clip in quiet:
        covered = sum(b - a for a, b in segments(with_silence(speech.load(clip))))
        assert covered > 0.5 * clip["duration_s"] * SECOND, clip["id"]


def test_a_single_short_word_opens_the_gate(speech):
    opened = []
    for clip in speech.clips("ls-dev")[::20]:
        sound = speech.load(clip)
        if clip["words_quality"] != "checked":
            continue
        for _, start, end in clip["words"]:
            if 0.25 <= end - start <= 0.4:
                word = sound[int(start * SECOND) : int(end * SECOND)].copy()
                word[:160] *= np.linspace(0, 1, 160, dtype=np.float32)
                word[-160:] *= np.linspace(1, 0, 160, dtype=np.float32)
                opened.append(bool(segments(with_silence(word))))
    assert len(opened) > 20
    assert np.mean(opened) > 0.95


def test_what_is_no_speech_leaves_the_gate_shut(speech):
    for clip in speech.clips("synthetic-nonspeech"):
        assert segments(with_silence(speech.load(clip)[: 10 * SECOND])) == [], clip["id"]
    for id in ("noise/doing_the_dishes", "noise/sb_noise2", "noise/transcribecpp_noise"):
        assert segments(speech.load(speech.clip(id))[: 20 * SECOND]) == [], id


def test_an_open_gate_ends_with_the_sound(speech):
    sound = speech.load(speech.clips("ls-dev")[0])[: 2 * SECOND + 100]
    gate = VadGate()
    (start,) = gate.append(sound)
    assert isinstance(start, SpeechStart)
    assert gate.speaking
    assert 0.9 * len(sound) < gate.last_speech <= len(sound)
    assert gate.probability > 0.5
    assert gate.finish() == [SpeechEnd(len(sound), len(sound))]
    assert not gate.speaking
    assert gate.last_speech <= len(sound)
    assert gate.finish() == []


@pytest.mark.parametrize("silence", [0.2, 0.6, 1.0])
def test_the_present_pause_can_be_given_a_silence_of_its_own(speech, silence):
    """It ends at the first block by then; the next pause has the silence of the options again."""
    talk = speech.load(speech.clips("ls-dev")[0])
    pause = np.zeros(int(1.5 * SECOND), np.float32)
    gate = VadGate()
    gate.append(talk)
    gate.hold(silence)
    for expected in (silence, 0.6):
        end = next(e for e in gate.append(pause) if isinstance(e, SpeechEnd))
        waited = end.decided - gate.last_speech
        assert expected * SECOND <= waited < expected * SECOND + 512
        assert gate.last_speech <= end.at <= end.decided
        gate.append(talk)


def test_a_silence_given_too_late_ends_the_pause_at_the_next_block(speech):
    gate = VadGate()
    gate.append(speech.load(speech.clips("ls-dev")[0]))
    gate.append(np.zeros(int(0.35 * SECOND), np.float32))
    assert gate.speaking
    gate.hold(0.1)
    (end,) = gate.append(np.zeros(512, np.float32))
    assert isinstance(end, SpeechEnd)
    assert end.decided - gate.last_speech > 0.3 * SECOND
    assert gate.last_speech <= end.at <= end.decided


def test_speech_takes_back_the_silence_of_the_present_pause(speech):
    talk = speech.load(speech.clips("ls-dev")[0])
    gate = VadGate()
    gate.append(np.concatenate([talk, np.zeros(SECOND // 4, np.float32)]))
    gate.hold(5.0)
    gate.append(talk)
    (end,) = gate.append(SILENCE)
    assert isinstance(end, SpeechEnd)


def test_speech_that_has_only_begun_when_the_sound_ends_is_not_lost(speech):
    clip = next(c for c in speech.clips("ls-dev") if c["words_quality"] == "checked")
    sound = with_silence(speech.load(clip))
    (start,) = (e for e in events(sound)[:1])
    cut = sound[: start.decided - 512]  # a block before the gate would have opened
    gate = VadGate()
    assert gate.append(cut) == []
    assert gate.finish() == [SpeechStart(start.at, len(cut)), SpeechEnd(len(cut), len(cut))]


def test_silence_lets_the_network_sleep():
    gate = VadGate()
    assert gate.append(np.zeros(60 * SECOND, np.float32)) == []
    assert gate.probability == 0
    assert gate.last_speech == 0
    assert not gate.speaking
    assert gate.finish() == []


def test_no_sound_is_no_event():
    gate = VadGate()
    assert gate.append(np.zeros(0, np.float32)) == []
    assert gate.finish() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 0.0),
        ("threshold", 1.0),
        ("negative_threshold", 0.6),
        ("negative_threshold", 0.0),
        ("minimum_speech", -0.1),
        ("silence", 0.0),
        ("pre_roll", 0.2),
        ("post_roll", 0.7),
        ("aggressiveness", 4),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; expected"):
        GateOptions(**{name: value})
