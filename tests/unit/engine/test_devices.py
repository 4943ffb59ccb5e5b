"""Where a model computes, how precisely, and what is said where that cannot be."""

from __future__ import annotations

import pytest
import torch

from streamwhisper.engine.devices import choose_device, choose_precision
from streamwhisper.errors import RecognitionError
from streamwhisper.whisper.quantized import can_quantize

CPU = torch.device("cpu")


def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == CPU


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_a_torch_without_cuda_is_named() -> None:
    with pytest.raises(RecognitionError, match=r"torch .* was built without it"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:x", "vulkan", ""])
def test_what_is_no_device_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(RecognitionError, match=f"device is '{name}'; expected auto, cpu, cuda"):
        choose_device(name)


def test_a_number_too_high_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecognitionError, match="device is 'cpu:3', but this machine has cpu:0"):
        choose_device("cpu:3")


@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_8_bits_are_refused_where_they_cannot_be_had(device: str) -> None:
    with pytest.raises(
        RecognitionError, match=f"int8 is only supported on x86 CPUs, not on {device}.* float32"
    ):
        choose_precision("int8", torch.device(device))


def test_the_precision_is_the_one_asked_for_or_else_the_fastest() -> None:
    assert choose_precision("auto", CPU) == ("int8" if can_quantize(CPU) else "float32")
    assert choose_precision("auto", torch.device("meta")) == "float32"
    for name in ("float32", "bfloat16", "float16"):
        assert choose_precision(name, CPU) == name


@pytest.mark.skipif(not can_quantize(CPU), reason="no 8-bit products on this machine")
def test_what_is_compiled_is_not_in_8_bits() -> None:
    assert choose_precision("auto", CPU, compiled=True) == "float32"
    with pytest.raises(RecognitionError, match="int8 cannot be compiled; use auto"):
        choose_precision("int8", CPU, compiled=True)
