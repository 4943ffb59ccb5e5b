"""How much memory loading takes, beside the weights that it leaves: measured in a new process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from streamwhisper.whisper.dimensions import ModelDimensions
from tests.support.made_up import made_up, write_hugging_face

LIMIT = 1.3
DIMS = ModelDimensions(
    n_mels=80,
    n_audio_ctx=1500,
    n_audio_state=512,
    n_audio_head=8,
    n_audio_layer=10,
    n_vocab=51865,
    n_text_ctx=448,
    n_text_state=512,
    n_text_head=8,
    n_text_layer=10,
)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="this system does not tell the peak"
)

# Prints bytes: of the weights, and by how much memory grew at the most and in the end.
MEASURE = """
import gc, json, sys
from pathlib import Path
import torch
from streamwhisper.engine.malloc import share_one_arena
from streamwhisper.checkpoints.build import build_model
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.quantized import quantize

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))

def load(path, what):
    checkpoint = load_checkpoint(path)
    if what == "nothing":
        return checkpoint.state
    whisper = build_model(checkpoint)
    del checkpoint
    if what == "int8":
        quantize(whisper)
        return whisper
    whisper.to(dtype=getattr(torch, what))
    state = whisper.state_dict()
    assert all(tensor.sum().isfinite() for tensor in state.values())  # every page is read
    return state

path, small, what = sys.argv[1:]
share_one_arena()
load(small, what)  # what is imported and made once
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
kept = load(path, what)
bytes = sum(t.nbytes for t in kept.values()) if isinstance(kept, dict) else 0
print(json.dumps([bytes, memory("VmHWM") - before, memory("VmRSS") - before]))
"""


def measured(path: Path, small: Path, what: str) -> tuple[int, int, int]:
    command = [sys.executable, "-c", MEASURE, str(path), str(small), what]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    weights, peak, after = json.loads(ended.stdout)
    return weights, peak, after


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """For each format some 200 MB of weights in float16, and a small model."""
    folder = tmp_path_factory.mktemp("memory")
    found: dict[str, tuple[Path, Path]] = {}
    for kind in ("safetensors", "shards", "pt"):
        pair = []
        for size, dims in (("large", DIMS), ("small", None)):
            state = made_up(dims) if dims else made_up()
            path = folder / kind / size
            if kind == "pt":
                path.parent.mkdir(exist_ok=True)
                torch.save({"dims": {}, "model_state_dict": state}, path)
            else:
                write_hugging_face(path, state, shards=3 if kind == "shards" else 1)
            pair.append(path)
        found[kind] = (pair[0], pair[1])
    return found


@pytest.mark.parametrize("kind", ["safetensors", "shards", "pt"])
@pytest.mark.parametrize("what", ["float16", "float32"])
def test_the_peak_is_hardly_more_than_the_weights(
    files: dict[str, tuple[Path, Path]], kind: str, what: str
) -> None:
    weights, peak, _ = measured(*files[kind], what)
    assert weights > 150e6
    assert weights * 0.9 < peak < weights * LIMIT


@pytest.mark.parametrize("kind", ["safetensors", "shards", "pt"])
def test_nothing_is_read_before_it_is_needed(
    files: dict[str, tuple[Path, Path]], kind: str
) -> None:
    weights, peak, _ = measured(*files[kind], "nothing")
    assert peak < 0.05 * weights


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_what_was_converted_does_not_stay_mapped(
    files: dict[str, tuple[Path, Path]], kind: str
) -> None:
    """Linear layers in 8 bits take half of what they took in float16."""
    everything, _, _ = measured(*files[kind], "nothing")
    _, peak, after = measured(*files[kind], "int8")
    assert after < 0.75 * everything
    assert peak < LIMIT * everything
