"""Device, precision, batch size and compilation of a model."""

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
_GPU_BATCH = 64  # requests; larger batches gain nothing and make requests wait longer
_COPIES = 3  # of a row's cross-attention keys and values: encoded, in its slot, in transfer
_SHARE = 0.5  # usable share of the free memory
_EXPECTED = "expected auto, cpu, cuda (e.g. cuda:1) or mps"


def choose_device(name: str) -> torch.device:
    """Return the device of this name; "auto" is a CUDA GPU if available, else the CPU.

    Raises:
        RecognitionError: the device is not available on this machine.
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
        if device.type == "cuda" and torch.version.cuda is None:
            raise RecognitionError(
                f"CUDA is not available: torch {torch.__version__} was built without it. Install "
                "a CUDA build of torch, or use --device cpu"
            )
        raise RecognitionError(
            f"{device.type} is not available on this machine. Use --device auto or cpu"
        )
    if (device.index or 0) >= count:
        available = f"{device.type}:0" + (f" to {device.type}:{count - 1}" if count > 1 else "")
        raise RecognitionError(f"device is {name!r}, but this machine has {available}")
    return device


def choose_precision(name: Precision, device: torch.device, *, compiled: bool = False) -> Precision:
    """Return the precision of this name; see `LocalOptions.dtype` for the meaning of "auto".

    Raises:
        RecognitionError: the device does not support 8 bits, or they cannot be compiled.
    """
    if name == "int8" and not can_quantize(device):
        raise RecognitionError(
            f"int8 is only supported on x86 CPUs, not on {device}; "
            "use auto, float32, bfloat16 or float16"
        )
    if name == "int8" and compiled:
        raise RecognitionError(
            "int8 cannot be compiled; use auto, float32, bfloat16 or float16, or do not compile"
        )
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float16"
    return "int8" if can_quantize(device) and not compiled else "float32"


def batch_size(model: Whisper) -> int:
    """Return the number of requests that are worth putting in one call.

    A GPU answers many requests as fast as one, within its memory. A CPU gains nothing by batches.
    """
    device, dims = model.device, model.dims
    if device.type != "cuda":
        return 1
    row_bytes = 2 * dims.n_text_layer * dims.n_audio_ctx * dims.n_text_state * model.dtype.itemsize
    free, _ = torch.cuda.mem_get_info(device)
    return max(1, min(_GPU_BATCH, int(_SHARE * free) // (_COPIES * row_bytes)))


def use_lasting_attention() -> None:
    """Disable cuDNN's attention kernels on GPUs, for the whole process.

    cuDNN plans its kernels for every new shape, and in speech no two batches have the same shape: a
    plan took 7 ms of CPU time for less than 0.1 ms of work (H200, torch 2.11).
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def compile_decoder(model: Whisper) -> None:
    """Compile the decoding steps of a model; if that fails, log a warning and keep it as it is."""
    decoder = StaticDecoder(model, compiled=True)
    try:
        decoder.try_out()
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = next(iter(str(error).splitlines()), "")
        log.warning(
            "the decoder cannot be compiled on this machine (%s: %s), so it runs uncompiled. "
            "Compiling needs a C++ compiler, e.g. g++, and Triton on a GPU.",
            type(error).__name__,
            reason,
        )
    else:
        model.stepping = decoder
