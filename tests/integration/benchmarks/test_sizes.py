"""The largest models, in their true widths, from a folder to text in little more than their size.

With fewer layers, which are all alike; `benchmarks/latency/sizes.py` has every layer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.latency.sizes import SIZES, TOKENS, measured

LIMIT = 1.3

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="this system does not tell the peak"
)


@pytest.mark.parametrize(
    ("name", "decoder_layers"), [("large-v3", 3), ("large-v3-turbo", 4), ("distil-large-v3", 2)]
)
def test_a_large_model_is_loaded_lazily_and_hears_live_and_offline(
    name: str, decoder_layers: int
) -> None:
    dims = replace(SIZES[name], n_audio_layer=6, n_text_layer=decoder_layers)
    assert (dims.n_mels, dims.n_audio_state, dims.n_vocab) == (128, 1280, 51866)
    found = measured(dims, "float16")
    assert found["mels"] == 128
    # Two seconds are 100 positions, with a joint and the thinned tail behind them.
    assert found["sound"] == [[1, 20, 292, 64]] * decoder_layers
    assert found["live"] == TOKENS
    assert found["offline"] == [TOKENS]
    assert found["weights"] > 3e8
    assert found["peak"] < LIMIT * found["weights"]
