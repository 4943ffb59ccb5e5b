"""The pages that the server serves: every file of the client, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from streamwhisper.recognition import ModelInfo
from streamwhisper.server.websocket.static_files import StaticFiles
from tests.support.paths import ROOT

CLIENT = ROOT / "clients" / "web"
PAGES = StaticFiles(ModelInfo("tiny.en", 80, multilingual=False))
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def get(path: str, headers: dict[str, str] = BROWSER) -> Response | None:
    return PAGES.response(Request(path, Headers(headers)))


def served(path: str) -> Response:
    response = get(path)
    assert response is not None
    assert response.status_code == 200
    return response


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".js", "text/javascript; charset=utf-8"),
        (".css", "text/css; charset=utf-8"),
        (".svg", "image/svg+xml"),
    ],
)
def test_every_file_is_served_as_what_it_is(suffix: str, kind: str) -> None:
    files = list(CLIENT.glob(f"*{suffix}"))
    assert files
    for file in files:
        response = served(f"/{file.name}")
        assert response.headers["Content-Type"] == kind
        assert response.body == file.read_bytes()


def test_the_page_loads_nothing_from_elsewhere_and_says_so() -> None:
    response = served("/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for file in CLIENT.iterdir():
        if file.suffix in (".html", ".css", ".js"):
            assert not re.search(r"(?:src|href|url|from|import)\W{1,3}https?:", file.read_text())


def test_the_page_tells_what_the_server_listens_with() -> None:
    page = served("/").body
    assert b'content="tiny.en" data-multilingual="false" data-languages="en"' in page
    pages = StaticFiles(ModelInfo('a"b', 80, multilingual=True))
    response = pages.response(Request("/", Headers(BROWSER)))
    assert response is not None
    known = b'content="a&quot;b" data-multilingual="true" data-languages="en zh de '
    assert known in response.body
    assert b" yue" not in response.body


def test_who_is_no_browser_gets_no_page() -> None:
    assert get("/", {}) is None
    assert get("/", {"Accept": "*/*"}) is None


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/watch/stage-1", "../?watch=stage-1"),
        ("/watch/a?overlay=1", "../?watch=a&overlay=1"),
        ("/watch/a%2F..%0d%0aX: 1", "../?watch=a%2F..%0D%0AX%3A%201"),
        ("/watch///evil.test/", "../?watch=%2F%2Fevil.test%2F"),
    ],
)
def test_a_name_to_watch_leads_to_the_page(path: str, location: str) -> None:
    response = get(path)
    assert response is not None
    assert (response.status_code, response.headers["Location"]) == (302, location)


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2fpyproject.toml",
        "/%2e%2e/pyproject.toml",
        "/./captions.js",
        "//captions.js",
        "/captions.js/",
        "/README.md",
        "/streamwhisper.d.ts/..",
        "/etc/passwd",
        "/watch/",
        "/v1/stream",
    ],
)
def test_no_other_path_leads_anywhere(path: str) -> None:
    assert get(path) is None


@given(st.text(st.sampled_from("./\\%2efcaptions.js\0~:"), max_size=30))
def test_what_is_served_is_a_file_of_the_client_whatever_is_asked(path: str) -> None:
    response = get(f"/{path}")
    if path == "":
        assert response is not None
    elif response is not None:
        assert response.body == (CLIENT / path).read_bytes()
