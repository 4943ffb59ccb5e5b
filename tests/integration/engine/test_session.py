"""The session: chunk-blind, append-only, and nothing lost; real speech, real weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.client.continuity import Continuity
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.events import Committed, Done, Flushed
from tests.support.stepped_sessions import (
    FIXED,
    RATE,
    SENTENCE,
    SLOW,
    TRAILING,
    Counting,
    Samples,
    closed,
    hear,
    new_session,
    pump,
    transcript,
)
from tests.support.transcripts import compare


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


def test_a_finished_sentence_ends_sooner(recognizer: LocalRecognizer, speech: Any) -> None:
    sound = speech.load(speech.clips("ls-dev")[0])
    usual, text = closed(recognizer, sound, FIXED, 1.0)
    sooner, same = closed(recognizer, sound, SENTENCE, 1.0)
    assert same == text
    assert text.endswith("on the left.")
    saved = FIXED.gate.silence - SENTENCE.endpoint.silence_after_sentence
    assert usual - sooner == pytest.approx(saved, abs=512 / RATE)


def test_a_trailing_and_is_waited_for(recognizer: LocalRecognizer, trailing: Samples) -> None:
    usual, text = closed(recognizer, trailing, FIXED, 1.5)
    later, same = closed(recognizer, trailing, SENTENCE, 1.5)
    assert same == text
    assert text.endswith(" and")
    added = SENTENCE.endpoint.silence_mid_sentence - FIXED.gate.silence
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
    assert waited < SENTENCE.endpoint.silence_mid_sentence - 0.2


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


def test_nothing_is_committed_where_nobody_speaks(recognizer: LocalRecognizer, speech: Any) -> None:
    """Silence, hum and noise bring no text, and silence no encoder call at all."""
    for item in speech.clips("synthetic-nonspeech"):
        assert transcript(hear(recognizer, speech.load(item)[: 30 * RATE])) == "", item["id"]
    session = new_session(recognizer)
    session.receive_audio(np.zeros(10 * RATE, np.float32).tobytes())
    assert session.next_request() is None


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


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8, 0.95])
def test_speech_that_is_cut_off_goes_on_in_another_session_without_a_loss(
    recognizer: LocalRecognizer, trailing: Samples, share: float
) -> None:
    cut = round(share * len(trailing))
    story = Continuity()
    session = new_session(recognizer)
    session.receive_audio(trailing[:cut].tobytes())
    session.end(cut=True)
    events = [told for event in pump(session, recognizer) for told in story.receive(event)]
    settled = round(story.released * RATE)
    assert settled <= cut
    story.begin_again(settled / RATE)
    rest = hear(recognizer, trailing[settled:])
    events += [told for event in rest for told in story.receive(event)]
    changes = compare(transcript(hear(recognizer, trailing)), transcript(events))
    assert changes.deletions + changes.insertions == 0, transcript(events)
    assert changes.total <= 1, transcript(events)
