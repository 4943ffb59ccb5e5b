"""Models for commands: found with a progress bar, loaded with the options of the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from streamwhisper.errors import RecognitionError

if TYPE_CHECKING:
    from contextlib import ExitStack

    from streamwhisper.checkpoints.hub import HubOptions
    from streamwhisper.cli.flags import ModelFlags
    from streamwhisper.cluster.recognizer import RayRecognizer
    from streamwhisper.engine.local import LocalRecognizer
    from streamwhisper.live.scheduler import SchedulerOptions

__all__ = ["check_ray", "find_model", "hub_options", "load_model", "load_remote"]


def hub_options() -> HubOptions:
    """Return where models are kept and looked for, according to the environment."""
    from streamwhisper.checkpoints.hub import HubOptions

    return HubOptions.from_environment(os.environ)


def find_model(name: str) -> Path:
    """Return the file or folder of a model; download it first if it is not cached.

    Raises:
        ModelError: an unknown name, or a download that failed.
    """
    from streamwhisper.checkpoints.hub import resolve
    from streamwhisper.console import DownloadBar

    with DownloadBar(name) as progress:
        return resolve(name, options=hub_options(), progress=progress)


def load_model(flags: ModelFlags) -> LocalRecognizer:
    """Return a recognizer in this process.

    Raises:
        ModelError: the model cannot be found or read.
    """
    path = find_model(flags.model)  # before torch is imported, so that a wrong name fails at once
    from streamwhisper.engine.local import LocalOptions, LocalRecognizer

    options = LocalOptions(
        flags.device, flags.dtype, flags.threads, adapter=flags.adapter, compile=flags.compiled
    )
    return LocalRecognizer.load(path, options, name=flags.model)


def check_ray() -> None:
    """Raise RecognitionError when Ray is not installed."""
    if find_spec("ray") is None:
        raise RecognitionError(
            "--engine ray and the cluster commands need Ray, which is not installed; run: "
            "pip install 'streamwhisper[cluster]'"
        )


def load_remote(
    name: str, address: str, languages: Sequence[str], leaving: ExitStack
) -> tuple[RayRecognizer, SchedulerOptions]:
    """Return a recognizer whose model runs on the workers of a Ray cluster.

    Args:
        name: the name under which the model was deployed.
        address: HOST:PORT of the cluster's head.
        languages: codes that the model must support.
        leaving: closes the recognizer on exit.

    Raises:
        RecognitionError: no cluster at the address, or no such model on it.
    """
    from streamwhisper.cluster.recognizer import RayRecognizer, join
    from streamwhisper.live.scheduler import SchedulerOptions

    join(address)
    recognizer = RayRecognizer(name)
    leaving.callback(recognizer.close)
    recognizer.info.check_languages(languages)
    return recognizer, SchedulerOptions(recognizer.batch, recognizer.workers)
