"""Models for commands: found with a bar of progress, loaded with the options of the shell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from streamwhisper.cli.flags import Dtype
from streamwhisper.errors import RecognitionError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from streamwhisper.checkpoints.hub import HubOptions
    from streamwhisper.cluster.recognizer import RayRecognizer
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.live.scheduler import SchedulerOptions

__all__ = ["check_ray", "find_model", "hub_options", "load_model", "load_remote"]


def hub_options() -> HubOptions:
    """Where models are kept and looked for, by the environment."""
    from streamwhisper.checkpoints.hub import HubOptions

    return HubOptions.from_environment(os.environ)


def find_model(name: str) -> Path:
    """The file or folder of a model, fetched if need be; raises `ModelError`."""
    from streamwhisper.checkpoints.hub import resolve
    from streamwhisper.console import DownloadBar

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


def check_ray() -> None:
    """Raise RecognitionError where Ray is not installed."""
    if find_spec("ray") is None:
        raise RecognitionError(
            "recognition on a cluster needs Ray, which is not installed; "
            "pip install 'streamwhisper[cluster]'"
        )


def load_remote(
    name: str, address: str, languages: Sequence[str], leaving: ExitStack
) -> tuple[RayRecognizer, SchedulerOptions]:
    """A recognizer whose model is with the workers of a Ray cluster; raises RecognitionError.

    Args:
        name: under which the model was deployed.
        address: of the cluster's head.
        languages: that the model must know.
        leaving: closes it.
    """
    from streamwhisper.cluster.recognizer import RayRecognizer, join
    from streamwhisper.live.scheduler import SchedulerOptions

    join(address)
    recognizer = RayRecognizer(name)
    leaving.callback(recognizer.close)
    recognizer.info.check_languages(languages)
    return recognizer, SchedulerOptions(recognizer.batch, recognizer.workers)
