"""Where a model computes, how precisely, and whether its decoder is compiled."""

from __future__ import annotations

import logging
from typing import Literal

import torch

from streamwhisper.errors import RecognitionError
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.quantized import can_quantize
from streamwhisper.whisper.static_decoder import StaticDecoder

__all__ = [
    "Precision",
    "batch_size",
    "choose_device",
    "choose_precision",
    "compile_decoder",
    "use_lasting_attention",
]

log = logging.getLogger(__name__)

Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]
_GPU_BATCH = 64  # requests: more gain nothing, and those who wait for the batch wait longer
_COPIES = 3  # of a row's keys and values of its sound: encoded, in its slot, and on their way
_SHARE = 0.5  # of the free memory
_EXPECTED = "expected auto, cpu, cuda (such as cuda:1) or mps"


def choose_device(name: str) -> torch.device:
    """The device of this name; auto is a CUDA GPU where there is one, else the CPU.

    Raises:
        RecognitionError: there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RecognitionError(f"device is {name!r}; {_EXPECTED}") from None
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    count = counts.get(device.type)
    if count is None:
        raise RecognitionError(f"device is {name!r}; {_EXPECTED}")
    if count == 0:
        why = ""
        if device.type == "cuda" and torch.version.cuda is None:
            why = f": torch {torch.__version__} is built without CUDA"
        raise RecognitionError(
            f"there is no {device.type} on this machine, or in this torch{why}; {_EXPECTED}"
        )
    if (device.index or 0) >= count:
        there = f"{device.type}:0" + (f" to {device.type}:{count - 1}" if count > 1 else "")
        raise RecognitionError(f"there is no {name} on this machine; it has {there}")
    return device


def choose_precision(name: Precision, device: torch.device, *, compiled: bool = False) -> Precision:
    """The precision of this name; see `LocalOptions.dtype` for what auto takes.

    Raises:
        RecognitionError: 8 bits cannot be had on this device, or be compiled.
    """
    if name == "int8" and not can_quantize(device):
        raise RecognitionError(
            f"int8 needs a CPU of the x86 family, and this is {device}; "
            "choose auto, float32, bfloat16 or float16"
        )
    if name == "int8" and compiled:
        raise RecognitionError(
            "int8 cannot be compiled; choose auto, float32, bfloat16 or float16, or leave "
            "compiling out"
        )
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float16"
    return "int8" if can_quantize(device) and not compiled else "float32"


def batch_size(model: Whisper) -> int:
    """How many requests are worth putting in one call.

    A GPU answers many as soon as one, as far as its memory goes; on a CPU side by side is as
    fast, and nobody waits for another's words.
    """
    device, dims = model.device, model.dims
    if device.type != "cuda":
        return 1
    sound = 2 * dims.n_text_layer * dims.n_audio_ctx * dims.n_text_state * model.dtype.itemsize
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_GPU_BATCH, int(_SHARE * free) // (_COPIES * sound)))


def use_lasting_attention() -> None:
    """Have GPUs attend by kernels that take any shape.

    cuDNN's are planned anew for every shape, and in speech no two batches have the same: a plan
    took 7 ms of the processor where the work took less than 0.1 (H200, torch 2.11). This holds
    for the whole process.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def compile_decoder(model: Whisper) -> None:
    """Have the model decode by compiled steps; where they cannot be, say so and do without."""
    decoder = StaticDecoder(model, compiled=True)
    try:
        decoder.try_out()
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = next(iter(str(error).splitlines()), "")
        log.warning(
            "the decoder cannot be compiled on this machine (%s: %s); it goes on uncompiled. "
            "A C++ compiler such as g++ is needed, and Triton on a GPU.",
            type(error).__name__,
            reason,
        )
    else:
        model.stepping = decoder
