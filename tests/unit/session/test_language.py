"""The session's language: found from enough speech, kept, and changed only for good reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.audio.files import read_audio
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.errors import RecognitionError
from streamwhisper.events import Committed, Event, Partial, SpeechStarted
from streamwhisper.recognition import Hypothesis, HypothesisWord, ModelInfo, RecognitionRequest
from streamwhisper.session.language import Evidence, LanguageDetection, SpokenLanguage
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session
from tests.support.scripted import SAMPLE

DETECTION = LanguageDetection()
ENOUGH = DETECTION.min_speech
CODES = ("de", "en", "es", "fr")

probabilities = (
    st.lists(st.floats(0.001, 1), min_size=4, max_size=4)
    # Sharpened, for a model is seldom in doubt about everything.
    .map(lambda weights: [weight**8 for weight in weights])
    .map(lambda weights: {c: w / sum(weights) for c, w in zip(CODES, weights, strict=True)})
)
answers = st.builds(Evidence, st.integers(0, 2), st.floats(0, 8), probabilities)
silences = st.floats(0, 10)
doubts = st.floats(-3, 0).map(lambda log_probability: ("doubt", log_probability))
happenings = st.lists(answers | answers | answers | silences | doubts, max_size=40)


def after(language: SpokenLanguage, happening: Any) -> SpokenLanguage:
    if isinstance(happening, Evidence):
        return language.updated(happening)
    if isinstance(happening, tuple):
        return language.doubted(happening[1])
    return language.after_silence(happening)


def told(seconds: float, window: int = 0, **shares: float) -> Evidence:
    return Evidence(window, seconds, shares)


def found(code: str = "de") -> SpokenLanguage:
    language = SpokenLanguage.of(DETECTION)
    for _ in range(DETECTION.confirmations):
        language = language.updated(told(ENOUGH, **{code: 1.0}))
    assert language.code == code
    return language


@given(happenings, st.sets(st.sampled_from(CODES), min_size=1))
def test_only_languages_that_may_be_spoken_are_taken(
    happened: Sequence[Any], among: set[str]
) -> None:
    language = SpokenLanguage.of(LanguageDetection(candidates=tuple(among)))
    for happening in happened:
        language = after(language, happening)
        assert language.code in (None, *among)
        assert language.candidate in (None, *among)


@given(happenings)
def test_a_language_that_stands_unexamined_stays_whatever_is_heard(happened: Sequence[Any]) -> None:
    language = SpokenLanguage.of(DETECTION)
    for happening in happened:
        later = after(language, happening)
        if language.code is not None and not language.examining and isinstance(happening, Evidence):
            assert later == language
        language = later


@given(happenings)
def test_a_language_that_was_given_stands_for_good(happened: Sequence[Any]) -> None:
    given_one = language = SpokenLanguage.of("de")
    for happening in happened:
        language = after(language, happening)
    assert language == given_one
    assert language.confirmed


@given(happenings)
def test_no_language_gives_way_but_to_one_that_is_clearly_ahead_several_times_in_a_row(
    happened: Sequence[Any],
) -> None:
    """All in one window, so that what each answer says is all that is known."""
    language, ahead = SpokenLanguage.of(DETECTION), list[str | None]()
    for happening in happened:
        if isinstance(happening, Evidence):
            happening = replace(happening, window=0)
            best = max(happening.probabilities, key=lambda code: happening.probabilities[code])
            clear = happening.probabilities[best] >= DETECTION.min_probability
            clear = clear and happening.seconds >= DETECTION.min_speech
            ahead.append(best if clear else None)
        later = after(language, happening)
        if language.code is not None and later.code != language.code:
            assert ahead[-DETECTION.confirmations :] == [later.code] * DETECTION.confirmations
        language = later


@given(happenings)
def test_after_the_limit_there_is_a_language(happened: Sequence[Any]) -> None:
    language = SpokenLanguage.of(DETECTION)
    for happening in happened:
        language = after(language, happening)
        if isinstance(happening, Evidence) and happening.seconds >= DETECTION.max_speech:
            assert language.code is not None


def test_in_a_long_window_too_the_language_changes_when_another_is_ahead() -> None:
    language = found("de")
    for _ in range(DETECTION.confirmations):
        assert language.code == "de"
        language = language.doubted(-1.5).updated(told(20.0, fr=0.9, de=0.1))
    assert (language.code, language.examining) == ("fr", False)


def test_what_is_clear_too_soon_decides_nothing() -> None:
    language = SpokenLanguage.of(DETECTION)
    for _ in range(10):
        language = language.updated(told(ENOUGH - 0.1, en=0.95, de=0.05))
    assert (language.code, language.confirmed) == (None, False)


def test_at_the_limit_the_likeliest_is_taken_however_unlikely() -> None:
    language = SpokenLanguage.of(DETECTION).updated(
        told(DETECTION.max_speech, nl=0.3, de=0.4, en=0.3)
    )
    assert (language.code, language.examining) == ("de", False)


def test_windows_that_are_too_short_for_themselves_add_up() -> None:
    language = SpokenLanguage.of(DETECTION)
    for window in range(3):
        language = language.updated(told(0.9, window, de=0.8, en=0.2))
    assert language.code is None
    assert language.updated(told(1.0, 2, de=0.8, en=0.2)).code == "de"


def test_nothing_is_confirmed_while_another_language_is_ahead() -> None:
    language = found("de").after_silence(DETECTION.recheck_after_silence + 0.1)
    assert language.confirmed
    assert not language.updated(told(1.0, 1, fr=0.9, de=0.1)).confirmed
    assert language.updated(told(1.0, 1, fr=0.6, de=0.4)).confirmed


@pytest.mark.parametrize(
    "again",
    [lambda one: one.after_silence(2.1), lambda one: one.doubted(-1.1)],
    ids=["silence", "doubt"],
)
def test_the_language_changes_after_a_silence_or_in_doubt(again: Any) -> None:
    language = again(found("de"))
    for _ in range(DETECTION.confirmations):
        assert language.code == "de"
        language = language.updated(told(ENOUGH, 1, fr=0.9, de=0.1))
    assert (language.code, language.examining) == ("fr", False)


def test_a_short_silence_and_sure_words_are_no_reason_to_examine() -> None:
    language = found("de")
    assert language.after_silence(DETECTION.recheck_after_silence) == language
    assert language.doubted(DETECTION.recheck_below_logprob) == language


def test_the_language_that_stands_is_kept_where_none_is_clear() -> None:
    language = found("de").after_silence(9.0)
    language = language.updated(told(DETECTION.max_speech, 1, fr=0.6, de=0.4))
    assert (language.code, language.examining) == ("de", False)


def test_the_only_language_that_may_be_spoken_is_given() -> None:
    assert SpokenLanguage.of(LanguageDetection(candidates=("fr",))) == SpokenLanguage.of("fr")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_probability", 0.5),
        ("min_probability", 1.1),
        ("min_speech", -1.0),
        ("confirmations", 1),
        ("max_speech", 1.0),
        ("recheck_after_silence", 0.0),
        ("recheck_below_logprob", 0.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value}; expected"):
        LanguageDetection(**{field: value})


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (SessionOptions(language="de"), 'language is "de"'),
        (SessionOptions(language=LanguageDetection(candidates=("en", "fr"))), 'language is "fr"'),
        (SessionOptions(task="translate"), 'task is "translate"'),
    ],
)
def test_an_english_model_refuses_what_it_does_not_know(options: SessionOptions, seen: str) -> None:
    with pytest.raises(RecognitionError, match=f"{seen}, but .* only supports English"):
        Session(ModelInfo("tiny.en", 80, False), AudioDecoder(AudioFormat("pcm_f32le")), options)


class Wavering:
    """Writes a word for each half second; what is short is English to it, all else German."""

    info = ModelInfo("wavering", 80, multilingual=True)

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: RecognitionRequest) -> Hypothesis:
        short = request.mel.shape[1] < 100 * (ENOUGH - 0.5)
        told = {"en": 0.9, "de": 0.1} if short else {"de": 0.9, "en": 0.1}
        words = tuple(
            HypothesisWord(f" w{index}", (index,), index / 2, index / 2 + 0.5, -0.01)
            for index in range(len(request.prefix), request.mel.shape[1] // 50)
        )
        language = request.language or next(iter(told))
        return Hypothesis(words, language, "end_of_text", 0.0, -0.01, languages=told)


@pytest.mark.parametrize("flushed", [False, True])
def test_only_a_flush_commits_text_before_there_is_a_language(flushed: bool) -> None:
    """What is committed then is the best guess, which decides nothing."""
    session = Session(Wavering.info, AudioDecoder(AudioFormat("pcm_f32le")))
    sound = read_audio(SAMPLE)[: 6 * 16000]
    events: list[tuple[float, Event]] = []
    for start in range(0, len(sound), 1600):
        session.receive_audio(sound[start : start + 1600].tobytes())
        if flushed and start == 16000:
            session.flush()
        while request := session.next_request():
            session.receive_hypothesis(Wavering().recognize([request])[0])
        events += [((start + 1600) / 16000, event) for event in session.events()]
    speech = next(event.at for _, event in events if isinstance(event, SpeechStarted))
    texts = [(at, e) for at, e in events if isinstance(e, Committed) and e.text]
    assert any(isinstance(e, Partial) and e.text and at < speech + ENOUGH for at, e in events)
    early = [event for at, event in texts if at < speech + ENOUGH]
    assert [(event.language, event.final) for event in early] == [("en", True)] * flushed
    assert {event.language for at, event in texts if at > speech + ENOUGH} == {"de"}


# Real speech, real weights.
