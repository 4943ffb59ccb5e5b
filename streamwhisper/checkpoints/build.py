"""Construction of the network from a checkpoint."""

from __future__ import annotations

import torch

from streamwhisper.checkpoints.checkpoint import Checkpoint
from streamwhisper.whisper.model import Whisper

__all__ = ["build_model"]


def build_model(
    checkpoint: Checkpoint,
    *,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Whisper:
    """Build the network with a checkpoint's weights, for inference.

    Args:
        checkpoint: sizes and weights; see `load_checkpoint`.
        device: where to put the weights; None leaves them on the CPU.
        dtype: floating-point type of the weights; None keeps those of the checkpoint.

    Returns:
        the network. Without `device` and `dtype` its weights are the checkpoint's own tensors,
        not copies.
    """
    with torch.device("meta"):
        model = Whisper(checkpoint.dims, checkpoint.alignment_heads)
    model.load_state_dict(checkpoint.state, strict=True, assign=True)
    model.generation = checkpoint.generation
    return model.requires_grad_(False).eval().to(device=device, dtype=dtype)
