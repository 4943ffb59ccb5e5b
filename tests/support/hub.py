"""A model that a local server offers, and options that find it there."""

from __future__ import annotations

from pathlib import Path

from streamwhisper.checkpoints.catalog import KNOWN_MODELS, KnownModel, PackageMirror
from streamwhisper.checkpoints.hub import HubOptions
from tests.support.file_server import CONTENT, sha256


def made_up_model(url: str, mirrors: tuple[PackageMirror, ...] = ()) -> KnownModel:
    real = KNOWN_MODELS["tiny.en"]
    return KnownModel(
        name="tiny.en",
        dims=real.dims,
        alignment_heads=real.alignment_heads,
        openai_url=f"{url}/tiny.en.pt",
        openai_sha256=sha256(CONTENT),
        huggingface_repo="somebody/tiny.en",
        mirrors=mirrors,
    )


def options_for(
    folder: Path, url: str, dead: str = "http://127.0.0.1:9", **changes: object
) -> HubOptions:
    chosen: dict[str, object] = {
        "cache_dir": folder / "cache",
        "catalog": {"tiny.en": made_up_model(url)},
        "huggingface_endpoint": dead,
        "pip_options": ("--no-index",),
        **changes,
    }
    return HubOptions(**chosen)  # type: ignore[arg-type]
