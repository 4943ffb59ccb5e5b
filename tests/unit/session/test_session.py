"""Sessions in step with a recognizer that counts: append-only, bounded, and nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.errors import AudioFormatError, RecognitionError, SessionError
from streamwhisper.events import (
    Committed,
    Done,
    Event,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
)
from streamwhisper.recognition import (
    Hypothesis,
    ModelInfo,
    RecognitionRequest,
    TextContext,
)
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.window import WindowOptions
from tests.support.examples import examples
from tests.support.stepped_sessions import (
    FIXED,
    RATE,
    SENTENCE,
    SLOW,
    Counting,
    Samples,
    closed,
    hear,
    new_session,
    pump,
)
from tests.support.voice import sentence

"""HIS TONES RANG PLEASANTLY ON WARRENTON'S EARS AND FORTHWITH A GOOD FELLOWSHIP ..."""


@pytest.fixture(scope="module")
def clip() -> Samples:
    """Six seconds of one voice, silence around them and one pause within."""
    pause = np.zeros(RATE, np.float32)
    return np.concatenate([pause, sentence(1)[: 3 * RATE], pause, sentence(2)[: 3 * RATE], pause])


@settings(max_examples=examples(25), suppress_health_check=SLOW)
@given(data=st.data())
def test_flushes_are_answered_in_order_and_text_only_grows(
    clip: Samples, data: st.DataObject
) -> None:
    recognizer = Counting()
    session = new_session(recognizer)
    bytes_ = clip.tobytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, clip.nbytes), max_size=12), label="cuts"))
    flushed, events, start = [], [], 0
    for index, cut in enumerate([*cuts, len(bytes_)]):
        session.receive_audio(bytes_[start:cut])
        start = cut
        if data.draw(st.booleans(), label="flush"):
            session.flush(str(index))
            flushed.append(str(index))
        if data.draw(st.booleans(), label="pump"):
            events += pump(session, recognizer, catch_up=data.draw(st.booleans(), label="catch up"))
    session.end()
    events += pump(session, recognizer)
    assert [event.id for event in events if isinstance(event, Flushed)] == flushed
    assert isinstance(events[-1], Done)
    committed = [event for event in events if isinstance(event, Committed)]
    utterances = [event.utterance for event in committed]
    assert utterances == sorted(utterances)
    times = [word.start for event in committed for word in event.words]
    assert times == sorted(times)
    started = sum(isinstance(event, SpeechStarted) for event in events)
    assert started == sum(isinstance(event, SpeechEnded) for event in events) == 2
    assert sum(event.final for event in committed) >= started


def test_a_request_about_a_pause_that_has_to_wait_gives_way_to_a_final(clip: Samples) -> None:
    """A busy recognizer neither keeps sound from being taken nor an utterance from its end."""
    session = new_session(Counting(), SENTENCE)
    session.receive_audio(clip[: 4 * RATE].tobytes())
    session.receive_audio(np.zeros(5 * RATE, np.float32).tobytes())
    asked = session.next_request()
    assert asked is not None
    assert not asked.final
    session.abandon_request()
    again = session.next_request()
    assert again is not None
    assert again.final
    assert session.can_receive
    assert any(isinstance(event, SpeechEnded) for event in session.events())


@pytest.mark.parametrize(
    ("tail", "silence"),
    [
        ("", SENTENCE.endpoint.silence_mid_sentence),
        ("x", 0.6),
        ("x.", SENTENCE.endpoint.silence_after_sentence),
        (",", 1.0),
    ],
)
def test_the_silence_follows_the_last_word(clip: Samples, tail: str, silence: float) -> None:
    """Numbers, words that tell nothing, sentences and commas, as `Counting` writes them."""
    sound = clip[: 4 * RATE]
    usual, _ = closed(Counting(tail="x"), sound, FIXED, 1.5)
    waited, _ = closed(Counting(tail=tail), sound, SENTENCE, 1.5)
    assert waited - usual == pytest.approx(silence - FIXED.gate.silence, abs=512 / RATE)


def test_a_silent_decoder_is_cut_loose_and_hears_the_rest() -> None:
    """A decoder that stops after three words of a window still covers all the speech."""
    samples = np.concatenate([sentence(number) for number in (1, 2, 3, 4)])
    events = hear(Counting(silent_after=3), samples)
    committed = [event for event in events if isinstance(event, Committed)]
    end = max(word.end for event in committed for word in event.words)
    assert end > len(samples) / RATE - 2


def test_a_window_never_outgrows_its_limit() -> None:
    options = SessionOptions(window=WindowOptions(limit=6, trim_after=100))
    samples = np.concatenate([sentence(number) for number in (1, 2, 3, 4, 1, 2, 3, 4)])
    recognizer = Counting()
    session = new_session(recognizer, options)
    longest = 0
    for start in range(0, len(samples), RATE):
        session.receive_audio(samples[start : start + RATE].tobytes())
        while request := session.next_request(catch_up=False):
            longest = max(longest, request.mel.shape[1])
            session.receive_hypothesis(recognizer.recognize([request])[0])
    assert longest <= 602


def test_an_abandoned_request_is_asked_again(clip: Samples) -> None:
    session = new_session(Counting())
    session.receive_audio(clip[: 3 * RATE].tobytes())
    first = session.next_request()
    assert first is not None
    assert session.next_request() is None
    session.abandon_request()
    again = session.next_request()
    assert again is not None
    assert np.array_equal(first.mel, again.mel)


def test_a_hypothesis_nobody_asked_for_is_refused(clip: Samples) -> None:
    session = new_session(Counting())
    with pytest.raises(SessionError, match="received a hypothesis, but no request is in flight"):
        session.receive_hypothesis(Hypothesis((), "en", "end_of_text", 0.0, 0.0))


def test_audio_after_the_end_is_refused(clip: Samples) -> None:
    session = new_session(Counting())
    session.end()
    with pytest.raises(SessionError, match="after the end"):
        session.receive_audio(clip.tobytes())


def test_sound_that_ends_within_a_sample_is_named_and_the_rest_is_kept(clip: Samples) -> None:
    recognizer = Counting()
    session = new_session(recognizer)
    session.receive_audio(clip.tobytes() + b"\0")
    with pytest.raises(AudioFormatError):
        session.end()
    assert isinstance(pump(session, recognizer)[-1], Done)


def test_partials_can_be_left_out(clip: Samples) -> None:
    with_partials = hear(Counting(), clip)
    without = hear(Counting(), clip, options=SessionOptions(partials=False))
    assert [type(event).__name__ for event in without].count("Partial") == 0
    assert [event for event in with_partials if type(event).__name__ != "Partial"] == without


class Noting(Counting):
    """Notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[RecognitionRequest] = []

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        self.asked += requests
        return super().recognize(requests)


def test_other_options_hold_from_the_next_utterance_on(clip: Samples) -> None:
    noting = Noting()
    noting.info = ModelInfo("counting", 80, multilingual=True)
    session = new_session(noting, SessionOptions(language="en"))
    session.receive_audio(clip[: 2 * RATE].tobytes())
    pump(session, noting)
    window = WindowOptions(initial_prompt="Es war einmal.")
    other = replace(FIXED, language="de", window=window, vocabulary=("Fuchs",), partials=False)
    session.configure(other)
    session.receive_audio(clip[2 * RATE : 3 * RATE].tobytes())
    pump(session, noting)
    during = noting.asked[-1]
    assert (during.language, during.context) == ("en", TextContext(vocabulary=("Fuchs",)))
    session.flush()
    session.receive_audio(clip[3 * RATE :].tobytes())
    session.end()
    events = pump(session, noting)
    first = next(request for request in noting.asked if request.language == "de")
    assert (first.context.initial_prompt, first.prefix) == ("Es war einmal.", ())
    assert noting.asked[-1].language == "de"
    assert not [event for event in events if isinstance(event, Partial)]
    with pytest.raises(RecognitionError, match="only supports English"):
        new_session(Counting()).configure(other)


def hear_and_flush(clip: Samples, at: int, *, later: bool) -> list[Event]:
    """The events where a flush comes at a sample; `later` it is dealt with when all is heard."""
    session, recognizer = new_session(Counting(), FIXED), Counting()
    data, events = clip.tobytes(), []
    session.receive_audio(data[: 4 * at])
    session.flush()
    events += [] if later else pump(session, recognizer)
    session.receive_audio(data[4 * at :])
    session.end()
    return events + pump(session, recognizer)


def test_final_texts_say_how_far_the_sound_was_dealt_with(clip: Samples) -> None:
    events = hear_and_flush(clip, 3 * RATE, later=False)
    committed = [event for event in events if isinstance(event, Committed)]
    ends = [event.at for event in events if isinstance(event, SpeechEnded)]
    assert [event.covered_until for event in committed if event.final] == [3.0, *ends]
    assert all(event.covered_until is None for event in committed if not event.final)


def test_a_flush_in_the_midst_of_speech_takes_nothing_from_its_seconds(clip: Samples) -> None:
    whole = hear(Counting(), clip, options=FIXED)[-1]
    for later in (True, False):
        assert hear_and_flush(clip, 3 * RATE, later=later)[-1] == whole


def test_a_vocabulary_holds_from_the_next_request_on() -> None:
    """Also when the request before it has failed."""
    sound = sentence(1)
    session = new_session(Counting(), SessionOptions(vocabulary=("Ada",)))
    session.receive_audio(sound[: 2 * RATE].tobytes())
    request = session.next_request()
    assert request is not None
    assert request.context.vocabulary == ("Ada",)
    session.set_vocabulary(["Grace", "Ada"])
    session.abandon_request()
    request = session.next_request()
    assert request is not None
    assert request.context.vocabulary == ("Grace", "Ada")
