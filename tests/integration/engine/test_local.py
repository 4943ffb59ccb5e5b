"""The local recognizer: together as alone, in 8 bits too, and words that are whole and in order."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from streamwhisper.audio.mel import log_mel
from streamwhisper.checkpoints.checkpoint import state_shapes
from streamwhisper.engine.cores import usable_cores
from streamwhisper.engine.local import USUAL_FLOORS, LocalOptions, LocalRecognizer
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import (
    DecodingOptions,
    Hypothesis,
    LanguageOptions,
    RecognitionRequest,
    TextContext,
)
from streamwhisper.whisper.quantized import can_quantize

pytestmark = pytest.mark.weights

Mel = NDArray[np.float32]
Answered = list[tuple[RecognitionRequest, Hypothesis]]


@pytest.fixture(scope="module")
def int8(tiny_en_path: Path) -> LocalRecognizer:
    """tiny.en with its linear layers in 8 bits."""
    if not can_quantize(torch.device("cpu")):
        pytest.skip("torch has no fast 8-bit products on this CPU")
    return LocalRecognizer.load(tiny_en_path, LocalOptions(dtype="int8", threads=1))


@pytest.fixture(scope="module")
def base(base_path: Path) -> LocalRecognizer:
    """A multilingual model."""
    return LocalRecognizer.load(base_path, LocalOptions(dtype="float32", threads=1))


@pytest.fixture(scope="module")
def talk(speech: Any) -> Mel:
    """Eleven seconds of one speaker."""
    return log_mel(speech.load(speech.clips("misc-en")[0]))


@pytest.fixture(scope="module")
def requests(recognizer: LocalRecognizer, talk: Mel, speech: Any) -> list[RecognitionRequest]:
    """Different in everything that a request may say."""
    request = RecognitionRequest(mel=np.ascontiguousarray(talk[:, :330]))
    heard = recognizer.recognize([request])[0].tokens
    assert len(heard) > 4
    other = log_mel(speech.load(speech.clips("ls-dev")[0]))
    return [
        request,
        replace(request, draft=heard),
        replace(request, prefix=heard[:3], prefix_end=1.0, draft=heard[4:]),
        replace(request, options=DecodingOptions(timestamps=True)),
        replace(request, mel=np.ascontiguousarray(other[:, :250]), language="en"),
        replace(request, mel=np.ascontiguousarray(other[:, :90]), context=TextContext(heard)),
        replace(request, mel=np.ascontiguousarray(talk[:, :1])),
        replace(request, mel=np.ascontiguousarray(talk[:, 60:120]), final=True),
    ]


def alone(recognizer: LocalRecognizer, requests: list[RecognitionRequest]) -> Answered:
    return [(request, recognizer.recognize([request])[0]) for request in requests]


@pytest.fixture(scope="module", params=["recognizer", "int8"])
def answered(
    request: pytest.FixtureRequest, requests: list[RecognitionRequest]
) -> tuple[LocalRecognizer, Answered]:
    """In float32 and in 8 bits: a recognizer, and what it answers each request alone."""
    recognizer: LocalRecognizer = request.getfixturevalue(request.param)
    return recognizer, alone(recognizer, requests)


@pytest.fixture(scope="module")
def answered_in_languages(base: LocalRecognizer, speech: Any) -> Answered:
    """One German sentence in several languages and tasks, and an English one."""
    german, english = (
        np.ascontiguousarray(log_mel(speech.load(clip))[:, :300])
        for clip in (speech.clip("fleurs-cuttledoc/fleurs-de-006"), speech.clips("ls-dev")[0])
    )
    request = RecognitionRequest(mel=german)
    requests = [
        request,
        replace(request, language="de", language_options=LanguageOptions(task="translate")),
        replace(request, language="fr"),
        RecognitionRequest(mel=english),
    ]
    return alone(base, requests)


def together_as_alone(recognizer: LocalRecognizer, answered: Answered) -> None:
    """All requests in one call."""
    requests, expected = zip(*answered, strict=True)
    assert_same(recognizer, recognizer.recognize(requests), expected)


def assert_same(
    recognizer: LocalRecognizer, found: Sequence[Hypothesis], expected: Sequence[Hypothesis]
) -> None:
    """Bit by bit in 8 bits; in float32 the text, and figures but for the last digits."""
    if recognizer.options.dtype == "int8":
        assert list(found) == list(expected)
        return
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.text, ours.tokens) == (theirs.text, theirs.tokens)
        assert (ours.language, ours.ending, ours.drafted) == (
            theirs.language,
            theirs.ending,
            theirs.drafted,
        )
        assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)
        for one, two in zip(ours.words, theirs.words, strict=True):
            assert (one.start, one.end) == pytest.approx((two.start, two.end), abs=0.041)
            assert one.log_probability == pytest.approx(two.log_probability, abs=2e-3)


@settings(max_examples=2)
@given(data=st.data())
def test_requests_together_are_answered_as_each_alone_in_any_order(
    answered: tuple[LocalRecognizer, Answered], data: st.DataObject
) -> None:
    """Of different lengths, prefixes, drafts, prompts and options."""
    recognizer, pairs = answered
    together_as_alone(recognizer, data.draw(st.permutations(pairs)))


@pytest.fixture(scope="module", params=["recognizer", "int8"])
def going_on(
    request: pytest.FixtureRequest, talk: Mel, speech: Any
) -> tuple[LocalRecognizer, list[RecognitionRequest]]:
    """In float32 and in 8 bits: windows that grew, each with what its last answer left.

    Some of their words were committed meanwhile, the rest is the draft.
    """
    recognizer: LocalRecognizer = request.getfixturevalue(request.param)
    clips = [clip for clip in speech.clips("ls-dev") if 6 < clip["duration_s"] < 9]
    mels = [talk, *(log_mel(speech.load(clip)) for clip in clips[:: len(clips) // 3][:3])]
    requests = []
    for index, mel in enumerate(mels):
        first = RecognitionRequest(mel=np.ascontiguousarray(mel[:, : 300 + 60 * index]))
        heard = recognizer.recognize([first])[0]
        held = heard.words[: max(0, len(heard.words) - 2 - index)]
        prefix = tuple(token for word in held for token in word.tokens)
        requests.append(
            replace(
                first,
                mel=np.ascontiguousarray(mel[:, : 400 + 60 * index]),
                prefix=prefix,
                prefix_end=held[-1].end if held else 0.0,
                draft=heard.tokens[len(prefix) :],
                past=heard.past,
            )
        )
    assert any(each.prefix for each in requests)
    return recognizer, requests


@settings(max_examples=3)
@given(data=st.data())
def test_requests_with_pasts_are_answered_together_as_each_alone(
    going_on: tuple[LocalRecognizer, list[RecognitionRequest]],
    requests: list[RecognitionRequest],
    data: st.DataObject,
) -> None:
    """In any order, and beside some that have none."""
    recognizer, grown = going_on
    mixed = [*grown, replace(grown[0], past=None), *requests[:2]]
    together_as_alone(recognizer, data.draw(st.permutations(alone(recognizer, mixed))))


def test_a_past_from_a_mixed_batch_serves_the_next_answer_as_one_made_alone(
    going_on: tuple[LocalRecognizer, list[RecognitionRequest]], requests: list[RecognitionRequest]
) -> None:
    """Session by session, some of them at their first request."""
    recognizer, grown = going_on
    mixed = [grown[0], requests[0], grown[1], replace(grown[2], past=None), grown[3]]
    longer = [np.concatenate([each.mel, each.mel[:, -50:]], axis=1) for each in mixed]

    def following(answers: list[Hypothesis]) -> list[RecognitionRequest]:
        return [
            replace(each, mel=mel, past=answer.past)
            for each, mel, answer in zip(mixed, longer, answers, strict=True)
        ]

    expected = alone(recognizer, following([answer for _, answer in alone(recognizer, mixed)]))
    found = recognizer.recognize(following(recognizer.recognize(mixed)))
    for ours, (_, theirs) in zip(found, expected, strict=True):
        assert (ours.text, ours.tokens) == (theirs.text, theirs.tokens)
        assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)
        for one, two in zip(ours.words, theirs.words, strict=True):
            assert one.log_probability == pytest.approx(two.log_probability, abs=1e-3)


def test_requests_in_different_languages_are_answered_as_each_alone(
    base: LocalRecognizer, answered_in_languages: Answered
) -> None:
    together_as_alone(base, answered_in_languages[::-1])


def test_the_language_is_the_one_asked_for_or_else_the_one_heard(
    answered_in_languages: Answered,
) -> None:
    languages = [hypothesis.language for _, hypothesis in answered_in_languages]
    assert languages == ["de", "de", "fr", "en"]
    assert len({hypothesis.text for _, hypothesis in answered_in_languages}) == 4


def test_two_threads_at_once_get_the_answers_of_one(
    answered: tuple[LocalRecognizer, Answered],
) -> None:
    recognizer, pairs = answered
    found: dict[int, list[Hypothesis]] = {}

    def ask(thread: int, order: Answered) -> None:
        found[thread] = [recognizer.recognize([request])[0] for request, _ in order]

    orders = [pairs[1:5], pairs[5:0:-1]]
    threads = [threading.Thread(target=ask, args=item) for item in enumerate(orders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for thread, order in enumerate(orders):
        assert_same(recognizer, found[thread], [hypothesis for _, hypothesis in order])


def test_calls_worth_making_at_once_do_not_outnumber_the_cores(recognizer: LocalRecognizer) -> None:
    cores = usable_cores()
    assert recognizer.workers >= 1
    assert recognizer.batch == 1  # side by side is as fast, and nobody waits for another's words
    assert recognizer.workers == 1 or recognizer.workers * torch.get_num_threads() <= cores


def test_no_requests_have_no_answers(recognizer: LocalRecognizer) -> None:
    assert recognizer.recognize([]) == []


def test_warming_up_changes_no_answer(recognizer: LocalRecognizer, talk: Mel) -> None:
    request = RecognitionRequest(mel=np.ascontiguousarray(talk[:, :250]))
    fresh = LocalRecognizer(recognizer.model, "fresh", recognizer.options)
    fresh.warm_up()
    assert fresh.recognize([request]) == recognizer.recognize([request])


def test_warming_up_encodes_silence_once_for_each_usual_floor(recognizer: LocalRecognizer) -> None:
    """And one window, whose tail is there already."""
    fresh = LocalRecognizer(recognizer.model, "fresh", recognizer.options)
    calls: list[object] = []
    with recognizer.model.encoder.register_forward_hook(lambda *call: calls.append(call[1])):
        fresh.warm_up()
    assert len(calls) == len(USUAL_FLOORS) + 1


def test_loading_needs_no_compiler(tiny_en_path: Path) -> None:
    """Torch would import its own for random weights on no device: a second, and 150 MB."""
    code = (
        "import sys\n"
        "from streamwhisper.engine.local import LocalOptions, LocalRecognizer\n"
        "LocalRecognizer.load(sys.argv[1], LocalOptions(threads=1)).warm_up()\n"
        "sys.exit('torch._dynamo' in sys.modules or 'sympy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, tiny_en_path], check=False).returncode == 0


def test_8_bits_keep_no_float_weight_of_a_linear_layer(
    int8: LocalRecognizer, recognizer: LocalRecognizer
) -> None:
    """What is left in float32 is, to the byte, what no linear layer multiplies with."""
    linear = {
        f"{name}.weight"
        for name, layer in recognizer.model.named_modules()
        if isinstance(layer, nn.Linear)
    }
    assert linear
    left = {
        name: shape for name, shape in state_shapes(int8.model.dims).items() if name not in linear
    }
    for name in [name for name in left if name.endswith(".attn.query.bias")]:
        block = name.removesuffix(".query.bias")  # one layer in place of three
        (width,) = left.pop(name)
        del left[f"{block}.value.bias"]
        left[f"{block}.fused.bias"] = (3 * width,)
    found = int8.model.state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == left
    held = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage() for tensor in found.values()
    }
    assert sum(storage.nbytes() for storage in held.values()) == 4 * sum(
        map(math.prod, left.values())
    )


@pytest.fixture(scope="module")
def heard_in_8_bits(int8: LocalRecognizer, talk: Mel) -> tuple[Mel, tuple[int, ...]]:
    """A real window and its plain greedy tokens."""
    mel = np.ascontiguousarray(talk[:, :640])
    return mel, int8.recognize([RecognitionRequest(mel=mel)])[0].tokens


@settings(max_examples=8)
@given(data=st.data())
def test_a_draft_right_or_wrong_never_changes_the_answer_in_8_bits(
    int8: LocalRecognizer, heard_in_8_bits: tuple[Mel, tuple[int, ...]], data: st.DataObject
) -> None:
    mel, plain = heard_in_8_bits
    kept = data.draw(st.integers(0, len(plain)), label="right tokens")
    wrong = data.draw(st.lists(st.integers(0, 50000), max_size=12), label="wrong tokens")
    resumed = data.draw(st.integers(0, 3), label="right tokens left out")
    draft = (*plain[:kept], *wrong, *plain[kept + resumed :])
    answer = int8.recognize([RecognitionRequest(mel=mel, draft=draft)])[0]
    assert answer.tokens == plain
    assert answer.drafted >= kept


def test_8_bits_leave_no_float_layer_and_hear_the_same(
    int8: LocalRecognizer, recognizer: LocalRecognizer, talk: Mel
) -> None:
    assert not any(isinstance(module, nn.Linear) for module in int8.model.modules())
    request = RecognitionRequest(mel=talk)
    in_8_bits, in_floats = (r.recognize([request])[0] for r in (int8, recognizer))
    assert "ask not what your country can do for you" in in_floats.text
    assert in_8_bits.text == in_floats.text


def words_hold_together(
    recognizer: LocalRecognizer, hypothesis: Hypothesis, seconds: float
) -> None:
    """Times lie within the window and never decrease; tokens spell the text."""
    times = [time for word in hypothesis.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert all(0 <= time <= seconds for time in times)
    decode = recognizer.tokenizer.decode
    assert decode(hypothesis.tokens) == hypothesis.text
    assert [decode(word.tokens) for word in hypothesis.words] == [w.text for w in hypothesis.words]
    assert all(word.text.strip() and word.log_probability <= 0 for word in hypothesis.words)


@settings(max_examples=8)
@given(data=st.data(), timestamps=st.booleans())
def test_words_of_any_window_are_in_order_within_it_and_spelt_by_their_tokens(
    recognizer: LocalRecognizer, talk: Mel, data: st.DataObject, timestamps: bool
) -> None:
    first = data.draw(st.integers(0, talk.shape[1] - 1), label="first frame")
    frames = data.draw(st.integers(1, 400), label="frames")
    mel = np.ascontiguousarray(talk[:, first : first + frames])
    options = DecodingOptions(timestamps=timestamps)
    request = RecognitionRequest(mel=mel, options=options)
    seconds = max(2, mel.shape[1]) / 100
    hypothesis = recognizer.recognize([request])[0]
    words_hold_together(recognizer, hypothesis, seconds)
    count = data.draw(st.integers(0, len(hypothesis.words)), label="words of the prefix")
    held = hypothesis.words[:count]
    prefix = tuple(token for word in held for token in word.tokens)
    end = held[-1].end if held else 0.0
    rest = recognizer.recognize([replace(request, prefix=prefix, prefix_end=end)])[0]
    words_hold_together(recognizer, rest, seconds)


@settings(max_examples=8)
@given(data=st.data())
def test_a_right_prefix_is_continued_with_the_words_that_followed_it(
    answered: tuple[LocalRecognizer, Answered], data: st.DataObject
) -> None:
    recognizer, pairs = answered
    request, whole = pairs[0]
    count = data.draw(st.integers(0, len(whole.words)), label="words of the prefix")
    prefix = tuple(token for word in whole.words[:count] for token in word.tokens)
    rest = recognizer.recognize([replace(request, prefix=prefix)])[0]
    assert rest.tokens == whole.tokens[len(prefix) :]


@settings(max_examples=8)
@given(data=st.data())
def test_a_hypothesis_that_is_cut_short_holds_whole_words_alone(
    answered: tuple[LocalRecognizer, Answered], data: st.DataObject
) -> None:
    """They are the first of those that it would have had."""
    recognizer, pairs = answered
    request, whole = pairs[0]
    most = data.draw(st.integers(0, len(whole.tokens) - 1), label="most tokens")
    short = recognizer.recognize([replace(request, options=DecodingOptions(max_tokens=most))])[0]
    assert short.ending == "length"
    assert len(short.tokens) <= most
    assert [w.tokens for w in short.words] == [w.tokens for w in whole.words[: len(short.words)]]


@pytest.mark.parametrize(
    "shape",
    [(79, 100), (128, 100), (80, 0), (80, 3001), (80,), (1, 80, 100)],
    ids=lambda shape: "x".join(map(str, shape)),
)
def test_a_window_of_a_wrong_shape_is_refused_with_both_shapes(
    recognizer: LocalRecognizer, talk: Mel, shape: tuple[int, ...]
) -> None:
    """Beside a right one as well, and the recognizer answers the next."""
    wrong = RecognitionRequest(mel=np.zeros(shape, np.float32))
    right = RecognitionRequest(mel=np.ascontiguousarray(talk[:, :100]))
    for requests in ([wrong], [right, wrong]):
        with pytest.raises(RecognitionError) as refused:
            recognizer.recognize(requests)
        assert str(shape) in str(refused.value)
        assert "(80, 1 to 3000)" in str(refused.value)
    assert len(recognizer.recognize([right])) == 1


def test_an_initial_prompt_is_what_its_tokens_are_before_the_prompt(
    recognizer: LocalRecognizer, talk: Mel
) -> None:
    request = RecognitionRequest(mel=np.ascontiguousarray(talk[:, :300]))
    text, carried = "glossary: fitzooth, montfichet", (11, 11)
    tokens = tuple(recognizer.tokenizer.encode(f" {text}"))
    (by_text,) = recognizer.recognize([replace(request, context=TextContext(carried, text))])
    (by_tokens,) = recognizer.recognize(
        [replace(request, context=TextContext((*tokens, *carried)))]
    )
    assert by_text == by_tokens
    (plain,) = recognizer.recognize([replace(request, context=TextContext(initial_prompt=" "))])
    assert plain == recognizer.recognize([request])[0]
    assert by_text != plain


def test_a_long_initial_prompt_leaves_room_for_what_is_said(
    recognizer: LocalRecognizer, talk: Mel
) -> None:
    request = RecognitionRequest(mel=np.ascontiguousarray(talk[:, :300]), prefix=(11,) * 150)
    long = replace(request, context=TextContext((11,) * 9, "So it goes, and goes on. " * 100))
    assert len(recognizer.recognize([long])) == 1


@pytest.mark.parametrize("part", ["context", "prefix", "draft"])
@pytest.mark.parametrize("token", [-1, 60000])
def test_a_token_outside_the_vocabulary_is_refused_by_number(
    recognizer: LocalRecognizer, talk: Mel, part: str, token: int
) -> None:
    tokens = TextContext((11, token)) if part == "context" else (11, token)
    request = replace(RecognitionRequest(mel=talk[:, :100]), **{part: tokens})
    with pytest.raises(RecognitionError, match=f"token {token} .* 0 to 51863"):
        recognizer.recognize([request])


def test_a_language_that_the_model_does_not_know_is_refused_by_name(
    base: LocalRecognizer, answered_in_languages: Answered
) -> None:
    request = answered_in_languages[0][0]
    for unknown in (
        replace(request, language="xx"),
        replace(request, language_options=LanguageOptions(("de", "xx"))),
    ):
        with pytest.raises(RecognitionError, match="'xx'"):
            base.recognize([unknown])


@pytest.mark.parametrize(
    "fields", [{"language": "de"}, {"language_options": LanguageOptions(("de",))}]
)
def test_an_english_model_refuses_another_language(
    recognizer: LocalRecognizer, talk: Mel, fields: dict[str, Any]
) -> None:
    request = RecognitionRequest(mel=talk[:, :100], **fields)
    with pytest.raises(RecognitionError, match=r'language is "de", but .* only supports English'):
        recognizer.recognize([request])


def test_languages_are_weighed_where_that_is_asked_for_and_the_text_stays_the_same(
    base: LocalRecognizer, answered_in_languages: Answered
) -> None:
    (found, any_language), (_, translated), (french, plain), _ = answered_in_languages
    assert next(iter(any_language.languages)) == "de"
    assert sum(any_language.languages.values()) == pytest.approx(1)
    assert not translated.languages
    assert not plain.languages
    weighed, among = base.recognize(
        [
            replace(french, language_options=LanguageOptions(detect=True)),
            replace(found, language_options=LanguageOptions(("fr", "nl", "es"))),
        ]
    )
    assert weighed.text == plain.text
    assert weighed.language == "fr"
    assert weighed.languages == pytest.approx(any_language.languages, abs=1e-4)
    assert set(among.languages) == {"fr", "nl", "es"}
    assert sum(among.languages.values()) == pytest.approx(1)
    assert among.language == next(iter(among.languages))
