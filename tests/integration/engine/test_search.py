"""The offline search: the reference's text, whichever way it searches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.checkpoints.build import build_model
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.errors import RecognitionError
from streamwhisper.whisper.repetition import RepetitionOptions
from streamwhisper.whisper.search import (
    SearchOptions,
    SearchResult,
    SearchTask,
    search,
    text_tokens,
)
from streamwhisper.whisper.tail import EncodedAudio, encode_padded
from streamwhisper.whisper.tokenizer import Tokenizer, get_tokenizer

pytestmark = pytest.mark.weights

MODELS = {"tiny.en": "tiny_en_path", "base": "base_path"}


class Pair:
    """The same weights here and in the reference; a sound is encoded once for each."""

    def __init__(self, reference: Any, path: Path) -> None:
        checkpoint = load_checkpoint(path)
        self.model = build_model(checkpoint, dtype=torch.float32)
        self.tokenizer: Tokenizer = get_tokenizer(self.model.dims.n_vocab)
        self.reference = reference
        dims = reference.model.ModelDimensions(**asdict(checkpoint.dims))
        self.other = reference.model.Whisper(dims)
        self.other.load_state_dict({k: tensor.float() for k, tensor in checkpoint.state.items()})
        self.other.eval()

    def encode(self, samples: Any) -> tuple[EncodedAudio, Any]:
        mel = self.reference.log_mel_spectrogram(self.reference.pad_or_trim(samples))
        (sound,) = encode_padded(self.model, [mel])
        return sound, self.other.embed_audio(mel[None])[0]

    def tokens(self, text: str | None) -> tuple[int, ...]:
        return text_tokens(self.tokenizer, text) if text else ()

    def search(
        self, *tasks: SearchTask, temperature: float = 0.0, **options: Any
    ) -> list[SearchResult]:
        output, wanted = self.model.decoder.logits, SearchOptions(**options)
        return search(self.model, output, self.tokenizer, tasks, wanted, temperature)

    def expect(self, features: Any, **options: Any) -> Any:
        wanted = self.reference.DecodingOptions(language="en", fp16=False, **options)
        return self.reference.decode(self.other, features, wanted)


Load = Callable[[str], Pair]


@pytest.fixture(scope="module")
def load(request: pytest.FixtureRequest) -> Load:
    reference = pytest.importorskip("whisper", reason="the reference is the openai-whisper package")
    return cache(lambda name: Pair(reference, request.getfixturevalue(MODELS[name])))


@pytest.fixture(scope="module")
def tiny(load: Load) -> Pair:
    return load("tiny.en")


@pytest.fixture(scope="module")
def samples(speech: Any) -> list[Any]:
    """Short utterances."""
    clips = [clip for clip in speech.clips("ls-dev") if 2.5 < clip["duration_s"] < 5]
    return [speech.load(clip) for clip in clips[:: len(clips) // 3][:3]]


@pytest.fixture(scope="module")
def heard(tiny: Pair, samples: list[Any]) -> list[tuple[EncodedAudio, Any]]:
    return [tiny.encode(sound) for sound in samples]


def assert_equal(found: SearchResult, expected: Any) -> None:
    assert list(found.tokens) == expected.tokens
    assert found.text == expected.text
    assert found.log_probability == pytest.approx(expected.avg_logprob, abs=1e-3)
    assert found.no_speech_probability == pytest.approx(expected.no_speech_prob, abs=1e-4)
    assert found.compression_ratio == expected.compression_ratio


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("beam_size", [None, 5])
def test_tokens_and_figures_equal_the_references(
    load: Load, samples: list[Any], name: str, beam_size: int | None
) -> None:
    """With and without timestamps, a prompt and a prefix."""
    pair = load(name)
    ways = [(False, None, None), (True, "Miss Shimerda's", None), (True, None, "And")]
    for sound in samples[: 1 if name == "base" else 2]:
        own, other = pair.encode(sound)
        for timestamps, prompt, prefix in ways:
            plain = {"beam_size": beam_size, "prompt": prompt, "prefix": prefix}
            expected = pair.expect(other, without_timestamps=not timestamps, **plain)
            task = SearchTask(own, prompt=pair.tokens(prompt), prefix=pair.tokens(prefix))
            (found,) = pair.search(task, beam_size=beam_size, timestamps=timestamps)
            assert_equal(found, expected)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({"beam_size": 3, "patience": 2.0, "length_penalty": 0.6}, {}),
        ({"beam_size": 4, "patience": 0.5}, {}),
        ({"beam_size": 3, "max_tokens": 4}, {"sample_len": 4}),
        ({"max_tokens": 4}, {"sample_len": 4}),
        ({"suppress_tokens": (262, 290, -1)}, {"suppress_tokens": [262, 290, -1]}),
        ({"suppress_tokens": None}, {}),
        ({"suppress_blank": False}, {}),
        ({"max_initial_timestamp": 0.2}, {}),
    ],
    ids=str,
)
def test_options_mean_what_they_mean_to_the_reference(
    tiny: Pair,
    heard: list[tuple[EncodedAudio, Any]],
    own: dict[str, Any],
    other: dict[str, Any],
) -> None:
    shared = {name: value for name, value in own.items() if name != "max_tokens"}
    sound, features = heard[1]
    expected = tiny.expect(features, **shared | other)
    assert_equal(tiny.search(SearchTask(sound), **own)[0], expected)


def test_of_a_long_prompt_the_end_counts(tiny: Pair, heard: list[tuple[EncodedAudio, Any]]) -> None:
    sound, features = heard[0]
    prompt = tiny.tokens("The ladies of the house spoke of Ottoman manuscripts. " * 40)
    assert len(prompt) > 300
    expected = tiny.expect(features, prompt=list(prompt), sample_len=8)
    tasks = [SearchTask(sound, prompt=own) for own in (prompt, prompt[-223:])]
    whole, end = tiny.search(*tasks, max_tokens=8)
    assert_equal(whole, expected)
    assert end == whole


@pytest.mark.parametrize(("beam_size", "temperature"), [(5, 0.0), (None, 0.7)])
def test_tasks_side_by_side_are_found_as_alone(
    tiny: Pair,
    heard: list[tuple[EncodedAudio, Any]],
    beam_size: int | None,
    temperature: float,
) -> None:
    tasks = [SearchTask(sound, seed=seed) for seed, (sound, _) in enumerate(heard)]
    tasks[1] = replace(tasks[1], prompt=tiny.tokens("Some words before."))
    options = {"beam_size": beam_size, "best_of": 3, "temperature": temperature}
    together = tiny.search(*tasks, **options)
    for task, found in zip(tasks, together, strict=True):
        (alone,) = tiny.search(task, **options)
        assert found.tokens == alone.tokens
        assert found.log_probability == pytest.approx(alone.log_probability, abs=1e-4)
    assert tiny.search() == []


def test_hardly_any_temperature_is_greedy_and_more_of_it_is_not(
    tiny: Pair, heard: list[tuple[EncodedAudio, Any]]
) -> None:
    """The same draws come of the same seed."""
    sound, _ = heard[2]
    (greedy,) = tiny.search(SearchTask(sound))
    (cold,) = tiny.search(SearchTask(sound), temperature=1e-3)
    assert cold.tokens == greedy.tokens
    hot = tiny.search(*(SearchTask(sound, seed=seed) for seed in (1, 1, 2, 3)), temperature=1.5)
    assert hot[0] == hot[1]
    assert len({result.tokens for result in hot}) > 1
    assert {result.temperature for result in hot} == {1.5}


def test_the_best_of_many_tries_is_likelier_than_most_single_ones(
    tiny: Pair, heard: list[tuple[EncodedAudio, Any]]
) -> None:
    sound, _ = heard[2]
    singles = tiny.search(*(SearchTask(sound, seed=seed) for seed in range(5)), temperature=1.0)
    (best,) = tiny.search(SearchTask(sound, seed=9), best_of=5, temperature=1.0)
    ordered = sorted(result.log_probability for result in singles)
    assert best.log_probability > ordered[2]


def test_a_token_that_came_before_can_be_priced_out_of_the_text(
    tiny: Pair, heard: list[tuple[EncodedAudio, Any]]
) -> None:
    tasks = [SearchTask(sound) for sound, _ in heard]
    for found in tiny.search(*tasks, repetition=RepetitionOptions(no_repeat_ngram=1)):
        text = [token for token in found.tokens if token < tiny.tokenizer.eot]
        assert len(set(text)) == len(text) > 5


def test_a_prefix_without_room_behind_it_is_refused(
    tiny: Pair, heard: list[tuple[EncodedAudio, Any]]
) -> None:
    with pytest.raises(RecognitionError, match="448"):
        tiny.search(SearchTask(heard[0][0], prefix=(257,) * 449))


def test_a_token_that_is_none_cannot_be_suppressed(
    tiny: Pair, heard: list[tuple[EncodedAudio, Any]]
) -> None:
    with pytest.raises(RecognitionError, match="99999"):
        tiny.search(SearchTask(heard[0][0]), suppress_tokens=(99999,))
