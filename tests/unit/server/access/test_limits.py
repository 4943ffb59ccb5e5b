from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.server.access.limits import Limits, Quota, RateLimiter

PIECES = st.lists(
    st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 3.0)), min_size=1, max_size=60
)  # how long the client pauses, and how much sound it then has


@given(PIECES, st.floats(2, 20), st.floats(1, 30))
def test_sound_never_gets_further_ahead_than_the_burst_and_a_piece(pieces, rate, burst):
    pace = RateLimiter(Quota(audio_rate=rate, audio_burst=burst), 5.0)
    now, heard = 5.0, 0.0
    for pause, seconds in pieces:
        now += pause
        heard += seconds
        assert heard <= burst + rate * (now - 5.0) + seconds + 1e-6
        now += pace.wait(seconds, now)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60), st.floats(2, 20))
def test_who_speaks_in_real_time_never_waits(pauses, rate):
    pace = RateLimiter(Quota(audio_rate=rate, audio_burst=1.0), 0.0)
    now = 0.0
    for pause in pauses:
        now += pause
        assert pace.wait(pause, now) == 0.0


def test_a_pause_is_made_up_for_by_the_burst_and_no_more():
    pace = RateLimiter(Quota(audio_rate=2, audio_burst=10.0), 0.0)
    assert pace.wait(10.0, 1000.0) == 0.0
    assert pace.wait(10.0, 1000.0) == 5.0


def test_without_a_rate_a_minute_may_come_at_once_and_then_thirty_seconds_a_second():
    pace = RateLimiter(Quota(), 0.0)
    assert pace.wait(60.0, 0.0) == 0.0
    assert pace.wait(30.0, 0.0) == 1.0
    assert pace.wait(30.0, 2.0) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_sessions": 0},
        {"max_sessions_per_address": 0},
        {"max_message_bytes": 1},
        {"handshake_timeout": 0},
        {"idle_timeout": -1},
        {"drain_timeout": -1},
    ],
)
def test_limits_that_let_nobody_in_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*; expected"):
        Limits(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"sessions": 0}, {"audio_rate": 1.5}, {"audio_burst": 0}, {"session_seconds": 0}]
)
def test_quotas_that_no_client_can_live_with_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*; expected"):
        Quota(**wrong)
