"""Output layer: hidden states to logits, most of the work of a token on a CPU.

Whisper's vocabulary has over 51,000 tokens, so one step reads up to 260 MB of weights to find the
most likely token. If the CPU multiplies 8-bit integers fast, all logits are first estimated with
8-bit weights, and those of the most likely tokens are then computed exactly. The choice is made
among exact logits. The estimates only enter sums over many tokens: the normalizing sum, and that of
the timestamp tokens.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from streamwhisper.whisper.quantized import IntegerProduct, can_quantize

__all__ = ["OutputLayer"]

EXACT = 64
"""Estimates differ by at most one; the five most likely tokens were always among the first ten."""


class OutputLayer:
    """Map from hidden states to logits; in 8 bits, the result of a row is independent of others."""

    def __init__(self, weight: Tensor) -> None:
        """Prepare the layer.

        Args:
            weight: token embeddings ``[n_vocab, D]``.
        """
        self.weight = weight
        self._estimate = IntegerProduct(weight) if can_quantize(weight.device) else None

    def __call__(self, hidden: Tensor) -> Tensor:
        """Return float32 logits ``[n, n_vocab]`` of hidden states ``[n, D]``."""
        if self._estimate is None:
            return F.linear(hidden, self.weight).float()
        rows = hidden.float()
        products, scale = self._estimate(rows)
        logits = products.mul_(scale)
        likeliest = logits.topk(EXACT, dim=1).indices
        exact = (self.weight[likeliest].float() * rows[:, None]).sum(dim=2)
        return logits.scatter_(1, likeliest, exact)
