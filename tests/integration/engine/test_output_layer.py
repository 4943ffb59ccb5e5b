"""The output layer: exact where the choice is made, near enough elsewhere, row by row."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.whisper.decoding import context_tokens
from streamwhisper.whisper.output_layer import OutputLayer
from streamwhisper.whisper.quantized import can_quantize
from streamwhisper.whisper.tail import encode_padded

SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def weight(recognizer: LocalRecognizer) -> Tensor:
    return recognizer.model.decoder.token_embedding.weight


@pytest.fixture(scope="module")
def layer(weight: Tensor) -> OutputLayer:
    return OutputLayer(weight)


@pytest.fixture(scope="module")
@torch.inference_mode()
def states(recognizer: LocalRecognizer, speech: Any) -> Tensor:
    """The decoder's hidden states along its own text about real speech."""
    model, found = recognizer.model, []
    for clip in [speech.clips("misc-en")[0], *speech.clips("ls-dev")[::120]]:
        mel = log_mel(speech.load(clip))
        heard = recognizer.recognize([RecognitionRequest(mel=mel)])[0]
        context = context_tokens(
            recognizer.tokenizer, (), "en", "transcribe", timestamps=False, most=0
        )
        (sound,) = encode_padded(model, [torch.from_numpy(mel)])
        cache = model.decoder_cache(sound.cross_attention, sound.audible)
        (hidden,), _ = model.decoder([[*context, *heard.tokens]], [cache])
        found.append(hidden)
    return torch.cat(found)


def random_states(count: int, width: int, seed: int, scale: float = 10) -> Tensor:
    """About as large as real ones."""
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) * scale


def exact(hidden: Tensor, weight: Tensor) -> Tensor:
    return hidden.double() @ weight.double().T


def the_likeliest_are_exact(logits: Tensor, expected: Tensor, count: int) -> None:
    """The first `count` tokens of each row are the likeliest ones, with their exact logits."""
    found = logits.topk(count, dim=1)
    best = expected.topk(count, dim=1).values
    tolerance = 1e-5 * expected.abs().max()
    assert ((found.values - best).abs() <= tolerance).all()
    assert ((expected.gather(1, found.indices) - best).abs() <= tolerance).all()


def normalizer_error(logits: Tensor, expected: Tensor) -> float:
    return float((logits.double().logsumexp(dim=1) - expected.logsumexp(dim=1)).abs().max())


def test_real_states_have_the_exact_likeliest_tokens(
    layer: OutputLayer, weight: Tensor, states: Tensor
) -> None:
    logits, expected = layer(states), exact(states, weight)
    assert logits.shape == (len(states), len(weight))
    assert logits.dtype == torch.float32
    the_likeliest_are_exact(logits, expected, 5)
    assert torch.equal(logits.argmax(dim=1), expected.argmax(dim=1))


def test_real_states_have_nearly_the_exact_normalizer(
    layer: OutputLayer, weight: Tensor, states: Tensor
) -> None:
    """A log-probability is off by less than 0.05."""
    assert normalizer_error(layer(states), exact(states, weight)) < 0.05


@settings(max_examples=15)
@given(count=st.integers(1, 6), seed=SEEDS, decades=st.floats(-4, 1.5))
def test_random_states_of_any_size_have_the_exact_likeliest_tokens(
    layer: OutputLayer, weight: Tensor, count: int, seed: int, decades: float
) -> None:
    hidden = random_states(count, weight.shape[1], seed, scale=10**decades)
    logits, expected = layer(hidden), exact(hidden, weight)
    the_likeliest_are_exact(logits, expected, 3)
    assert normalizer_error(logits, expected) < 0.25


@settings(max_examples=15)
@given(data=st.data())
def test_a_row_gives_the_same_bits_whatever_rows_stand_beside_it(
    layer: OutputLayer, states: Tensor, data: st.DataObject
) -> None:
    """Any choice of real and random states, in any order, even twice."""
    if not can_quantize(torch.device("cpu")):
        pytest.skip("torch has no fast 8-bit products on this CPU")
    few = torch.cat((states[::7], random_states(8, states.shape[1], seed=0)))
    index = st.integers(0, len(few) - 1)
    chosen = data.draw(st.lists(index, min_size=1, max_size=24), label="rows")
    assert torch.equal(layer(few[chosen]), layer(few)[chosen])
    assert torch.equal(layer(few[chosen[:1]])[0], layer(few)[chosen[0]])


def test_weights_of_half_the_precision_are_multiplied_exactly_too(
    weight: Tensor, states: Tensor
) -> None:
    """In bfloat16 nothing but the weights is rounded, so the choice is theirs."""
    if not can_quantize(torch.device("cpu")):
        pytest.skip("torch has no fast 8-bit products on this CPU")
    half = weight.bfloat16()
    hidden = states[::5].bfloat16()
    logits = OutputLayer(half)(hidden)
    assert logits.dtype == torch.float32
    the_likeliest_are_exact(logits, exact(hidden, half), 5)


def test_a_state_of_zeros_makes_all_tokens_equally_likely(
    layer: OutputLayer, weight: Tensor
) -> None:
    assert not layer(torch.zeros(2, weight.shape[1])).any()
