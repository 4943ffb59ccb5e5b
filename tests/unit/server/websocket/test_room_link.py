"""A QR code is made of room addresses on this server, and of nothing else."""

from __future__ import annotations

import pytest

from streamwhisper.server.websocket.room_link import is_room_link, qr_code

HOSTS = {"captions.example:8765", "192.0.2.7:8765"}


@pytest.mark.parametrize(
    "url",
    [
        "http://captions.example:8765/watch/stage",
        "https://CAPTIONS.example:8765/prefix/watch/stage-1",
        "http://192.0.2.7:8765/watch/a",
    ],
)
def test_the_address_of_a_room_on_this_server_is_accepted(url: str) -> None:
    assert is_room_link(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "stage",
        "javascript://captions.example:8765/watch/stage",
        "http://evil.test/watch/stage",
        "http://captions.example:8765@evil.test/watch/stage",
        "http://user@captions.example:8765/watch/stage",
        "http://captions.example:8765/watch/",
        "http://captions.example:8765/watch/a%20b",
        "http://captions.example:8765/other/stage",
        "http://captions.example:8765/watch/stage?x=1",
        "http://captions.example:8765/watch/stage#x",
        "http://captions.example:8765//evil.test/watch/stage",
        "http://captions.example:8765/watch/stage\n",
        "http://captions.example:8765/" + "a" * 300 + "/watch/stage",
        "http://[/watch/stage",
    ],
)
def test_any_other_address_is_rejected(url: str) -> None:
    assert not is_room_link(url, HOSTS)


def test_a_qr_code_is_a_picture_of_black_on_white() -> None:
    image = qr_code("http://captions.example:8765/watch/stage").decode()
    assert image.startswith("<?xml")
    assert 'fill="#fff"' in image
    assert "viewBox" in image
