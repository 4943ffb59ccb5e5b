"""Models for commands: found with a bar of progress, loaded with the options of the shell."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from streamwhisper.commands.flags import Dtype

if TYPE_CHECKING:
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.whisper.hub import HubOptions

__all__ = ["find_model", "hub_options", "load_model"]


def hub_options() -> HubOptions:
    """Where models are kept and looked for, by the environment."""
    from streamwhisper.whisper.hub import HubOptions

    return HubOptions.from_environment(os.environ)


def find_model(name: str) -> Path:
    """The file or folder of a model, fetched if need be; raises `ModelError`."""
    from streamwhisper.display import DownloadBar
    from streamwhisper.whisper.hub import resolve

    with DownloadBar(name) as progress:
        return resolve(name, options=hub_options(), progress=progress)


def load_model(
    model: str,
    device: str,
    dtype: Dtype,
    threads: int | None,
    adapter: Path | None,
    *,
    compiled: bool = False,
) -> LocalRecognizer:
    """A recognizer with this model; raises `ModelError`."""
    find_model(model)  # first, for its progress and so that a wrong name costs no import of torch
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer

    options = LocalOptions(device, dtype.value, threads, adapter=adapter, compile=compiled)
    return LocalRecognizer.load(model, options, hub_options())
