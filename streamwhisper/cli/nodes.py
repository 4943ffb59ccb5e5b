"""Ray on this machine: started by `streamwhisper cluster start`, ended by `stop`.

Ray runs any code that it is sent. So it listens on 127.0.0.1 only, its files are in a folder that
no other user can enter, and it accepts only processes that have the token in the cache folder.

``ray stop`` would end every Ray process of the machine, including other users'. So Ray runs under a
process that ends together with everything it started, and the id of that process is kept in a file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from streamwhisper.cli.flags import DEFAULT_ADDRESS
from streamwhisper.cli.loading import hub_options
from streamwhisper.errors import RecognitionError

__all__ = ["join_or_start", "stop_node", "use_token"]

_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
_MODE = "RAY_AUTH_MODE"


def use_token(address: str) -> None:
    """Authenticate this process to the Ray that `join_or_start` started.

    Call it before anything imports Ray, which reads the environment once. If the address is another
    one, or RAY_AUTH_MODE is set, the environment stays as it is.

    Raises:
        RecognitionError: this user has started no Ray on this machine. A Ray at that address that
            belongs to another user could run code in this process.
    """
    if address != DEFAULT_ADDRESS or _MODE in os.environ:
        return
    if _running() is None:
        raise RecognitionError(
            "no cluster of this user runs on this machine. `streamwhisper cluster start` starts "
            f"one; to join a Ray at {address} that was started by other means, set {_MODE}"
        )
    _set_token()


def join_or_start(address: str) -> None:
    """Join the cluster at an address; start one on this machine if the address is the default.

    Raises:
        RecognitionError: no cluster at the address, or Ray does not start.
    """
    if address == DEFAULT_ADDRESS and _running() is None and not (_MODE in os.environ and _open()):
        _start()
        return
    use_token(address)
    from streamwhisper.cluster.recognizer import join

    join(address)


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
    _remove_session()
    _token_file().unlink(missing_ok=True)
    _pid_file().unlink(missing_ok=True)
    return True


def _start() -> None:
    if os.environ.get(_MODE, "").lower() == "disabled":
        raise RecognitionError(
            f"{_MODE} is disabled; any user of this machine could run code as you. Unset it"
        )
    if _open():
        raise RecognitionError(
            f"{DEFAULT_ADDRESS} is in use by a process that `streamwhisper cluster start` did not "
            f"start for this user. Stop it; or, if it is a Ray that you trust, set {_MODE} to join"
        )
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    _create_token()
    _set_token()
    from streamwhisper.cluster.recognizer import join

    log = folder / "ray.log"
    process = _launch(log)
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


def _launch(log: Path) -> subprocess.Popen[bytes]:
    """Start Ray; a cluster that other machines can reach is started with `ray start`."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    host, _, port = DEFAULT_ADDRESS.partition(":")
    # Servers of Ray bind to the address of the node.
    command += [f"--node-ip-address={host}", f"--port={port}", f"--temp-dir={_new_session()}"]
    command += ["--include-dashboard=false", "--disable-usage-stats"]
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _create_token() -> None:
    """Write a new token to a file that only this user can read."""
    _token_file().unlink(missing_ok=True)
    _token_file().touch(0o600, exist_ok=False)
    _token_file().write_text(secrets.token_hex(32), encoding="ascii")


def _set_token() -> None:
    """Have Ray use the token file, unless the environment names another token."""
    if _MODE in os.environ:
        return
    os.environ[_MODE] = "token"
    if not os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(_token_file())


def _new_session() -> Path:
    """Return a folder for Ray's sockets and logs, inside one that no other user can enter.

    Ray makes its folder writable for everyone. The path is short, as that of a socket has at most
    107 bytes.
    """
    _remove_session()
    parent = os.environ.get("RAY_TMPDIR") or ("/tmp" if os.name == "posix" else None)
    private = tempfile.mkdtemp(prefix="streamwhisper-", dir=parent)
    _session_link().symlink_to(private)
    return Path(private) / "ray"


def _remove_session() -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(_session_link().readlink(), ignore_errors=True)
        _session_link().unlink()


def _open() -> bool:
    """Return whether a process listens at the default address."""
    host, _, port = DEFAULT_ADDRESS.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1.0):
        return True
    return False


def _folder() -> Path:
    return hub_options().cache_dir.absolute() / "cluster"


def _pid_file() -> Path:
    return _folder() / "ray.pid"


def _token_file() -> Path:
    return _folder() / "token"


def _session_link() -> Path:
    return _folder() / "session"


def _running() -> int | None:
    """Return the id of the process that runs Ray; None if it ended or the id was reused."""
    try:
        pid = int(_pid_file().read_text())
        if os.name == "posix" and not Path("/proc/self").exists():  # macOS
            os.kill(pid, 0)
            return pid
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"ray.scripts.scripts" in command else None
