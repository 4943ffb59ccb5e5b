"""The command ``streamwhisper`` in a process of its own."""

from __future__ import annotations

from tests.support.paths import SAMPLE

SPOKEN = SAMPLE.with_suffix(".txt")
# A test run in the background may ignore SIGINT, and would hand that on.
START = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from streamwhisper.cli.main import main; main()"
)
