"""An utterance: when to ask, what is committed, and nothing that was said is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamwhisper.audio.mel import LogMel
from streamwhisper.recognition import Hypothesis, HypothesisWord
from streamwhisper.session.agreement import AgreementOptions, Draft
from streamwhisper.session.language import SpokenLanguage
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.utterance import Utterance
from streamwhisper.session.window import SAMPLE_RATE, WindowOptions

ENGLISH = SpokenLanguage.of("en")
SURE = AgreementOptions(
    max_change_risk=0.015, risk_doubling_time=1e9, max_shown_risk=1.0, short_window=0.0
)
"""Whatever two hypotheses share is committed."""


@pytest.fixture(scope="module")
def sound() -> LogMel:
    """Half a minute of noise."""
    mel = LogMel(80, 4000)
    noise = np.random.default_rng(1).normal(0, 0.1, 30 * SAMPLE_RATE)
    mel.append(noise.astype(np.float32))
    return mel


def heard(*texts: str, start: float = 0.0, seconds: float = 0.5) -> Hypothesis:
    """Words from `start` on, `seconds` each."""
    words = tuple(
        HypothesisWord(
            f" {text}", (len(text),), start + i * seconds, start + (i + 1) * seconds, -0.1
        )
        for i, text in enumerate(texts)
    )
    return Hypothesis(words, "en", "end_of_text", 0.0, -0.1)


def utterance(sound: LogMel, options: SessionOptions | None = None, start: int = 0) -> Utterance:
    return Utterance(options or SessionOptions(agreement=SURE), sound, start)


def at(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def test_an_update_is_due_after_enough_new_sound(sound: LogMel) -> None:
    one = utterance(sound)
    interval = one.options.update_interval
    assert not one.due(at(interval) - 1, at(interval) - 1)
    assert one.due(at(interval), at(interval))


def test_silence_is_heard_out_once_and_then_brings_no_update(sound: LogMel) -> None:
    """The one update ahead of the end covers the speech and the silence that settles it."""
    one = utterance(sound)
    settle = one.options.endpoint.settle_time
    spoken = at(1.0)
    assert one.due(at(1.0 + settle), spoken)
    one.update(heard("word"), at(1.0 + settle))
    assert one.covers(spoken)
    for later in (0.3, 0.5, 2.0, 5.0):
        assert not one.due(at(1.0 + settle + later), spoken)
    assert one.due(at(3.0), at(2.9))


def test_what_was_heard_out_is_committed_whole(sound: LogMel) -> None:
    one = utterance(sound)
    one.update(heard("two", "words"), at(1.5))
    held, whole = one.conclude(at(1.5), at(1.0))
    assert "".join(item.word.text for item in held) == " two words"
    assert whole


@pytest.mark.parametrize(("score", "said"), [(-1.0, " word"), (-1.5, "")])
def test_a_last_word_that_is_hardly_believed_is_not_said(
    sound: LogMel, score: float, said: str
) -> None:
    """Where nobody speaks a decoder writes something all the same."""
    one = utterance(sound)
    (word,) = heard("word").words
    one.complete(replace(heard(), words=(replace(word, log_probability=score),)), at(0.8))
    held, whole = one.conclude(at(0.8), at(0.5))
    assert "".join(item.word.text for item in held) == said
    assert whole


def test_speech_after_the_last_word_is_asked_for_again(sound: LogMel) -> None:
    """A decoder that wrote two words and stopped is made to hear the rest."""
    one = utterance(sound)
    one.update(heard("two", "words"), at(6.0))
    held, whole = one.conclude(at(6.0), at(6.0))
    assert len(held) == 2
    assert not whole
    assert not one.covers(at(6.0))
    assert at(0.5) < one.window.start < at(1.5)
    assert one.window.prefix == ()


def test_words_that_are_likely_to_change_are_not_shown_until_the_sound_settles(
    sound: LogMel,
) -> None:
    one = utterance(sound, SessionOptions(agreement=replace(SURE, max_shown_risk=0.1)))
    likely, doubtful = heard("one").words[0], heard("two", start=0.5).words[0]
    words = (likely, replace(doubtful, log_probability=-1.0))
    one.update(replace(heard(), words=words), at(1.0))
    assert [item.word.text for item in one.likely_words(at(1.0))] == [" one"]
    assert [item.word.text for item in one.likely_words(at(0.5))] == [" one", " two"]


@pytest.mark.parametrize("seconds", [4.0, 6.5, 9.0])
@pytest.mark.parametrize("count", [1, 5, 12])
def test_a_trim_moves_the_draft_with_the_window(sound: LogMel, count: int, seconds: float) -> None:
    """Words stay where they are on the session's clock."""
    options = SessionOptions(agreement=SURE, window=WindowOptions(trim_after=3.0, keep=1.0))
    one = utterance(sound, options)
    one.window.commit(heard(*["word"] * count, seconds=0.4).words)
    one.draft = Draft(heard("after", start=count * 0.4 + 0.3).words, (seconds,))
    (before,) = one.window.place(one.draft.words)
    one.move_on(at(seconds), at(seconds))
    (after,) = one.window.place(one.draft.words)
    assert one.window.start > 0
    assert (after.start, after.end) == (before.start, before.end)


def test_a_window_that_is_full_moves_on_though_nothing_is_agreed(sound: LogMel) -> None:
    options = SessionOptions(agreement=SURE, window=WindowOptions(limit=6.0, trim_after=5.0))
    one = utterance(sound, options)
    committed = one.update(heard("never", "seen", "before"), at(6.0))
    assert [item.word.text for item in committed] == [" never"]
    one.move_on(at(6.0), at(6.0))
    assert one.window.start > 0
    silent = utterance(sound, options)
    silent.update(heard(), at(6.0))
    silent.move_on(at(6.0), at(6.0))
    assert silent.window.start == at(3.0)


def test_sound_shorter_than_a_frame_asks_for_nothing(sound: LogMel) -> None:
    assert utterance(sound, start=at(1)).request(at(1) + 100, ENGLISH, final=True) is None


def concluded(sound: LogMel, options: SessionOptions | None = None) -> Utterance:
    """Two words and their end at 1.5 s."""
    one = utterance(sound, options)
    one.request(at(1.5), ENGLISH, final=False)
    one.update(replace(heard("two", "words"), past="what was left"), at(1.5))
    one.conclude(at(1.5), at(1.0))
    return one


@pytest.mark.parametrize(("pause", "shared"), [(0.0, True), (2.0, True), (2.1, False)])
def test_speech_after_a_short_pause_shares_the_window_of_what_was_said_before(
    sound: LogMel, pause: float, shared: bool
) -> None:
    """Its text is the prefix, and what was computed about its sound is handed on."""
    window = WindowOptions(bridge=2.0, fresh_below=0.0, fresh_growth=10.0)
    options = SessionOptions(agreement=SURE, window=window)
    start = at(1.5 + pause)
    next_one = Utterance(options, sound, start, concluded(sound, options))
    request = next_one.request(start + at(1.0), ENGLISH, final=False)
    assert request is not None
    assert request.prefix == ((3, 5) if shared else ())
    assert request.past == ("what was left" if shared else None)
    assert next_one.window.start == (0 if shared else start)


def test_no_word_begins_before_the_speech_that_it_belongs_to(sound: LogMel) -> None:
    """Alignment may put the first word after a pause into the pause."""
    next_one = Utterance(SessionOptions(agreement=SURE), sound, at(3.0), concluded(sound))
    next_one.update(heard("after", start=1.2), at(4.0))
    (word,) = next_one.update(heard("after", start=1.2, seconds=2.3), at(4.4))
    assert (word.start, word.end) == (at(3.0), at(3.5))


def test_an_utterance_without_a_word_is_heard_once_more_by_itself(sound: LogMel) -> None:
    """A finished sentence as the prefix can make a decoder say nothing: «Yes.» is not lost."""
    next_one = Utterance(SessionOptions(agreement=SURE), sound, at(3.0), concluded(sound))
    next_one.complete(heard(), at(4.0))
    assert next_one.conclude(at(4.0), at(3.7)) == ([], False)
    assert next_one.window.start == at(3.0)
    assert next_one.window.prefix == ()
    assert next_one.window.past is None
    next_one.complete(heard(), at(4.0))
    assert next_one.conclude(at(4.0), at(3.7)) == ([], True)


def stopped(sound: LogMel) -> Utterance:
    """Two words with a full stop of its own token, and their end at 1.5 s."""
    one = utterance(sound)
    two, words = heard("two", "words.").words
    words = replace(words, tokens=(5, 13), mark_tokens=1)
    one.update(replace(heard(), words=(two, words)), at(1.5))
    one.conclude(at(1.5), at(1.0))
    return one


def test_speech_after_a_pause_continues_words_without_the_full_stop_before_it(
    sound: LogMel,
) -> None:
    """After a full stop the decoder often says nothing, though the sentence goes on."""
    last = stopped(sound)
    assert last.window.prefix == (3, 5, 13)
    next_one = Utterance(last.options, sound, at(2.2), last)
    assert next_one.window.prefix == (3, 5)
    assert [held.word.text for held in next_one.window.committed] == [" two", " words."]


def test_a_full_stop_that_is_heard_again_after_a_pause_is_no_word(sound: LogMel) -> None:
    """Otherwise "Yes." after it, which the decoder did not write, would not be asked for again."""
    last = stopped(sound)
    next_one = Utterance(last.options, sound, at(2.2), last)
    again = replace(heard(), words=(replace(heard("x").words[0], text="."),))
    assert next_one.update(again, at(2.8)) == []
    assert next_one.draft.words == ()
    next_one.complete(again, at(3.0))
    assert next_one.conclude(at(3.0), at(2.8)) == ([], False)
    assert next_one.window.start == at(2.2)


def test_the_last_word_ends_with_the_speech_and_not_with_the_silence_after_it(
    sound: LogMel,
) -> None:
    one = utterance(sound)
    one.complete(heard("word", seconds=1.5), at(1.5))
    ((word,), _) = one.conclude(at(1.5), at(0.9))
    assert word.end == at(0.9)


def test_a_cut_forgets_what_was_computed_of_the_window(sound: LogMel) -> None:
    options = SessionOptions(agreement=SURE, window=WindowOptions(trim_after=3.0, keep=1.0))
    one = utterance(sound, options)
    one.window.commit(heard("one", "two", "three").words)
    one.window.past = "what was left"
    one.move_on(at(4.0), at(4.0))
    assert one.window.start > 0
    assert one.window.past is None
