"""Loads models by name."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar, overload

from streamwhisper.checkpoints.hub import HubOptions
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import Recognizer

__all__ = ["DEFAULT_MODEL", "as_model", "load_model"]

DEFAULT_MODEL = "tiny.en"
Model = TypeVar("Model", bound=Recognizer)


def load_model(
    name: str | Path = DEFAULT_MODEL,
    options: LocalOptions | None = None,
    hub: HubOptions | None = None,
) -> LocalRecognizer:
    """Load a model, and download it first if necessary.

    `transcribe`, `listen`, `LiveStream` and the server accept the result. A model may be used by
    several of them at the same time.

    Args:
        name: model name, checkpoint file or folder, or hub repository.
        options: device, precision, threads, adapter.
        hub: cache folder and sources.

    Raises:
        UnknownModelError: the name is no model, file or repository.
        ModelDownloadError: no source delivered the model.
        CheckpointError: the file is damaged, or not a Whisper checkpoint.
        RecognitionError: the device or precision is not available.
    """
    return LocalRecognizer.load(name, options, hub)


@overload
def as_model(model: str | Path) -> LocalRecognizer: ...
@overload
def as_model(model: Model) -> Model: ...
def as_model(model: str | Path | Recognizer) -> Recognizer:
    """Return a model; a name or a path is loaded, a loaded model is returned as it is.

    Raises:
        TypeError: anything else.
    """
    if isinstance(model, str | Path):
        return load_model(model)
    if not hasattr(model, "recognize"):
        raise TypeError(
            f"the model is of type {type(model).__name__}; expected a name, a path or the result "
            "of load_model"
        )
    return model
