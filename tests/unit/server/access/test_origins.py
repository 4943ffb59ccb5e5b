from __future__ import annotations

import pytest

from streamwhisper.server.access.origins import (
    check_origin,
    could_be_rebound,
    host_admitted,
    is_loopback,
    origin_admitted,
)


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "admitted"),
    [
        (None, "captions.example", (), True),
        ("http://localhost:8765", "localhost:8765", (), True),
        ("http://localhost:8080", "localhost:8765", (), False),
        ("http://captions.example", "captions.example:80", (), True),
        ("https://captions.example", "captions.example", (), True),
        ("https://captions.example", "captions.example:443", (), True),
        ("https://captions.example:8443", "captions.example", (), False),
        ("https://captions.example.evil", "captions.example", (), False),
        ("https://captions.example@evil.example", "captions.example", (), False),
        ("null", "localhost:8765", (), False),
        ("null", "localhost:8765", ("null",), True),
        ("http://[::1]:8765", "[::1]:8765", (), True),
        ("http://[", "[", (), False),
        ("file://", "", (), False),
        ("http://a:port", "a:port", (), False),
        ("http://localhost", None, (), False),
        ("https://other.example", "captions.example", ("https://other.example",), True),
        ("http://other.example", "captions.example", ("https://other.example",), False),
        ("https://any.example", "captions.example", ("*",), True),
    ],
)
def test_a_page_may_come_from_the_same_host_or_from_those_allowed(origin, host, allowed, admitted):
    assert origin_admitted(origin, host, allowed) is admitted


@pytest.mark.parametrize(
    ("host", "allowed", "admitted"),
    [
        (None, (), True),
        ("localhost:8765", (), True),
        ("app.localhost", (), True),
        ("127.0.0.1:8765", (), True),
        ("127.1.2.3", (), True),
        ("[::1]:8765", (), True),
        ("evil.example:8765", (), False),
        ("localhost.evil.example", (), False),
        ("127.0.0.1.evil.example", (), False),
        ("10.0.0.1", (), False),
        ("[", (), False),
        ("captions.example", ("https://captions.example",), True),
        ("evil.example", ("*",), True),
    ],
)
def test_a_server_of_one_machine_goes_by_its_names_and_by_those_allowed(host, allowed, admitted):
    assert host_admitted(host, allowed) is admitted


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("*", "*"),
        ("null", "null"),
        ("https://Captions.Example/", "https://captions.example"),
        ("https://captions.example:443", "https://captions.example"),
        ("http://captions.example:8080", "http://captions.example:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_kept_as_browsers_write_it(given, kept):
    assert check_origin(given) == kept


@pytest.mark.parametrize(
    "given", ["captions.example", "https://captions.example/page", "ws://x", "https://", "http://["]
)
def test_what_is_no_origin_is_refused(given):
    with pytest.raises(ValueError, match=r"expected e\.g\. https"):
        check_origin(given)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("captions.example", False),
    ],
)
def test_loopback_is_known(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("origin", "could"),
    [
        (None, False),
        ("http://evil.example", True),
        ("http://evil.example:8765", True),
        ("http://evil.example.", True),
        ("http://192.168.1.5.evil.example:8765", True),
        ("http://local.evil.example", True),
        ("http://evillocal", False),  # no name without a dot is a stranger's
        ("https://captions.example", False),
        ("http://192.168.1.5:8765", False),
        ("http://[fd00::5]:8765", False),
        ("http://stage-pc:8765", False),
        ("http://stage-pc.local:8765", False),
        ("http://stage-pc.local.:8765", False),
        ("http://captions.lan", False),
        ("http://captions.cluster.local", False),
        ("http://localhost:8765", False),
        ("null", False),
        ("http://[", False),
    ],
)
def test_only_a_public_name_without_encryption_can_be_rebound(origin, could):
    assert could_be_rebound(origin) is could


def test_the_machine_s_own_name_cannot_be_rebound(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "Captions.University.example")
    assert not could_be_rebound("http://captions.university.example:8765")
    assert could_be_rebound("http://captions.evil.example:8765")
