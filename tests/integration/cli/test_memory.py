"""Too little memory is an error of one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytest.importorskip("resource", reason="this system has no limit of memory per process")

# The limit is set once the libraries are loaded, so that the model is what has no room.
PROGRAM = """
import resource, sys
import av, torch, psutil
import streamwhisper.cli.main, streamwhisper.cli.loading, streamwhisper.engine.local
import streamwhisper.server.options, streamwhisper.server.run
most = psutil.Process().memory_info().vms + 60 * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (most, most))
streamwhisper.cli.main.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not enforce the limit")
@pytest.mark.parametrize("command", ["serve", "transcribe"])
def test_a_model_that_does_not_fit_in_memory_is_an_error_of_one_line(
    tiny_en_path: Path, command: str
) -> None:
    arguments = (
        [str(ROOT / "examples" / "sample.flac")] if command == "transcribe" else ["--port", "0"]
    )
    arguments += ["--model", str(tiny_en_path), "--dtype", "float32", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, command, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "not enough memory to load" in done.stderr
    assert "Use a smaller model, --dtype int8" in done.stderr
    assert "Traceback" not in done.stderr
