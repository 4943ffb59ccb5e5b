"""NGINX and HAProxy with the files in deploy/."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from streamwhisper.client import trust_anything
from streamwhisper.server.access.tls import self_signed
from tests.support.paths import DEPLOY

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    include {folder}/captions.conf;
}}
"""


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin")
    if found is None:
        pytest.skip(f"no {name}")
    return found


def substituted(name: str, *changes: tuple[str, str]) -> str:
    """A file of deploy/, with what belongs to a machine replaced by what belongs to this one."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text


def configured(
    kind: str, folder: Path, port: int, servers: Sequence[int], rest: int = 8766
) -> list[str]:
    """The command that runs a proxy on a port before some servers, and one for recordings."""
    certificate, key = self_signed(folder)
    if kind == "nginx":
        upstream = "".join(f"    server 127.0.0.1:{server};\n" for server in servers)
        conf = substituted(
            "nginx.conf",
            ("    server 127.0.0.1:8765;\n", upstream),
            ("    server 127.0.0.1:8766;\n", f"    server 127.0.0.1:{rest};\n"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("/etc/ssl/captions.example.pem", str(certificate)),
            ("/etc/ssl/captions.example.key", str(key)),
            ("/var/log/nginx/streamwhisper.log", f"{folder}/access.log"),
        )
        (folder / "captions.conf").write_text(conf)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder))
        return [program("nginx"), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    (folder / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
    lines = "".join(f"    server s{server} 127.0.0.1:{server}\n" for server in servers)
    conf = substituted(
        "haproxy.cfg",
        ("    server one 127.0.0.1:8765\n", lines),
        ("    server one 127.0.0.1:8766\n", f"    server one 127.0.0.1:{rest}\n"),
        (
            "bind :443 ssl crt /etc/ssl/captions.example.pem",
            f"bind 127.0.0.1:{port} ssl crt {folder}/both.pem",
        ),
    )
    (folder / "haproxy.cfg").write_text(f"global\n    log stdout format raw local0\n{conf}\n")
    return [program("haproxy"), "-db", "-f", str(folder / "haproxy.cfg")]


@contextlib.asynccontextmanager
async def proxied(
    kind: str, folder: Path, servers: Sequence[int], rest: int = 8766
) -> AsyncIterator[int]:
    """A proxy that runs; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = configured(kind, folder, port, servers, rest)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        while True:
            assert process.returncode is None, (folder / "log").read_text()
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            await asyncio.sleep(0.02)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def get(port: int, path: str) -> tuple[int, str]:
    """The status and the body of a request of a browser, over TLS."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust_anything())
    head = f"GET {path} HTTP/1.1\r\nHost: captions.example\r\nAccept: text/html\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()
    return int(answer.split()[1]), answer.partition("\r\n\r\n")[2]
