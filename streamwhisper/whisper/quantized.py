"""Linear layers in 8-bit integers: a quarter of the memory traffic, several times the speed.

As in CTranslate2's int8, weights have one scale for each output and activations one for each row.
Integer sums are exact, so the result of a row never depends on the other rows of its batch. A draft
that is verified in one pass gets the numbers of single steps.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from streamwhisper.whisper.blocks import MultiHeadAttention

__all__ = ["IntegerProduct", "QuantizedLinear", "can_quantize", "is_quantized", "quantize"]

ENGINE = "fbgemm"
TINY = 1e-8
ROWS = 256
"""Rows that are rounded at a time."""


def can_quantize(device: torch.device) -> bool:
    """Return whether torch multiplies 8-bit integers fast on this device."""
    return device.type == "cpu" and ENGINE in torch.backends.quantized.supported_engines


class IntegerProduct:
    """Product with a fixed matrix, in 8 bits."""

    def __init__(self, weight: Tensor) -> None:
        """Prepare the matrix.

        Args:
            weight: float ``[outputs, inputs]``.
        """
        # Not weight.abs().amax(dim=1), which would copy the matrix.
        largest = torch.maximum(weight.amax(dim=1), -weight.amin(dim=1))
        scales = (largest / 127).clamp_min(TINY).double()
        zeros = torch.zeros(len(weight), dtype=torch.long)
        torch.backends.quantized.engine = ENGINE
        with warnings.catch_warnings():
            # torch points to torchao for whole quantized models; this is one product.
            warnings.simplefilter("ignore", UserWarning)
            rounded = _rounded(weight, scales, zeros)
            self._packed: torch.ScriptObject = torch.ops.quantized.linear_prepack(rounded, None)
        self._multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32.default
        # Without VNNI, sums of two products saturate at 16 bits unless activations have 7.
        self._zero = 128 if torch.cpu._is_vnni_supported() else 64
        self._step = 1 / (self._zero - 1)

    def __call__(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return products ``[n, outputs]`` of ``rows [n, inputs]``, and their scales ``[n, 1]``."""
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_min_(TINY)
        products = self._multiply(rows / scale, self._step, self._zero, self._packed)
        return products, scale


def _rounded(weight: Tensor, scales: Tensor, zeros: Tensor) -> Tensor:
    """Return the matrix in 8 bits; converts a few rows to float32 at a time."""
    whole = torch.empty(weight.shape, dtype=torch.int8)
    every = (torch.split(tensor, ROWS) for tensor in (whole, weight, scales, zeros))
    for place, part, scale, zero in zip(*every, strict=True):
        rounded = torch.quantize_per_channel(part.float(), scale, zero, 0, torch.qint8)
        place.copy_(rounded.int_repr())
    made: Tensor = torch._make_per_channel_quantized_tensor(whole, scales, zeros, 0)
    return made


class QuantizedLinear(nn.Module):
    """Replacement for linear layers in 8 bits; input and output are float32."""

    def __init__(self, *linears: nn.Linear) -> None:
        """Replace one layer, or several with a common input by one with concatenated outputs."""
        super().__init__()
        weights = [linear.weight.float() for linear in linears]
        self._product = IntegerProduct(weights[0] if len(weights) == 1 else torch.cat(weights))
        self._outputs = sum(linear.out_features for linear in linears)
        self.bias: nn.Parameter | None = _biases(linears)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x [..., inputs]`` to ``[..., outputs]``."""
        products, scale = self._product(x.reshape(-1, x.shape[-1]))
        bias = self.bias
        if bias is None:
            products *= scale
        else:
            torch.addcmul(bias, products, scale, out=products)
        return products.view(*x.shape[:-1], self._outputs)


def _biases(linears: Sequence[nn.Linear]) -> nn.Parameter | None:
    """Return the concatenated biases, zeros for layers without one; None if no layer has one."""
    given = [linear.bias for linear in linears]
    if len(given) == 1 or all(bias is None for bias in given):
        return given[0]
    found: list[Tensor] = [
        linear.weight.new_zeros(linear.out_features) if bias is None else bias
        for linear, bias in zip(linears, given, strict=True)
    ]
    return nn.Parameter(torch.cat(found), requires_grad=False)


def is_quantized(module: nn.Module) -> bool:
    """Return whether `module` contains a quantized layer."""
    return any(isinstance(child, QuantizedLinear) for child in module.modules())


def quantize(module: nn.Module) -> None:
    """Replace every linear layer inside `module` by a quantized one.

    Layers of any floating-point type are accepted; each is converted separately.
    """
    for name, child in list(module.named_children()):
        if name == "attn" and isinstance(child, MultiHeadAttention):
            child.fuse(QuantizedLinear(child.query, child.key, child.value))
        if isinstance(child, nn.Linear):
            setattr(module, name, QuantizedLinear(child))
        else:
            quantize(child)
