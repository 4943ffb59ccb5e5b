"""Windows encoded with and without a computed tail."""

from __future__ import annotations

import torch
from torch import Tensor

from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.tail import EncodedAudio, SilentTails, encode, encode_padded


def encode_one(tails: SilentTails, mel: Tensor) -> EncodedAudio:
    return encode(tails, [mel])[0]


def pad_one(model: Whisper, mel: Tensor) -> EncodedAudio:
    return encode_padded(model, [mel])[0]


def tensors(sound: EncodedAudio) -> list[Tensor]:
    return [tensor for keys_values in sound.cross_attention for tensor in keys_values]


def equal(one: EncodedAudio, other: EncodedAudio) -> bool:
    pairs = zip(tensors(one), tensors(other), strict=True)
    return one.audible == other.audible and all(torch.equal(a, b) for a, b in pairs)
