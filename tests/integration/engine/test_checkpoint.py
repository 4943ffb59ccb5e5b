"""Checkpoints: three file formats, one description."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.checkpoints.checkpoint import load_checkpoint


def test_another_name_with_the_same_sizes_keeps_the_published_heads(tiny_en_path: Path) -> None:
    checkpoint = load_checkpoint(tiny_en_path, name="tuned-to-my-voice")
    assert checkpoint.name == "tuned-to-my-voice"
    assert checkpoint.alignment_heads == KNOWN_MODELS["tiny.en"].alignment_heads


def test_the_reference_implementation_understands_speech_with_these_weights(
    tiny_en_path: Path, speech: Any
) -> None:
    whisper = pytest.importorskip("whisper")
    checkpoint = load_checkpoint(tiny_en_path)
    sizes = {name: getattr(checkpoint.dims, name) for name in checkpoint.dims.__slots__}
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**sizes)).eval()
    model.load_state_dict({name: t.float() for name, t in checkpoint.state.items()}, strict=True)
    sound = whisper.pad_or_trim(speech.load(speech.clip("misc-en/jfk")))
    mel = whisper.log_mel_spectrogram(torch.from_numpy(sound))
    options = whisper.DecodingOptions(language="en", fp16=False, without_timestamps=True)
    text = whisper.decode(model, mel, options).text.lower()
    assert "ask not what your country can do for you" in text.replace(",", "")


@pytest.mark.parametrize(("fixture", "name"), [("tiny_en_path", "tiny.en"), ("base_path", "base")])
def test_real_weights_have_the_published_sizes(
    request: pytest.FixtureRequest, fixture: str, name: str
) -> None:
    checkpoint = load_checkpoint(request.getfixturevalue(fixture))
    known = KNOWN_MODELS[name]
    assert (checkpoint.name, checkpoint.dims) == (name, known.dims)
    assert checkpoint.alignment_heads == known.alignment_heads
    assert checkpoint.multilingual is known.dims.multilingual
