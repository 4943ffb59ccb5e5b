"""Unit tests run without weights, recordings, a network or a second process."""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

STARTS_A_PROCESS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system"}
HARMLESS = {"uname"}  # which platform.processor() calls
active = False


def _refuse(what: str) -> NoReturn:
    pytest.fail(f"a unit test {what}; move it to tests/integration", pytrace=True)


@pytest.fixture
def recognizer() -> Any:
    _refuse("needs weights")


@pytest.fixture
def tiny_en_path() -> Any:
    _refuse("needs weights")


@pytest.fixture
def base_path() -> Any:
    _refuse("needs weights")


@pytest.fixture
def speech() -> Any:
    _refuse("needs recordings")


def _is_local(address: Any) -> bool:
    """Whether an address is on this machine: a path, a name of the loopback or one of its IPs."""
    host = address[0] if isinstance(address, tuple) else address
    if isinstance(host, bytes):
        host = host.decode()
    if not isinstance(address, tuple) or host in (None, "", "localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not active:
        return
    if event in STARTS_A_PROCESS and str(arguments[0] if arguments else "") not in HARMLESS:
        _refuse(f"starts a process ({event} {arguments[:2]})")
    if event == "socket.connect" and not _is_local(arguments[1]):
        _refuse(f"connects to {arguments[1]}")
    if event == "socket.getaddrinfo" and not _is_local(arguments[:1]):
        _refuse(f"looks up {arguments[0]}")


sys.addaudithook(_watch)


@pytest.fixture(autouse=True)
def _on_its_own() -> Iterator[None]:
    """Watch for processes and connections while a unit test runs."""
    global active
    active = True
    yield
    active = False
