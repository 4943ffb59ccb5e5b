"""The network against the reference implementation, with the same real weights in float32."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.audio.mel import log_mel
from streamwhisper.whisper.checkpoints import load_checkpoint
from streamwhisper.whisper.model import Whisper

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
    ours = Whisper.from_checkpoint(checkpoint, device=torch.device("cpu"), dtype=torch.float32)
    return ours, other.eval()


@pytest.fixture(scope="module")
def mel(speech: Any) -> torch.Tensor:
    samples = speech.load(speech.clips("misc-en")[0])
    padded = torch.from_numpy(log_mel(samples))
    floor = float(padded.min())
    return torch.nn.functional.pad(padded, (0, 3000 - padded.shape[1]), value=floor)[None]


@torch.inference_mode()
def test_encoder_output_equals_the_references(pair: tuple[Whisper, Any], mel: torch.Tensor) -> None:
    ours, other = pair
    encoded, _ = ours.encoder(mel)
    assert (encoded - other.encoder(mel)).abs().max() < 1e-3


@torch.inference_mode()
def test_logits_equal_the_references_however_the_tokens_are_split(
    pair: tuple[Whisper, Any], mel: torch.Tensor
) -> None:
    ours, other = pair
    encoded = other.encoder(mel)
    tokens = torch.tensor([TEXT])
    expected = other.decoder(tokens, encoded)
    for split in ([7], [3, 4], [1] * 7):
        cache = ours.decoder_cache(ours.cross_attention(encoded))
        hidden = []
        for part in torch.split(tokens, split, dim=1):
            positions = torch.arange(cache.length, cache.length + part.shape[1])
            hidden.append(ours.decoder(part, positions, cache, 550)[0])
        logits = ours.decoder.logits(torch.cat(hidden, dim=1))
        assert (logits - expected).abs().max() < 1e-3


@torch.inference_mode()
def test_a_batch_equals_its_rows_alone(pair: tuple[Whisper, Any], mel: torch.Tensor) -> None:
    ours, _ = pair
    both = torch.cat((mel, mel.flip(-1)))
    together, _ = ours.encoder(both)
    for row in range(2):
        alone, _ = ours.encoder(both[row : row + 1])
        assert (together[row] - alone[0]).abs().max() < 1e-3


@torch.inference_mode()
def test_forgotten_tokens_leave_no_trace(pair: tuple[Whisper, Any], mel: torch.Tensor) -> None:
    ours, _ = pair
    encoded, _ = ours.encoder(mel)
    cache = ours.decoder_cache(ours.cross_attention(encoded))
    ours.decoder(torch.tensor([TEXT]), torch.arange(7), cache, 550)
    cache.length = 3
    again, _ = ours.decoder(torch.tensor([TEXT[3:4]]), torch.arange(3, 4), cache, 550)
    fresh = ours.decoder_cache(cache.cross_attention)
    expected, _ = ours.decoder(torch.tensor([TEXT[:4]]), torch.arange(4), fresh, 550)
    assert (again[0, 0] - expected[0, 3]).abs().max() < 1e-4
