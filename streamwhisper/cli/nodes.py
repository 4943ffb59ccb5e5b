"""Ray on this machine, as `streamwhisper cluster start` starts and `stop` ends it.

``ray stop`` would end every Ray process of the machine, whosever it is. So Ray is started under a
process that ends with all that it started, and that one's number is kept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from streamwhisper.cli.flags import DEFAULT_ADDRESS
from streamwhisper.cli.loading import hub_options
from streamwhisper.errors import RecognitionError

__all__ = ["join_or_start", "stop_node"]

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


def join_or_start(address: str) -> None:
    """Join the cluster at an address; the one of this machine alone is started if need be.

    Raises:
        RecognitionError: there is none, or it does not start.
    """
    from streamwhisper.cluster.recognizer import join

    try:
        join(address)
    except RecognitionError:
        if address != DEFAULT_ADDRESS:
            raise
        _start()


def stop_node() -> bool:
    """End the Ray that `join_or_start` has started; whether there was one."""
    import ray

    ray.shutdown()
    number = _running()
    if number is None:
        return False
    os.killpg(number, signal.SIGTERM)  # it leads its own group
    until = time.monotonic() + _STOP_SECONDS
    while _running() is not None and time.monotonic() < until:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)
    _number_file().unlink(missing_ok=True)
    return True


def _start() -> None:
    from streamwhisper.cluster.recognizer import join

    folder = hub_options().cache_dir / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "ray.log"
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    # For this machine alone: what other machines are to reach is started with `ray start`.
    host, _, port = DEFAULT_ADDRESS.partition(":")
    command += [f"--node-ip-address={host}", f"--port={port}", "--include-dashboard=false"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--disable-usage-stats"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _number_file().write_text(str(process.pid))
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            join(DEFAULT_ADDRESS)
            return
        except RecognitionError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RecognitionError(f"Ray does not start; {log} says why ({error})") from error
        time.sleep(0.2)


def _number_file() -> Path:
    return hub_options().cache_dir / "cluster" / "ray.pid"


def _running() -> int | None:
    """The number of the process that holds Ray; None if it is gone, or another's by now."""
    try:
        number = int(_number_file().read_text())
        started = Path(f"/proc/{number}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return number if b"ray.scripts.scripts" in started else None
