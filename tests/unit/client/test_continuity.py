"""Sessions told as one: times and numbers go on, and nothing is told twice."""

from __future__ import annotations

import pytest

from streamwhisper.client.continuity import Continuity
from streamwhisper.events import (
    Committed,
    Done,
    Event,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Word,
)


def text(
    words: str, at: float, *, utterance: int = 0, heard: float | None = None, first: bool = False
) -> Committed:
    """Committed words of 0.2 s each."""
    said = tuple(
        Word(word, at + 0.2 * n, at + 0.2 * (n + 1), 1.0) for n, word in enumerate(words.split())
    )
    joined = words if first or not words else f" {words}"
    end = said[-1].end if said else at
    return Committed(joined, at, end, said, "en", utterance, heard is not None, heard)


def told(story: Continuity, *events: Event) -> list[Event]:
    return [other for event in events for other in story.receive(event)]


def test_a_single_session_is_told_as_it_is() -> None:
    events = [
        SpeechStarted(0.5),
        Partial("so", 0.5, 1.0),
        text("so we", 0.5, first=True),
        text("went", 1.0, heard=2.0),
        SpeechEnded(2.0, 2.5),
        Flushed("f"),
        Done(3.0, 1.5),
    ]
    assert told(Continuity(), *events) == events


def test_another_session_goes_on_where_the_last_one_settled() -> None:
    story = Continuity()
    told(
        story,
        SpeechStarted(0.5),
        SpeechEnded(2.0, 2.5),
        text("Hello there.", 0.5, first=True, heard=2.0),
        SpeechStarted(2.5),
    )
    assert story.released == 2.0
    story.begin_again(2.0)
    heard = told(
        story,
        SpeechStarted(0.52),
        SpeechEnded(3.0, 3.5),
        text("And you?", 0.5, first=True, heard=3.0),
        Done(4.0, 2.5),
    )
    assert [type(event) for event in heard] == [SpeechEnded, Committed, Done]
    ended, committed, done = heard
    assert (ended.at, ended.detected_at) == (5.0, 5.5)
    assert committed.text == " And you?"
    assert (committed.start, committed.words[0].start, committed.covered_until) == (2.5, 2.5, 5.0)
    assert committed.utterance == 1
    assert (done.audio_seconds, done.speech_seconds) == (6.0, 4.0)


def test_what_was_committed_of_an_utterance_is_not_committed_again() -> None:
    story = Continuity()
    told(story, text("so we went", 1.0, first=True))
    story.begin_again(0.0)
    assert told(story, Partial("So we", 1.0, 1.4), text("So we", 1.0, first=True)) == []
    heard = told(story, text("went to the store", 1.4), text("today.", 2.2, heard=3.0))
    assert [event.text for event in heard] == [" to the store", " today."]
    assert heard[0].start == pytest.approx(1.6)
    assert heard[1].final


def test_a_second_loss_while_text_is_held_back_loses_nothing() -> None:
    story = Continuity()
    told(story, text("a b", 1.0, first=True))
    story.begin_again(0.0)
    assert told(story, text("a b c", 1.0, first=True)) == []
    story.begin_again(0.0)
    assert [event.text for event in told(story, text("a b c d e", 1.0, first=True))] == [" c d e"]


@pytest.mark.parametrize("last", [Flushed("x"), Done(2.0, 1.0)])
def test_held_text_is_told_before_what_says_that_there_is_no_more(last: Event) -> None:
    story = Continuity()
    told(story, text("a b", 1.0, first=True))
    story.begin_again(0.0)
    heard = told(story, text("a b c", 1.0, first=True), last)
    assert [type(event) for event in heard] == [Committed, type(last)]
    assert heard[0].text == " c"


def test_an_utterance_that_adds_nothing_the_second_time_still_ends() -> None:
    story = Continuity()
    told(story, text("a b", 1.0, first=True))
    story.begin_again(0.0)
    (final,) = told(story, text("a b", 1.0, first=True, heard=2.0))
    assert (final.text, final.final, final.utterance) == ("", True, 0)
    assert story.released == 2.0


def test_speech_that_was_cut_off_is_heard_again_and_told_once() -> None:
    story = Continuity()
    told(
        story,
        SpeechStarted(0.5),
        SpeechEnded(2.0, 2.0),
        text("Give not so", 1.0, first=True, heard=0.5),
        Done(2.0, 1.5),
    )
    assert story.released == 0.5
    story.begin_again(0.5)
    heard = told(story, text("Give not so earnest a", 0.5, first=True, heard=3.0), Done(3.5, 2.5))
    assert [type(event) for event in heard] == [Committed, Done]
    assert (heard[0].text, heard[0].utterance, story.released) == (" earnest a", 1, 4.0)
    assert heard[1].speech_seconds == 2.5


def test_silence_is_settled_but_for_the_time_that_it_takes_to_notice_speech() -> None:
    story = Continuity()
    story.pass_silence(10.0, 0.0)
    assert story.released == 7.0
    told(story, SpeechStarted(9.8))
    story.pass_silence(20.0, 0.0)
    told(story, SpeechEnded(15.0, 15.5))
    story.pass_silence(20.0, 0.0)
    assert story.released == 7.0
    told(story, text("a", 10.0, first=True, heard=15.0))
    story.pass_silence(20.0, 1.0)
    assert story.released == 16.0


def test_a_language_without_spaces_gets_none() -> None:
    story = Continuity()
    chinese = Committed("你好", 0.0, 1.0, (), "zh", 0, True, 1.0)
    told(story, chinese)
    story.begin_again(1.0)
    assert told(story, chinese)[0].text == "你好"


def test_a_translation_from_a_language_without_spaces_gets_one() -> None:
    story = Continuity()
    english = Committed("Hello.", 0.0, 1.0, (), "zh", 0, True, 1.0)
    told(story, english)
    story.begin_again(1.0)
    assert told(story, english)[0].text == " Hello."
