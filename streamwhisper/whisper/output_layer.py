"""The output layer, which is most of a token's work on a CPU: hidden states to logits.

Whisper's vocabulary has over 51,000 tokens, so one step reads up to 260 MB of weights to find
one likeliest token. Where the CPU multiplies 8-bit integers fast, all logits are estimated with
8-bit weights first, and those of the likeliest tokens are then computed exactly. The choice is
made among exact logits; the estimates only fill sums over many tokens (the normalizing one, and
that of the timestamp tokens where those are wanted).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from streamwhisper.whisper.quantized import IntegerProduct, can_quantize

__all__ = ["OutputLayer"]

EXACT = 64
"""Estimates are off by one at most; the five likeliest tokens were never out of the first ten."""


class OutputLayer:
    """Logits of hidden states; in 8 bits, what one row gives does not depend on the others."""

    def __init__(self, weight: Tensor) -> None:
        """Prepare the layer.

        Args:
            weight: token embeddings ``[n_vocab, D]``.
        """
        self.weight = weight
        self._estimate = IntegerProduct(weight) if can_quantize(weight.device) else None

    def __call__(self, hidden: Tensor) -> Tensor:
        """Hidden states ``[n, D]`` to float32 logits ``[n, n_vocab]``."""
        if self._estimate is None:
            return F.linear(hidden, self.weight).float()
        rows = hidden.float()
        products, scale = self._estimate(rows)
        logits = products.mul_(scale)
        likeliest = logits.topk(EXACT, dim=1).indices
        exact = (self.weight[likeliest].float() * rows[:, None]).sum(dim=2)
        return logits.scatter_(1, likeliest, exact)
