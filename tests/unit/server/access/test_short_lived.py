"""Short-lived tokens: signed, for one session, until they expire or their key is withdrawn."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.rejection import HandshakeRejected
from streamwhisper.server.access.short_lived import TokenIssuer
from tests.support.clock import Clock

STAGE = Key.of("stage", "correct-horse-battery")
DESK = Key.of("desk", "staple-staple-staple")
KEYS = (DESK, STAGE)


def issuer() -> tuple[TokenIssuer, Clock]:
    clock = Clock()
    return TokenIssuer(clock), clock


def test_a_token_is_of_its_key_with_its_settings_and_contains_no_secret() -> None:
    office, clock = issuer()
    token, expires = office.issue(STAGE, 30, {"type": "transcription"})
    assert expires == int(clock() + 30)
    found = office.find(KEYS, token)
    assert found is not None
    key, grant = found
    assert key is STAGE
    assert (grant.key, grant.expires) == ("stage", expires)
    assert grant.settings == {"type": "transcription"}
    assert "correct-horse" not in token


def test_a_token_opens_one_session() -> None:
    office, _ = issuer()
    token, _ = office.issue(STAGE, 30)
    found = office.find(KEYS, token)
    assert found is not None
    office.redeem(found[1])
    for again in (lambda: office.find(KEYS, token), lambda: office.redeem(found[1])):
        with pytest.raises(HandshakeRejected, match="has opened its session"):
            again()


def test_a_token_expires_but_a_handshake_that_was_in_time_ends_well() -> None:
    office, clock = issuer()
    token, _ = office.issue(STAGE, 30)
    clock.now += 31
    with pytest.raises(HandshakeRejected, match="has expired"):
        office.find(KEYS, token)
    assert office.find(KEYS, token, late=10.0) is not None


def test_used_tokens_are_forgotten_once_they_have_expired() -> None:
    office, clock = issuer()
    for _ in range(50):
        found = office.find(KEYS, office.issue(STAGE, 30)[0])
        assert found is not None
        office.redeem(found[1])
        clock.now += 10
    assert len(office._used) < 15


def test_every_server_with_the_access_token_accepts_it_but_one_with_its_digest_only_its_own() -> (
    None
):
    (one, _), (other, _) = issuer(), issuer()
    assert other.find(KEYS, one.issue(STAGE, 30)[0]) is not None
    digest = replace(STAGE, signing=b"")
    token, _ = one.issue(digest, 30)
    assert one.find([digest], token) is not None
    assert other.find([digest], token) is None


def test_a_withdrawn_or_changed_key_ends_its_tokens() -> None:
    office, _ = issuer()
    token, _ = office.issue(STAGE, 30)
    assert office.find([DESK], token) is None
    assert office.find([Key.of("stage", "another-secret-of-it")], token) is None


@given(st.data())
def test_a_changed_token_is_none(data: st.DataObject) -> None:
    office, _ = issuer()
    token, _ = office.issue(STAGE, 30)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="latin-1").filter(lambda c: c != token[at]))
    assert office.find(KEYS, token[:at] + other + token[at + 1 :]) is None


@pytest.mark.parametrize("token", ["", "ek_", "ek_.", "ek_e30.x", "ek_" + "a" * 10_000, "\udce9"])
def test_what_is_no_token_is_none(token: str) -> None:
    assert issuer()[0].find(KEYS, token) is None
