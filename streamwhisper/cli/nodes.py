"""Ray on this machine: started by `streamwhisper cluster start`, ended by `stop`.

``ray stop`` would end every Ray process of the machine, including other users'. So Ray runs under a
process that ends together with everything it started, and the id of that process is kept in a file.
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
    """Join the cluster at an address; start one on this machine if the address is the default.

    Raises:
        RecognitionError: no cluster at the address, or Ray does not start.
    """
    from streamwhisper.cluster.recognizer import join

    try:
        join(address)
    except RecognitionError:
        if address != DEFAULT_ADDRESS:
            raise
        _start()


def stop_node() -> bool:
    """End the Ray that `join_or_start` started; return whether there was one."""
    import ray

    ray.shutdown()
    pid = _running()
    if pid is None:
        return False
    os.killpg(pid, signal.SIGTERM)  # it leads its own group
    until = time.monotonic() + _STOP_SECONDS
    while _running() is not None and time.monotonic() < until:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _pid_file().unlink(missing_ok=True)
    return True


def _start() -> None:
    from streamwhisper.cluster.recognizer import join

    folder = hub_options().cache_dir / "cluster"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "ray.log"
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    # Only for this machine; a cluster that others can reach is started with `ray start`.
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
    _pid_file().write_text(str(process.pid))
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            join(DEFAULT_ADDRESS)
            return
        except RecognitionError as error:
            if process.poll() is not None or time.monotonic() > until:
                raise RecognitionError(f"Ray does not start ({error}); see {log}") from error
        time.sleep(0.2)


def _pid_file() -> Path:
    return hub_options().cache_dir / "cluster" / "ray.pid"


def _running() -> int | None:
    """Return the id of the process that runs Ray; None if it ended or the id was reused."""
    try:
        pid = int(_pid_file().read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"ray.scripts.scripts" in command else None
