"""Reference transcripts: the same weights, offline, on whole recordings in padded windows.

Decoded by openai-whisper's ``transcribe`` at temperature 0. Transcripts are kept in the user's
cache, because they take minutes and never change.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from benchmarks.lib.speech import Recording

__all__ = ["VARIANTS", "OfflineTranscript", "load_reference", "offline_transcripts"]

VARIANTS: dict[str, dict[str, Any]] = {
    "greedy": {"beam_size": None, "condition_on_previous_text": True},
    "greedy, each window alone": {"beam_size": None, "condition_on_previous_text": False},
    "beam 5": {"beam_size": 5, "condition_on_previous_text": True},
    "beam 5, each window alone": {"beam_size": 5, "condition_on_previous_text": False},
}


@dataclass(frozen=True, slots=True)
class OfflineTranscript:
    """What was heard, and the seconds it took (on whatever machine it was)."""

    text: str
    took: float


def offline_transcripts(
    model: str, recordings: list[Recording], variants: list[str]
) -> dict[str, list[OfflineTranscript]]:
    """For each variant the transcripts of the recordings, in order."""
    store = user_cache_path("streamwhisper", ensure_exists=True) / "benchmarks" / "offline.json"
    known: dict[str, Any] = json.loads(store.read_text()) if store.is_file() else {}
    whisper: Any = None
    found: dict[str, list[OfflineTranscript]] = {}
    for variant in variants:
        for recording in recordings:
            key = f"{model} | {recording.key} | {variant}"
            if key not in known:
                whisper = whisper or load_reference(model)
                print(f"offline: {key}", flush=True)
                known[key] = dataclasses.asdict(_transcribe(whisper, recording, variant))
                _save(store, known)
            found.setdefault(variant, []).append(OfflineTranscript(**known[key]))
    return found


@cache
def load_reference(name: str) -> Any:
    """The reference's model with the weights that are used here, in float32."""
    import torch
    import whisper

    from streamwhisper.checkpoints.checkpoint import load_checkpoint
    from streamwhisper.checkpoints.hub import HubOptions, resolve

    checkpoint = load_checkpoint(resolve(name, options=HubOptions.from_environment(os.environ)))
    dims = whisper.model.ModelDimensions(**dataclasses.asdict(checkpoint.dims))
    model = whisper.model.Whisper(dims)
    model.load_state_dict({name: tensor.float() for name, tensor in checkpoint.state.items()})
    heads = torch.zeros(dims.n_text_layer, dims.n_text_head, dtype=torch.bool)
    for layer, head in checkpoint.alignment_heads:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.eval()


def _transcribe(model: Any, recording: Recording, variant: str) -> OfflineTranscript:
    started = time.perf_counter()
    result = model.transcribe(
        recording.samples, language="en", temperature=0.0, fp16=False, **VARIANTS[variant]
    )
    return OfflineTranscript(result["text"], round(time.perf_counter() - started, 1))


def _save(store: Path, known: dict[str, Any]) -> None:
    store.parent.mkdir(parents=True, exist_ok=True)
    fresh = store.with_suffix(".part")
    fresh.write_text(json.dumps(known, indent=1, ensure_ascii=False), encoding="utf-8")
    fresh.replace(store)
