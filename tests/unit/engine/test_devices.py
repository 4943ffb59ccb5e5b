"""Where a model computes, how precisely, and what is said where that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from streamwhisper.engine.devices import choose_device, choose_precision
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import RecognitionError
from streamwhisper.whisper.quantized import can_quantize

CPU = torch.device("cpu")
WITHOUT_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")


def test_auto_takes_the_cpu_where_there_is_no_gpu() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == CPU


@WITHOUT_CUDA
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_named(tiny_en_path: Path, name: str) -> None:
    with pytest.raises(RecognitionError, match=r"there is no cuda on this machine.*expected auto"):
        LocalRecognizer.load(tiny_en_path, LocalOptions(device=name))


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has CUDA")
def test_a_torch_without_cuda_is_named() -> None:
    with pytest.raises(RecognitionError, match=r"torch .* is built without CUDA"):
        choose_device("cuda")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:x", "vulkan", ""])
def test_what_is_no_device_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(RecognitionError, match=f"device is '{name}'; expected auto, cpu, cuda"):
        choose_device(name)


def test_a_number_too_high_is_refused_with_those_there_are() -> None:
    with pytest.raises(RecognitionError, match="no cpu:3 on this machine; it has cpu:0"):
        choose_device("cpu:3")


@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_8_bits_are_refused_where_they_cannot_be_had(device: str) -> None:
    with pytest.raises(RecognitionError, match=f"int8 needs a CPU .* this is {device}.* float32"):
        choose_precision("int8", torch.device(device))


def test_the_precision_is_the_one_asked_for_or_else_the_fastest() -> None:
    assert choose_precision("auto", CPU) == ("int8" if can_quantize(CPU) else "float32")
    assert choose_precision("auto", torch.device("meta")) == "float32"
    for name in ("float32", "bfloat16", "float16"):
        assert choose_precision(name, CPU) == name


@pytest.mark.skipif(not can_quantize(CPU), reason="no 8-bit products on this machine")
def test_what_is_compiled_is_not_in_8_bits() -> None:
    assert choose_precision("auto", CPU, compiled=True) == "float32"
    with pytest.raises(RecognitionError, match="int8 cannot be compiled; choose auto"):
        choose_precision("int8", CPU, compiled=True)


LOAD = """
import sys
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
options = LocalOptions(device="cpu", dtype="float32", threads=1, compile=True)
print(LocalRecognizer.load(sys.argv[1], options).model.stepping)
"""


def test_without_a_compiler_it_says_so_and_goes_on(tiny_en_path: Path, tmp_path: Path) -> None:
    environment = {"CXX": "/no/compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", LOAD, str(tiny_en_path)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "None"
    assert "the decoder cannot be compiled on this machine" in ended.stderr
    assert "it goes on uncompiled. A C++ compiler such as g++" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param(["--device", "cuda"], "there is no cuda on this machine", marks=WITHOUT_CUDA),
        (["--dtype", "int8", "--compile"], "int8"),
    ],
)
def test_a_command_says_so_in_one_line(tiny_en_path: Path, flags: list[str], said: str) -> None:
    command = [sys.executable, "-m", "streamwhisper", "serve", "--port", "0"]
    ended = subprocess.run(
        [*command, "--model", str(tiny_en_path), *flags],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    *logged, line = ended.stderr.splitlines()
    assert line.startswith(f"error: {said}")
    assert all(" INFO " in other for other in logged)
