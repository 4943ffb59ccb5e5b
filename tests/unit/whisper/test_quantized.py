"""Linear layers in 8 bits: near the float layer, and each row computed as if it were alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from streamwhisper.whisper.quantized import IntegerProduct, QuantizedLinear, can_quantize, quantize
from tests.support.examples import examples

pytestmark = pytest.mark.skipif(
    not can_quantize(torch.device("cpu")), reason="torch has no fast 8-bit products on this CPU"
)

SIZES = st.integers(1, 70)
SEEDS = st.integers(0, 2**32 - 1)
ACTIVATION_STEPS = 63
"""The fewest steps from zero to a row's largest activation; some CPUs have 127."""


def layer(inputs: int, outputs: int, *, bias: bool = True, seed: int = 0) -> nn.Linear:
    """Random weights, each output's of another magnitude."""
    made = nn.Linear(inputs, outputs, bias=bias).requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    made.weight.normal_(generator=generator).mul_(magnitudes(outputs, generator, 3))
    return made


def rows(count: int, inputs: int, seed: int = 1, decades: float = 6) -> Tensor:
    """Random rows, their magnitudes spread over many decades."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, inputs, generator=generator) * magnitudes(count, generator, decades)


def magnitudes(count: int, generator: torch.Generator, decades: float) -> Tensor:
    return 10 ** (torch.rand(count, 1, generator=generator) * decades - decades / 2)


def relative_errors(found: Tensor, expected: Tensor) -> Tensor:
    """Of each row."""
    return (found - expected).norm(dim=1) / expected.norm(dim=1)


@settings(max_examples=examples(100))
@given(inputs=SIZES, outputs=SIZES, count=st.integers(1, 9), bias=st.booleans(), seed=SEEDS)
def test_no_output_is_further_off_than_rounding_both_factors_explains(
    inputs: int, outputs: int, count: int, bias: bool, seed: int
) -> None:
    """Weights rounded to 127 steps and activations to at least 63 give the bound."""
    float_layer = layer(inputs, outputs, bias=bias, seed=seed)
    x, weight = rows(count, inputs, seed + 1).double(), float_layer.weight.double()
    expected = nn.functional.linear(x, weight).float()
    if bias:
        expected += float_layer.bias
    step = x.abs().amax(dim=1, keepdim=True) / ACTIVATION_STEPS
    weight_step = weight.abs().amax(dim=1) / 127
    bound = (
        x.abs().sum(dim=1, keepdim=True) * weight_step / 2
        + weight.abs().sum(dim=1) * step / 2
        + inputs * step * weight_step / 4
    )
    found = QuantizedLinear(float_layer)(x.float())
    assert ((found - expected).abs() <= bound * 1.001 + expected.abs() * 1e-5 + 1e-6).all()


def test_wide_layers_are_off_by_a_few_percent_at_most_in_every_row() -> None:
    """Rows whose magnitudes lie ten decades apart, in one call: each keeps its accuracy."""
    float_layer = layer(384, 1536, bias=False)
    x = rows(200, 384, decades=10)
    errors = relative_errors(QuantizedLinear(float_layer)(x), float_layer(x))
    assert errors.max() < 0.03


@settings(max_examples=examples(60))
@given(data=st.data(), inputs=SIZES, outputs=SIZES, bias=st.booleans(), seed=SEEDS)
def test_a_row_gives_the_same_bits_whatever_rows_stand_beside_it(
    data: st.DataObject, inputs: int, outputs: int, bias: bool, seed: int
) -> None:
    """Any choice of rows, in any order, even twice."""
    quantized = QuantizedLinear(layer(inputs, outputs, bias=bias, seed=seed))
    x = rows(20, inputs, seed)
    chosen = data.draw(st.lists(st.integers(0, 19), min_size=1, max_size=40), label="rows")
    assert torch.equal(quantized(x[chosen]), quantized(x)[chosen])


def test_a_row_of_a_real_layers_size_gives_the_same_bits_alone() -> None:
    """Enough rows to be worth several threads to torch."""
    quantized = QuantizedLinear(layer(384, 1536))
    x = rows(600, 384)
    together = quantized(x)
    for row in range(0, 600, 7):
        assert torch.equal(quantized(x[row : row + 1])[0], together[row])
    assert torch.equal(quantized(x.flip(0)), together.flip(0))


@settings(max_examples=examples(25))
@given(shape=st.lists(st.integers(0, 4), min_size=0, max_size=3), seed=SEEDS)
def test_leading_dimensions_and_strides_do_not_matter(shape: list[int], seed: int) -> None:
    quantized = QuantizedLinear(layer(6, 5))
    x = torch.randn(*shape, 6, generator=torch.Generator().manual_seed(seed))
    found = quantized(x)
    assert found.shape == (*shape, 5)
    assert found.dtype == torch.float32
    assert torch.equal(found.reshape(-1, 5), quantized(x.reshape(-1, 6)))
    strided = x.transpose(0, -1).contiguous().transpose(0, -1)
    assert torch.equal(quantized(strided), found)


@pytest.mark.parametrize("bias", [True, False])
def test_a_row_of_zeros_gives_the_bias(bias: bool) -> None:
    """Alone and beside a loud one."""
    float_layer = layer(33, 17, bias=bias)
    quantized = QuantizedLinear(float_layer)
    x = torch.zeros(3, 33)
    x[1] = 1e4
    expected = float_layer.bias if bias else torch.zeros(17)
    for found in (*quantized(x)[[0, 2]], *quantized(x[:1])):
        assert torch.equal(found, expected)


def test_an_output_without_weights_is_zero() -> None:
    product = IntegerProduct(torch.zeros(3, 8))
    products, scale = product(rows(5, 8))
    assert not (products * scale).any()


class Nested(nn.Module):
    """Linear layers at several depths, and other layers among them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.inner = nn.Sequential(nn.Linear(8, 4, bias=False), nn.GELU(), nn.Linear(4, 8))
        self.convolution = nn.Conv1d(8, 8, 1)
        self.deeper = nn.ModuleList([nn.ModuleList([nn.Linear(8, 8)]), nn.Embedding(3, 8)])

    def forward(self, x: Tensor) -> Tensor:
        return self.deeper[0][0](self.inner(self.norm(self.first(x))))


def nested() -> Nested:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Nested().requires_grad_(False)


def test_every_linear_layer_is_replaced_and_nothing_else() -> None:
    module = nested()
    before = dict(module.named_modules())
    x = rows(4, 8, decades=0)
    expected = module(x)
    quantize(module)
    after = dict(module.named_modules())
    assert list(after) == list(before)
    for name, part in before.items():
        if isinstance(part, nn.Linear):
            assert isinstance(after[name], QuantizedLinear), name
        else:
            assert after[name] is part, name
    assert relative_errors(module(x), expected).max() < 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_quantized_as_if_they_had_been_floats(dtype: torch.dtype) -> None:
    """So that weights in the file's type need no float32 copy of the whole model."""
    halves, floats = nested().to(dtype), nested().to(dtype).float()
    quantize(halves)
    quantize(floats)
    x = rows(4, 8, decades=0)
    assert torch.equal(halves.float()(x), floats(x))


def test_a_second_time_changes_nothing() -> None:
    module = nested()
    quantize(module)
    before = dict(module.named_modules())
    quantize(module)
    assert dict(module.named_modules()) == before


def test_other_devices_are_told_apart() -> None:
    """Only CPUs multiply integers through this kernel."""
    assert not can_quantize(torch.device("meta"))
    assert not can_quantize(torch.device("cuda"))


@settings(max_examples=examples(50))
@given(inputs=SIZES, sizes=st.lists(SIZES, min_size=2, max_size=4), seed=SEEDS)
def test_layers_in_one_give_the_bits_of_each_alone(
    inputs: int, sizes: list[int], seed: int
) -> None:
    layers = [layer(inputs, size, bias=i != 1, seed=seed + i) for i, size in enumerate(sizes)]
    x = rows(3, inputs, seed + 9)
    alone = torch.cat([QuantizedLinear(each)(x) for each in layers], dim=1)
    assert torch.equal(QuantizedLinear(*layers)(x), alone)
