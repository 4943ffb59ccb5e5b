from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.server.access.proxies import client_address, parse_network

OURS = [parse_network("10.0.0.0/8"), parse_network("127.0.0.1"), parse_network("2001:db8::/32")]
STRANGER = "198.51.100.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("127.0.0.1", [STRANGER], STRANGER),
        ("127.0.0.1", [f"192.0.2.1, {STRANGER}"], STRANGER),  # the first one is made up
        ("127.0.0.1", [f"192.0.2.1, {STRANGER}, 10.1.2.3"], STRANGER),  # two proxies of ours
        ("127.0.0.1", ["192.0.2.1", STRANGER], STRANGER),
        ("::ffff:127.0.0.1", [STRANGER], STRANGER),
        ("2001:db8::1", ["2001:4860::5"], "2001:4860::5"),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),  # somebody at home
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["", " , "], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "unknown"),
        (STRANGER, ["192.0.2.1"], STRANGER),  # whom nobody believes
        ("", ["192.0.2.1"], ""),
    ],
)
def test_the_last_hop_that_is_no_proxy_of_ours_is_the_client(peer, forwarded, found):
    assert client_address(peer, forwarded, OURS) == found


TALK = st.text("0123456789abcdef.:, ", max_size=30)


@given(st.lists(TALK), TALK)
def test_whatever_a_stranger_writes_the_proxy_knows_better(lies, more):
    assert client_address("127.0.0.1", [*lies, f"{more}, {STRANGER}"], OURS) == STRANGER


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/8", "", "10.0.0.0/33"])
def test_what_is_no_network_is_named(wrong):
    with pytest.raises(ValueError, match=r"expected e\.g\.") as caught:
        parse_network(wrong)
    assert repr(wrong) in str(caught.value)
