from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from streamwhisper.client import Reconnection, connect, trust_anything
from streamwhisper.errors import ConnectionLostError
from streamwhisper.events import Committed
from streamwhisper.server.access import tls
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.tls import fingerprint, load_certificate, self_signed
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.rest.options import RestOptions
from tests.support.scripted import OPTIONS, ScriptedRecognizer, script

SHORT = script(6.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def serving(files) -> Server:
    options = ServerOptions(port=0, tls=load_certificate(*files), session=OPTIONS)
    return Server(ScriptedRecognizer(SHORT), options)


async def transcript(url: str, **options) -> str:
    async with connect(url, **options) as stream:
        await stream.send(SHORT.pcm)
        await stream.end()
        return "".join([event.text async for event in stream if isinstance(event, Committed)])


async def test_who_trusts_the_certificate_is_served_and_knows_with_whom(files):
    context = ssl.create_default_context(cafile=str(files[0]))  # checks the name, too
    async with serving(files) as server:
        assert server.url.startswith("wss://127.0.0.1:")
        assert await transcript(server.url, tls=context) == SHORT.text
        assert await transcript(server.url, tls=trust_anything()) == SHORT.text


async def test_who_does_not_trust_it_is_told_what_to_do(files):
    async with serving(files) as server:
        with pytest.raises(ConnectionLostError, match=r"is not trusted: .*--insecure"):
            await transcript(server.url, reconnect=None)
        with pytest.raises(ConnectionLostError):
            await transcript(server.url.replace("wss:", "ws:"), reconnect=Reconnection(patience=0))
        assert await transcript(server.url, tls=trust_anything()) == SHORT.text


async def test_a_silent_connection_is_dropped_on_both_ports_after_the_handshake_timeout(files):
    options = ServerOptions(
        port=0,
        tls=load_certificate(*files),
        limits=Limits(handshake_timeout=0.5),
        features=FeatureOptions(rest=RestOptions(port=0)),
    )
    async with Server(None, options) as server:  # the model is still loading
        for port in (server.port, server.rest_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.timeout(5):
                assert await reader.read() == b""
            writer.close()


def test_the_fingerprint_is_the_one_that_openssl_prints(files):
    command = ["openssl", "x509", "-in", str(files[0]), "-noout", "-fingerprint", "-sha256"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("no openssl")
    assert shown.stdout.strip().split("=")[1] == fingerprint(files[0])


def test_a_certificate_is_kept_and_made_anew_only_where_it_must_be(tmp_path, monkeypatch):
    cert, key = self_signed(tmp_path)
    first = fingerprint(cert)
    assert self_signed(tmp_path) == (cert, key)
    assert fingerprint(cert) == first
    key.write_text("damaged")
    self_signed(tmp_path)
    second = fingerprint(cert)
    assert second != first
    monkeypatch.setattr(tls, "lan_address", lambda: "198.51.100.7")  # in another network
    self_signed(tmp_path)
    third = fingerprint(cert)
    assert third != second
    monkeypatch.setattr(tls, "_VALIDITY", timedelta(days=20))
    cert.unlink()
    self_signed(tmp_path)
    soon_over = fingerprint(cert)
    monkeypatch.undo()
    self_signed(tmp_path)
    assert fingerprint(cert) != soon_over
    lasts = x509.load_pem_x509_certificate(cert.read_bytes()).not_valid_after_utc
    assert timedelta(days=390) < lasts - datetime.now(UTC) < timedelta(days=398)


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a matter of POSIX")
def test_nobody_else_can_read_the_key(files):
    assert files[1].stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("broken", ["missing", "no PEM", "of another"])
def test_files_that_do_not_go_together_are_named(files, tmp_path, broken):
    cert = files[0]
    other = tmp_path / "other.key"
    if broken == "no PEM":
        other.write_text("key")
    elif broken == "of another":
        other.write_bytes(self_signed(tmp_path / "another")[1].read_bytes())
    with pytest.raises(ValueError, match=r"other\.key"):
        load_certificate(cert, other)


def test_without_the_package_that_signs_the_error_says_what_to_install(tmp_path):
    code = (
        "import sys, json, pathlib; sys.modules['cryptography'] = None\n"
        "from streamwhisper.server.access.tls import self_signed\n"
        f"try: self_signed(pathlib.Path({str(tmp_path)!r}))\n"
        "except ValueError as error: print(json.dumps(str(error)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'streamwhisper[tls]'" in json.loads(shown.stdout)
