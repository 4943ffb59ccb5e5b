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
        (".mp3", "audio/mpeg"),
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


def test_a_file_that_a_browser_has_is_not_sent_again() -> None:
    first = served("/captions.js")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = get("/captions.js", {"If-None-Match": known})
        assert again is not None
        assert (again.status_code, again.body) == (304, b"")
        assert again.headers["ETag"] == tag
    changed = get("/captions.js", {"If-None-Match": '"other"'})
    assert changed is not None
    assert changed.status_code == 200
    assert changed.body == first.body


def test_the_page_itself_is_not_kept() -> None:
    page = served("/")
    assert page.headers["Cache-Control"] == "no-store"
    assert "ETag" not in page.headers
    assert "Access-Control-Allow-Origin" not in page.headers


def test_scripts_may_be_imported_by_pages_of_any_origin() -> None:
    assert served("/streamwhisper.js").headers["Access-Control-Allow-Origin"] == "*"


def test_the_page_states_its_address_for_other_devices() -> None:
    request = Request("/", Headers(BROWSER))
    response = PAGES.response(request, 'http://192.0.2.7:8765/"')
    assert response is not None
    assert b'data-address="http://192.0.2.7:8765/&quot;"' in response.body
    assert b'data-address=""' in served("/").body


@pytest.mark.parametrize(("path", "root"), [("/x", "./"), ("/a/b", "../"), ("//h/x", "../../")])
def test_a_browser_sees_a_page_where_nothing_is(path: str, root: str) -> None:
    response = PAGES.missing(Request(path, Headers(BROWSER)))
    assert response is not None
    assert response.status_code == 404
    assert f'href="{root}captions.css"' in response.body.decode()
    assert f"<code>{path}</code>" in response.body.decode()
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert PAGES.missing(Request(path, Headers({"Accept": "*/*"}))) is None


def test_a_path_that_is_not_found_is_shown_as_text() -> None:
    response = PAGES.missing(Request("/<script>alert(1)</script>", Headers(BROWSER)))
    assert response is not None
    assert b"<script>" not in response.body
    assert b"&lt;script&gt;" in response.body


def test_the_page_for_viewers_asks_for_a_name() -> None:
    assert b"Name of the session" in served("/watch").body


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
        ("/watch/", "../watch"),
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
        "/watchful",
        "/missing.html",
        "/v1/stream",
    ],
)
def test_no_other_path_leads_anywhere(path: str) -> None:
    assert get(path) is None


@given(st.text(st.sampled_from("./\\%2efcaptions.js\0~:"), max_size=30))
def test_what_is_served_is_a_file_of_the_client_whatever_is_asked(path: str) -> None:
    response = get(f"/{path}")
    if path in ("", "index.html"):
        assert response is not None
    elif response is not None:
        assert response.body == (CLIENT / path).read_bytes()
