"""The network against the reference implementation, with the same real weights in float32."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.audio.mel import log_mel
from streamwhisper.checkpoints.build import build_model
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.whisper.kv_cache import DecoderCache, EncoderRow
from streamwhisper.whisper.model import Whisper

pytestmark = pytest.mark.weights

reference = pytest.importorskip("whisper", reason="the reference is the openai-whisper package")

TEXT = [50257, 50362, 843, 523, 616, 5891, 3399]


@pytest.fixture(scope="module", params=["tiny.en", "base"])
def pair(request: pytest.FixtureRequest) -> tuple[Whisper, Any]:
    """Our model and the reference's."""
    fixture = {"tiny.en": "tiny_en_path", "base": "base_path"}[request.param]
    path: Path = request.getfixturevalue(fixture)
    checkpoint = load_checkpoint(path)
    other = reference.model.Whisper(reference.model.ModelDimensions(**asdict(checkpoint.dims)))
    other.load_state_dict({name: tensor.float() for name, tensor in checkpoint.state.items()})
    ours = build_model(checkpoint, device=torch.device("cpu"), dtype=torch.float32)
    return ours, other.eval()


@pytest.fixture(scope="module")
def mel(speech: Any) -> torch.Tensor:
    samples = speech.load(speech.clips("misc-en")[0])
    padded = torch.from_numpy(log_mel(samples))
    floor = float(padded.min())
    return torch.nn.functional.pad(padded, (0, 3000 - padded.shape[1]), value=floor)


@torch.inference_mode()
def test_encoder_output_equals_the_references(pair: tuple[Whisper, Any], mel: torch.Tensor) -> None:
    ours, other = pair
    encoded, _ = ours.encoder([EncoderRow(mel, 1500)])
    assert (encoded - other.encoder(mel[None])[0]).abs().max() < 1e-3


@torch.inference_mode()
def test_logits_equal_the_references_however_the_tokens_are_split(
    pair: tuple[Whisper, Any], mel: torch.Tensor
) -> None:
    ours, other = pair
    encoded = other.encoder(mel[None])
    expected = other.decoder(torch.tensor([TEXT]), encoded)[0]
    for split in ([7], [3, 4], [1] * 7):
        cache = new_cache(ours, encoded[0])
        hidden, start = [], 0
        for count in split:
            hidden += ours.decoder([TEXT[start : start + count]], [cache])[0]
            start += count
        logits = ours.decoder.logits(torch.cat(hidden))
        assert (logits - expected).abs().max() < 1e-3


@torch.inference_mode()
def test_encoded_together_equals_encoded_alone(
    pair: tuple[Whisper, Any], mel: torch.Tensor
) -> None:
    """Windows of different lengths in one batch."""
    ours, _ = pair
    rows = [EncoderRow(mel[:, : 2 * count], count) for count in (20, 300, 1, 171)]
    together, layers = ours.encoder(rows)
    for index, (row, part) in enumerate(
        zip(rows, together.split([row.positions for row in rows]), strict=True)
    ):
        alone, own_layers = ours.encoder([row])
        assert (part - alone).abs().max() < 1e-3
        for own, every in zip(own_layers, layers, strict=True):
            assert (own[0][0] - every[index][0]).abs().max() < 1e-3


@torch.inference_mode()
def test_decoded_together_equals_decoded_alone(
    pair: tuple[Whisper, Any], mel: torch.Tensor
) -> None:
    """Texts of different lengths about different sounds, and one row that has more behind it."""
    ours, _ = pair
    encoded, _ = ours.encoder([EncoderRow(mel[:, :400], 200)])
    texts = [TEXT[:4], TEXT[:1], TEXT]
    sounds = [encoded, encoded[:50], encoded[30:]]
    caches = [new_cache(ours, sound) for sound in sounds]
    ours.decoder([TEXT[:2]], [caches[1]])
    hidden, weights = ours.decoder(texts, caches)
    for text, sound, states, aligned in zip(texts, sounds, hidden, weights, strict=True):
        cache = new_cache(ours, sound)
        if len(text) == 1:
            ours.decoder([TEXT[:2]], [cache])
        (alone,), (own,) = ours.decoder([text], [cache])
        assert (states - alone).abs().max() < 1e-3
        assert (aligned - own).abs().max() < 1e-4
        assert aligned.shape[1:] == (len(text), min(50, len(sound)))


@torch.inference_mode()
def test_forgotten_tokens_leave_no_trace(pair: tuple[Whisper, Any], mel: torch.Tensor) -> None:
    ours, _ = pair
    encoded, _ = ours.encoder([EncoderRow(mel, 1500)])
    cache = new_cache(ours, encoded)
    ours.decoder([TEXT], [cache])
    cache.length = 3
    (again,), _ = ours.decoder([TEXT[3:4]], [cache])
    (expected,), _ = ours.decoder([TEXT[:4]], [new_cache(ours, encoded)])
    assert (again[0] - expected[3]).abs().max() < 1e-4


def new_cache(model: Whisper, encoded: torch.Tensor) -> DecoderCache:
    """For text about ``encoded [S, D]``."""
    (attention,) = model.cross_attention(encoded, [len(encoded)])
    return model.decoder_cache(attention, min(50, len(encoded)))


def test_weights_are_not_copied_unless_they_are_converted(tiny_en_path: Path) -> None:
    """Then whoever drops the checkpoint has the model's weights alone."""
    checkpoint = load_checkpoint(tiny_en_path)
    for name, tensor in build_model(checkpoint).state_dict().items():
        assert tensor.data_ptr() == checkpoint.state[name].data_ptr(), name
