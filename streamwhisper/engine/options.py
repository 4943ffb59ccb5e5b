"""Options of the recognizer that runs a model on this machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from streamwhisper.engine.cores import usable_cores
from streamwhisper.engine.devices import Precision
from streamwhisper.whisper.tail import TailOptions

__all__ = ["LocalOptions", "default_threads"]


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """Options of a local recognizer.

    Attributes:
        device: device name, e.g. ``"cpu"``, ``"cuda"`` or ``"mps"``; "auto" takes a CUDA GPU if
            one is available.
        dtype: precision. "int8" is float32 with 8-bit linear layers. "auto" takes int8 on CPUs
            with fast integer products, bfloat16 on GPUs, float16 on older GPUs, else float32.
        threads: CPU threads per operation; None takes half the cores, at most four. More threads
            are slower when a core is busy.
        silent_tail: encode only real audio; False pads to 30 s, for comparison.
        tail: options of the silent tail.
        adapter: folder of a LoRA adapter in the format of Hugging Face's PEFT; merged into the
            weights on loading.
        compile: compile the decoding step. It takes seconds on a GPU and a minute on a CPU; GPUs
            hardly gain, because they record the step anyway.
    """

    device: str = "auto"
    dtype: Precision = "auto"
    threads: int | None = None
    silent_tail: bool = True
    tail: TailOptions = field(default_factory=TailOptions)
    adapter: Path | None = None
    compile: bool = False


def default_threads() -> int:
    """Return the CPU threads per operation: half the cores, 1 to 4."""
    return max(1, min(4, torch.get_num_threads(), usable_cores() // 2))
