from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.vad.gate import GateOptions, SpeechEnd, SpeechStart, VadGate
from tests.support.examples import examples
from tests.support.gating import SECOND, SILENCE, Event, events, with_silence
from tests.support.voice import sentence


def hold_together(found: list[Event], end: int) -> None:
    """Starts and ends take turns, in order, and are told only after they happened."""
    assert [type(event) for event in found] == [SpeechStart, SpeechEnd] * (len(found) // 2)
    times = [event.at for event in found]
    assert times == sorted(times)
    assert all(0 <= event.at <= event.decided <= end for event in found)
    decisions = [event.decided for event in found]
    assert decisions == sorted(decisions)


@pytest.fixture(scope="module")
def talk():
    """Speech, pauses of several lengths, and noise."""
    clips = [sentence(number)[: 3 * SECOND] for number in (1, 2, 3)]
    noise = np.random.default_rng(0).standard_normal(2 * SECOND).astype(np.float32) * 0.02
    quiet = clips[1] * np.float32(0.01)
    pause = np.zeros(SECOND * 2, np.float32)
    return np.concatenate([pause, clips[0], pause, quiet, noise, clips[2], SILENCE, clips[0]])


@settings(max_examples=examples(15))
@given(st.lists(st.integers(0, 300_000), max_size=30))
def test_any_chunking_gives_the_same_events(talk, cuts):
    gate = VadGate()
    found = [event for piece in np.split(talk, sorted(cuts)) for event in gate.append(piece)]
    found += gate.finish()
    assert found == events(talk)
    hold_together(found, len(talk))
    assert len(found) >= 6


@settings(max_examples=examples(15))
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


def test_an_open_gate_ends_with_the_sound():
    sound = sentence(1)[: 2 * SECOND + 100]
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
def test_the_present_pause_can_be_given_a_silence_of_its_own(silence):
    """It ends at the first block by then; the next pause has the silence of the options again."""
    talk = sentence(1)
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


def test_a_silence_given_too_late_ends_the_pause_at_the_next_block():
    gate = VadGate()
    gate.append(sentence(1))
    gate.append(np.zeros(int(0.35 * SECOND), np.float32))
    assert gate.speaking
    gate.hold(0.1)
    (end,) = gate.append(np.zeros(512, np.float32))
    assert isinstance(end, SpeechEnd)
    assert end.decided - gate.last_speech > 0.3 * SECOND
    assert gate.last_speech <= end.at <= end.decided


def test_speech_takes_back_the_silence_of_the_present_pause():
    talk = sentence(1)
    gate = VadGate()
    gate.append(np.concatenate([talk, np.zeros(SECOND // 4, np.float32)]))
    gate.hold(5.0)
    gate.append(talk)
    (end,) = gate.append(SILENCE)
    assert isinstance(end, SpeechEnd)


def test_speech_that_has_only_begun_when_the_sound_ends_is_not_lost():
    sound = with_silence(sentence(1))
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
