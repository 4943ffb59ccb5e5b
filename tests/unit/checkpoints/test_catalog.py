"""The table of known models."""

from __future__ import annotations

import re

import pytest

from streamwhisper.checkpoints.catalog import ALIASES, KNOWN_MODELS, known_model
from streamwhisper.errors import UnknownModelError


def test_every_published_model_is_known_and_aliases_lead_to_one() -> None:
    assert list(KNOWN_MODELS) == [
        *("tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium"),
        *("large-v1", "large-v2", "large-v3", "large-v3-turbo"),
    ]
    assert set(ALIASES.values()) <= set(KNOWN_MODELS)
    assert known_model("turbo") is KNOWN_MODELS["large-v3-turbo"]
    assert known_model("large") is KNOWN_MODELS["large-v3"]


@pytest.mark.parametrize("name", KNOWN_MODELS)
def test_the_facts_of_a_model_fit_together(name: str) -> None:
    model = KNOWN_MODELS[name]
    dims = model.dims
    assert dims.n_audio_state == 64 * dims.n_audio_head
    assert dims.n_text_state == 64 * dims.n_text_head
    assert dims.multilingual is not name.endswith(".en")
    assert dims.n_mels == (128 if dims.n_vocab == 51866 else 80)
    assert model.alignment_heads
    for layer, head in model.alignment_heads:
        assert layer < dims.n_text_layer
        assert head < dims.n_text_head
    assert model.openai_sha256 in model.openai_url
    assert model.openai_url.endswith(f"/{name}.pt")
    for mirror in model.mirrors:
        assert len(mirror.members) == len(mirror.requirements)
        assert all("==" in requirement for requirement in mirror.requirements)
    for sha256 in (model.openai_sha256, *(mirror.sha256 for mirror in model.mirrors)):
        assert re.fullmatch("[0-9a-f]{64}", sha256)


def test_alignment_heads_are_the_published_ones() -> None:
    whisper = pytest.importorskip("whisper")
    base85 = whisper._ALIGNMENT_HEADS
    model = whisper.model
    for name, known in KNOWN_MODELS.items():
        sizes = {field: getattr(known.dims, field) for field in known.dims.__slots__}
        # The heads are a mask of the decoder's shape; no weights are needed to unpack it.
        decoder = {"n_text_layer": sizes["n_text_layer"], "n_text_head": sizes["n_text_head"]}
        shell = model.Whisper.__new__(model.Whisper)
        model.nn.Module.__init__(shell)
        shell.dims = model.ModelDimensions(**{**sizes, **decoder})
        shell.set_alignment_heads(base85[name])
        published = shell.alignment_heads.indices().T.tolist()
        assert [list(pair) for pair in known.alignment_heads] == published, name


@pytest.mark.parametrize(
    ("wrong", "meant"), [("tinyen", "tiny.en"), ("Base", "base"), ("large-v4", "large-v3")]
)
def test_an_unknown_name_suggests_near_ones(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownModelError, match=f"did you mean .*{re.escape(meant)}"):
        known_model(wrong)


def test_a_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(UnknownModelError) as raised:
        known_model("qqqqqq")
    assert "did you mean" not in str(raised.value)
    assert all(name in str(raised.value) for name in (*KNOWN_MODELS, *ALIASES))
