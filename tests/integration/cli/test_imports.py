"""Imports in a fresh interpreter: what is loaded, and what is not."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        *(("streamwhisper", heavy) for heavy in ("asyncio", "av", "numpy", "torch", "websockets")),
        *((f"streamwhisper{name}", "msgspec") for name in ("", ".cli.main", ".cli.serve")),
        ("streamwhisper.cli.main", "numpy"),
        ("streamwhisper.cli.cluster", "numpy"),
        ("streamwhisper.cli.mic", "numpy"),
        ("streamwhisper.cli.serve", "websockets"),
        ("streamwhisper.cli.transcribe", "numpy"),
        ("streamwhisper.client", "torch"),
        ("streamwhisper.cluster.dispatch", "torch"),
        ("streamwhisper.session.session", "torch"),
        ("streamwhisper.server.app", "torch"),
        ("streamwhisper.checkpoints.hub", "torch"),
    ],
)
def test_a_module_is_imported_without_what_it_does_not_need(module, heavy):
    code = f"import sys, {module}; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_hashes_and_downloads_need_no_torch() -> None:
    program = (
        "import sys, streamwhisper.checkpoints.hub, streamwhisper.whisper.tokenizer; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_listening_packages_do_not_import_torch():
    code = (
        "import sys, streamwhisper.vad.gate as gate, streamwhisper.audio.files,"
        "streamwhisper.audio.mel; gate.VadGate(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_import_statement_warns_at_its_own_line():
    code = "\nfrom streamwhisper.longform.options import WordOptions"
    python = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", code]
    result = subprocess.run(python, capture_output=True, text=True, check=False)
    assert "DeprecationWarning: streamwhisper.longform is now streamwhisper.transcription" in (
        result.stderr
    )
