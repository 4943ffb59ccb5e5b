"""The session: chunk-blind, append-only, and nothing lost; real speech, real weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.client.continuity import Continuity
from streamwhisper.engine.local import LocalRecognizer
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
    HypothesisWord,
    ModelInfo,
    RecognitionRequest,
    Recognizer,
)
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session
from streamwhisper.session.window import WindowOptions
from tests.support.transcripts import compare

Samples = NDArray[np.float32]
RATE = 16000
FIXED = SessionOptions(endpoint=EndpointOptions(kind="fixed"))
SENTENCE = SessionOptions(endpoint=EndpointOptions(kind="sentence"))
TRAILING = "librispeech/61-70970-0037"
"""HIS TONES RANG PLEASANTLY ON WARRENTON'S EARS AND FORTHWITH A GOOD FELLOWSHIP ..."""
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


class Counting:
    """Writes a word for each half second of the window: a clock that shows what was covered."""

    info = ModelInfo("counting", 80, multilingual=False)

    def __init__(self, silent_after: int | None = None, tail: str = "") -> None:
        self.silent_after = silent_after
        self.tail = tail  # of every word

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: RecognitionRequest) -> Hypothesis:
        count, held = request.mel.shape[1] // 50, len(request.prefix)
        if self.silent_after is not None and held >= self.silent_after:
            count = 0
        words = tuple(
            HypothesisWord(f" w{index}{self.tail}", (index,), index / 2, index / 2 + 0.5, -0.1)
            for index in range(held, count)
        )
        return Hypothesis(words, "en", "end_of_text", 0.0, -0.1)


def new_session(recognizer: Recognizer, options: SessionOptions | None = None) -> Session:
    return Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), options)


def pump(session: Session, recognizer: Recognizer, *, catch_up: bool = False) -> list[Event]:
    while request := session.next_request(catch_up=catch_up):
        session.receive_hypothesis(recognizer.recognize([request])[0])
    return session.events()


def hear(
    recognizer: Recognizer,
    samples: Samples,
    cuts: Sequence[int] = (),
    options: SessionOptions | None = None,
) -> list[Event]:
    """All events of a session that gets `samples`, cut into chunks at `cuts` (bytes)."""
    session = new_session(recognizer, options)
    data, events, start = samples.tobytes(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        session.receive_audio(data[start:cut])
        events += pump(session, recognizer)
        start = cut
    session.end()
    events += pump(session, recognizer)
    assert session.done
    return events


def transcript(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Committed))


@pytest.fixture(scope="module")
def clip(speech: Any) -> Samples:
    """Six seconds of one speaker, silence around them and one pause within."""
    parts = [speech.load(item) for item in speech.clips("ls-dev")[:2]]
    pause = np.zeros(RATE, np.float32)
    return np.concatenate([pause, parts[0][: 3 * RATE], pause, parts[1][: 3 * RATE], pause])


@pytest.fixture(scope="module")
def trailing(speech: Any) -> Samples:
    """The beginning of `TRAILING`, up to its "and"."""
    clip = speech.clip(TRAILING)
    end = next(end for word, _, end in clip["words"] if word == "and")
    return speech.load(clip)[: round(end * RATE)]


@settings(max_examples=4, suppress_health_check=SLOW)
@given(data=st.data())
def test_chunk_sizes_do_not_matter(
    recognizer: LocalRecognizer, clip: Samples, data: st.DataObject
) -> None:
    """Real weights: any chunking, half samples included, gives the events of the whole."""
    whole = hear(recognizer, clip)
    cuts = data.draw(st.lists(st.integers(0, clip.nbytes), max_size=40), label="cuts")
    assert hear(recognizer, clip, cuts) == whole
    assert transcript(whole).strip()


@settings(max_examples=4, suppress_health_check=SLOW)
@given(data=st.data())
def test_chunk_sizes_do_not_matter_where_the_text_ends_the_utterance(
    recognizer: LocalRecognizer, trailing: Samples, data: st.DataObject
) -> None:
    pause = np.zeros(int(0.8 * RATE), np.float32)
    sound = np.concatenate([trailing, pause, trailing, 2 * pause])
    whole = hear(recognizer, sound, options=SENTENCE)
    cuts = data.draw(st.lists(st.integers(0, sound.nbytes), max_size=40), label="cuts")
    assert hear(recognizer, sound, cuts, options=SENTENCE) == whole
    assert "and" in transcript(whole)


@settings(max_examples=25, suppress_health_check=SLOW)
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


def test_a_flush_commits_everything_heard(recognizer: LocalRecognizer, clip: Samples) -> None:
    """A flush in mid-speech commits what an offline pass hears in the sound so far."""
    session = new_session(recognizer)
    session.receive_audio(clip[: int(3.6 * RATE)].tobytes())
    session.flush("now")
    events = pump(session, recognizer)
    assert events[-1] == Flushed("now")
    assert "confused complaint" in transcript(events)
    before = transcript(events)
    session.receive_audio(clip[int(3.6 * RATE) :].tobytes())
    session.end()
    after = before + transcript(pump(session, recognizer))
    assert after.startswith(before)
    assert len(after) > len(before)


def closed(
    recognizer: Recognizer, samples: Samples, options: SessionOptions, silence: float
) -> tuple[float, str]:
    """How long after `samples` the utterance was final, in seconds of `silence`, and its text."""
    session = new_session(recognizer, options)
    sound = np.concatenate([samples, np.zeros(round(silence * RATE), np.float32)])
    events: list[Event] = []
    for start in range(0, len(sound), 512):
        session.receive_audio(sound[start : start + 512].tobytes())
        events += pump(session, recognizer)
        if any(isinstance(event, Committed) and event.final for event in events):
            return session.audio_seconds - len(samples) / RATE, transcript(events)
    raise AssertionError(f"the utterance did not end: {transcript(events)!r}")


def test_a_finished_sentence_ends_sooner(recognizer: LocalRecognizer, speech: Any) -> None:
    sound = speech.load(speech.clips("ls-dev")[0])
    usual, text = closed(recognizer, sound, FIXED, 1.0)
    sooner, same = closed(recognizer, sound, SENTENCE, 1.0)
    assert same == text
    assert text.endswith("on the left.")
    saved = FIXED.gate.silence - SENTENCE.endpoint.sooner
    assert usual - sooner == pytest.approx(saved, abs=512 / RATE)


def test_a_trailing_and_is_waited_for(recognizer: LocalRecognizer, trailing: Samples) -> None:
    usual, text = closed(recognizer, trailing, FIXED, 1.5)
    later, same = closed(recognizer, trailing, SENTENCE, 1.5)
    assert same == text
    assert text.endswith(" and")
    added = SENTENCE.endpoint.later - FIXED.gate.silence
    assert later - usual == pytest.approx(added, abs=512 / RATE)


def test_speech_after_a_hesitation_goes_on_with_the_utterance(
    recognizer: LocalRecognizer, speech: Any, trailing: Samples
) -> None:
    """And the silence that was granted to the hesitation is not granted to the next pause."""
    rest = speech.load(speech.clip(TRAILING))[len(trailing) :]
    sound = np.concatenate([trailing, np.zeros(int(0.8 * RATE), np.float32), rest])
    for options, utterances in ((FIXED, 2), (SENTENCE, 1)):
        padded = np.concatenate([sound, np.zeros(2 * RATE, np.float32)])
        events = hear(recognizer, padded, options=options)
        finals = [e for e in events if isinstance(e, Committed) and e.final]
        assert len(finals) == utterances
    assert "ears, and forth" in transcript(events)
    waited, _ = closed(recognizer, sound, SENTENCE, 1.5)
    assert waited < SENTENCE.endpoint.later - 0.2


@pytest.mark.parametrize("chunk", [RATE // 4, 8 * RATE])
def test_long_chunks_do_not_end_an_utterance_unheard(
    recognizer: LocalRecognizer, speech: Any, trailing: Samples, chunk: int
) -> None:
    """A recognizer that is behind is asked about a pause before the pause may end anything."""
    rest = speech.load(speech.clip(TRAILING))[len(trailing) :]
    pause = np.zeros(int(0.8 * RATE), np.float32)
    sound = np.concatenate([trailing, pause, rest, 2 * pause])
    session, finals = new_session(recognizer, SENTENCE), 0
    for start in range(0, len(sound), chunk):
        session.receive_audio(sound[start : start + chunk].tobytes())
        events = pump(session, recognizer, catch_up=True)
        finals += sum(isinstance(event, Committed) and event.final for event in events)
    assert finals == 1


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
    [("", SENTENCE.endpoint.later), ("x", 0.6), ("x.", SENTENCE.endpoint.sooner), (",", 1.0)],
)
def test_the_silence_follows_the_last_word(clip: Samples, tail: str, silence: float) -> None:
    """Numbers, words that tell nothing, sentences and commas, as `Counting` writes them."""
    sound = clip[: 4 * RATE]
    usual, _ = closed(Counting(tail="x"), sound, FIXED, 1.5)
    waited, _ = closed(Counting(tail=tail), sound, SENTENCE, 1.5)
    assert waited - usual == pytest.approx(silence - FIXED.gate.silence, abs=512 / RATE)


def test_nothing_is_committed_where_nobody_speaks(recognizer: LocalRecognizer, speech: Any) -> None:
    """Silence, hum and noise bring no text, and silence no encoder call at all."""
    for item in speech.clips("synthetic-nonspeech"):
        assert transcript(hear(recognizer, speech.load(item)[: 30 * RATE])) == "", item["id"]
    session = new_session(recognizer)
    session.receive_audio(np.zeros(10 * RATE, np.float32).tobytes())
    assert session.next_request() is None


def test_a_silent_decoder_is_cut_loose_and_hears_the_rest(speech: Any) -> None:
    """A decoder that stops after three words of a window still covers all the speech."""
    samples = np.concatenate([speech.load(item) for item in speech.clips("ls-dev")[1:4]])
    events = hear(Counting(silent_after=3), samples)
    committed = [event for event in events if isinstance(event, Committed)]
    end = max(word.end for event in committed for word in event.words)
    assert end > len(samples) / RATE - 2


def test_a_window_never_outgrows_its_limit(speech: Any) -> None:
    options = SessionOptions(window=WindowOptions(limit=6, trim_after=100))
    samples = np.concatenate([speech.load(item) for item in speech.clips("ls-dev")[:6]])
    recognizer = Counting()
    session = new_session(recognizer, options)
    longest = 0
    for start in range(0, len(samples), RATE):
        session.receive_audio(samples[start : start + RATE].tobytes())
        while request := session.next_request(catch_up=False):
            longest = max(longest, request.mel.shape[1])
            session.receive_hypothesis(recognizer.recognize([request])[0])
    assert longest <= 602


def test_sound_that_outruns_the_recognizer_pauses_reading_and_is_not_lost(clip: Samples) -> None:
    recognizer = Counting()
    session = new_session(recognizer)
    speech_only = np.tile(clip[RATE : 4 * RATE], 30)
    sent = 0
    while session.can_receive and sent < len(speech_only):
        session.receive_audio(speech_only[sent : sent + RATE].tobytes())
        session.next_request()
        sent += RATE
    assert sent < len(speech_only)
    events = session.events()
    session.abandon_request()
    while sent < len(speech_only):
        events += pump(session, recognizer)
        assert session.can_receive
        session.receive_audio(speech_only[sent : sent + RATE].tobytes())
        sent += RATE
    session.end()
    events += pump(session, recognizer)
    assert isinstance(events[-1], Done)
    assert events[-1].audio_seconds == len(speech_only) / RATE


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
    with pytest.raises(SessionError, match="no request is under way"):
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
    assert (during.language, during.initial_prompt, during.vocabulary) == ("en", "", ("Fuchs",))
    session.flush()
    session.receive_audio(clip[3 * RATE :].tobytes())
    session.end()
    events = pump(session, noting)
    first = next(request for request in noting.asked if request.language == "de")
    assert (first.initial_prompt, first.prefix) == ("Es war einmal.", ())
    assert noting.asked[-1].language == "de"
    assert not [event for event in events if isinstance(event, Partial)]
    with pytest.raises(RecognitionError, match="English alone"):
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
    assert [event.heard for event in committed if event.final] == [3.0, *ends]
    assert all(event.heard is None for event in committed if not event.final)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.95])
def test_speech_that_is_cut_off_goes_on_in_another_session_without_a_loss(
    recognizer: LocalRecognizer, trailing: Samples, share: float
) -> None:
    cut = round(share * len(trailing))
    story = Continuity()
    session = new_session(recognizer)
    session.receive_audio(trailing[:cut].tobytes())
    session.end(cut=True)
    events = [told for event in pump(session, recognizer) for told in story.hear(event)]
    settled = round(story.settled * RATE)
    assert settled <= cut
    story.begin_again(settled / RATE)
    rest = hear(recognizer, trailing[settled:])
    events += [told for event in rest for told in story.hear(event)]
    changes = compare(transcript(hear(recognizer, trailing)), transcript(events))
    assert changes.deletions + changes.insertions == 0, transcript(events)
    assert changes.total <= 1, transcript(events)


def test_a_flush_in_the_midst_of_speech_takes_nothing_from_its_seconds(clip: Samples) -> None:
    whole = hear(Counting(), clip, options=FIXED)[-1]
    for later in (True, False):
        assert hear_and_flush(clip, 3 * RATE, later=later)[-1] == whole


def test_a_vocabulary_holds_from_the_next_request_on(speech: Any) -> None:
    """Also when the request before it has failed."""
    sound = speech.load(speech.clip(TRAILING))
    session = new_session(Counting(), SessionOptions(vocabulary=("Ada",)))
    session.receive_audio(sound[: 2 * RATE].tobytes())
    request = session.next_request()
    assert request is not None
    assert request.vocabulary == ("Ada",)
    session.set_vocabulary(["Grace", "Ada"])
    session.abandon_request()
    request = session.next_request()
    assert request is not None
    assert request.vocabulary == ("Grace", "Ada")
