"""The output layer, which is most of a token's work on a CPU: hidden states to logits.

Whisper's vocabulary has over 51,000 tokens, so one step reads up to 260 MB of weights to find
one likeliest token. Where the CPU multiplies 8-bit integers fast, all logits are estimated with
8-bit weights first, and those of the likeliest tokens are then computed exactly. The choice is
made among exact logits; the estimates only fill the normalizing sum.
"""

from __future__ import annotations

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["OutputLayer"]

EXACT = 64
"""Estimates are off by some hundredths; the likeliest token is never out of the first few."""


class OutputLayer:
    """Logits of single hidden states; what one row gives does not depend on the others."""

    def __init__(self, weight: Tensor) -> None:
        """Prepare the layer.

        Args:
            weight: token embeddings ``[n_vocab, D]``.
        """
        self.weight = weight
        self._packed = _pack(weight)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Hidden state ``[D]`` to float32 logits ``[n_vocab]``."""
        if self._packed is None:
            return F.linear(hidden, self.weight).float()
        row = hidden[None]
        logits: Tensor = torch.ops.quantized.linear_dynamic(row, self._packed, reduce_range=True)[0]
        likeliest = logits.topk(EXACT).indices
        logits[likeliest] = self.weight[likeliest] @ hidden
        return logits


def _pack(weight: Tensor) -> torch.ScriptObject | None:
    """8-bit weights, one scale for each token; None where they would not pay."""
    fast = weight.device.type == "cpu" and weight.dtype == torch.float32
    if not fast or "x86" not in torch.backends.quantized.supported_engines:
        return None
    torch.backends.quantized.engine = "x86"
    scales = (weight.abs().amax(dim=1) / 127).clamp_min(1e-8).double()
    zeros = torch.zeros(len(weight), dtype=torch.long)
    with warnings.catch_warnings():
        # torch points to torchao for whole quantized models; this is one product.
        warnings.simplefilter("ignore", UserWarning)
        quantized = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        packed: torch.ScriptObject = torch.ops.quantized.linear_prepack(quantized, None)
    return packed
