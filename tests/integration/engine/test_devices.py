"""Where a model computes, how precisely, and what is said where that cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import RecognitionError

WITHOUT_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU")


@WITHOUT_CUDA
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_gpu_that_is_not_there_is_named(tiny_en_path: Path, name: str) -> None:
    with pytest.raises(RecognitionError, match=r"(?i)cuda is not available.*--device .*cpu"):
        LocalRecognizer.load(tiny_en_path, LocalOptions(device=name))


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
    assert "so it runs uncompiled. Compiling needs a C++ compiler, e.g. g++" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        pytest.param(["--device", "cuda"], "CUDA is not available", marks=WITHOUT_CUDA),
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
