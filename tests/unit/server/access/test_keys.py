from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request

from streamwhisper.server.access.keys import Key, find_key, presented_keys, read_keys
from streamwhisper.server.access.limits import Quota

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


def written(folder: Path, text: str) -> Path:
    file = folder / "keys.toml"
    file.write_text(text, encoding="utf-8")
    return file


@given(st.lists(SECRETS, unique=True, min_size=1, max_size=5), SECRETS)
def test_a_key_is_found_by_its_secret_and_by_nothing_else(secrets, other):
    keys = [Key.of(f"key {number}", secret) for number, secret in enumerate(secrets)]
    for key, secret in zip(keys, secrets, strict=True):
        assert find_key(keys, secret) is key
    if other not in secrets:
        assert find_key(keys, other) is None


def test_a_key_does_not_show_its_secret():
    secret = "correct-horse-battery"
    shown = repr(Key.of("stage", secret))
    assert secret not in shown
    assert hashlib.sha256(secret.encode()).hexdigest() not in shown


@pytest.mark.parametrize("secret", ["", "two words", "schlüssel", "line\n"])
def test_a_secret_that_no_header_can_carry_is_refused(secret):
    with pytest.raises(ValueError, match="create one with"):
        Key.of("stage", secret)


@pytest.mark.parametrize(
    ("path", "headers", "presented"),
    [
        ("/v1/stream", {}, []),
        ("/v1/stream?token=a%2Bb&x=1", {}, ["a+b"]),
        ("/v1/stream", {"Authorization": "Bearer abc"}, ["abc"]),
        ("/v1/stream", {"Authorization": "bearer abc"}, ["abc"]),
        ("/v1/stream", {"Authorization": "Token abc"}, ["abc"]),
        ("/v1/stream", {"Authorization": "Basic abc"}, []),
        ("/v1/listen", {"Sec-WebSocket-Protocol": "token, abc"}, ["abc"]),
        ("/v1/listen", {"Sec-WebSocket-Protocol": "bearer,abc, session, x"}, ["abc"]),
        ("/v1/listen", {"Sec-WebSocket-Protocol": "token"}, []),
        ("/v1/stream", {"Sec-WebSocket-Protocol": "streamwhisper, bearer.abc"}, ["abc"]),
        (
            "/v1/realtime",
            {"Sec-WebSocket-Protocol": "realtime, openai-insecure-api-key.sk-abc"},
            ["sk-abc"],
        ),
        ("/v1/stream?token=", {"Authorization": "Bearer ", "Sec-WebSocket-Protocol": "x"}, []),
    ],
)
def test_a_request_carries_a_key_in_one_of_these_ways(path, headers, presented):
    assert list(presented_keys(Request(path, Headers(headers)))) == presented


def test_a_file_lists_keys_with_names_and_limits_of_their_own(tmp_path):
    digest = hashlib.sha256(b"the second one").hexdigest()
    file = written(
        tmp_path,
        f'[[key]]\nname = "stage"\nkey = "first"\nsessions = 2\naudio-rate = 4\n'
        f'[[key]]\nname = "press"\nsha256 = "{digest}"\nrooms = ["press.1", "press.2"]\n',
    )
    stage, press = read_keys(file, Quota(sessions=9, session_seconds=60.0))
    assert find_key([stage, press], "first") is stage
    assert find_key([stage, press], "the second one") is press
    assert stage.quota == Quota(sessions=2, audio_rate=4, session_seconds=60.0)
    assert press.quota == Quota(sessions=9, session_seconds=60.0)
    assert (stage.rooms, press.rooms) == (None, ("press.1", "press.2"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected tables"),
        ("[[keys]]", "found keys"),
        ("[[key]]", "identifies it in the log"),
        ('[[key]]\nname = "a"', "either key or sha256"),
        ('[[key]]\nname = "a"\nkey = "x"\nsha256 = "y"', "either key or sha256"),
        ('[[key]]\nname = "a"\nsha256 = "abc"', "64 hexadecimal digits"),
        ('[[key]]\nname = "a"\nkey = "x"\nsession = 1', "did you mean 'sessions'"),
        ('[[key]]\nname = "a"\nkey = "x"\nsessions = "many"', "expected a number"),
        ('[[key]]\nname = "a"\nkey = "x"\nrooms = "stage"', "expected a list"),
        (
            '[[key]]\nname = "a"\nkey = "x"\nrooms = ["a b"]',
            "'a b' is not a room name",
        ),
        ('[[key]]\nname = "a"\nkey = "x"\naudio-rate = 1', r"audio_rate is 1; expected 2"),
        ('[[key]]\nname = "a"\nkey = "x"\n[[key]]\nname = "a"\nkey = "y"', "each needs its own"),
        ("[[key", "keys.toml"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong_in_it(tmp_path, text, said):
    with pytest.raises(ValueError, match=said) as caught:
        read_keys(written(tmp_path, text), Quota())
    assert "keys.toml" in str(caught.value)
