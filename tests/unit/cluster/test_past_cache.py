"""Pasts that a worker keeps: bounded, the newest of each window, and never one too far."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.cluster.past_cache import PastCache
from streamwhisper.cluster.wire import HalfMel


def frames(count: int) -> HalfMel:
    return np.zeros((80, count), np.float16)


def test_what_was_kept_last_is_found() -> None:
    pasts = PastCache(4)
    assert pasts.find("a") is None
    assert pasts.keep("a", frames(10), "first")
    assert pasts.keep("a", frames(20), "second")
    found = pasts.find("a")
    assert found is not None
    assert (found.past, found.frames) == ("second", 20)


def test_an_answer_that_comes_late_does_not_push_out_one_that_reached_further() -> None:
    pasts = PastCache(4)
    pasts.keep("a", frames(20), "further")
    assert pasts.keep("a", frames(10), "late")
    found = pasts.find("a")
    assert found is not None
    assert found.past == "further"


def test_nothing_is_kept_of_an_answer_that_left_nothing() -> None:
    pasts = PastCache(4)
    assert not pasts.keep("a", frames(10), None)
    assert len(pasts) == 0


def test_with_no_room_nothing_is_kept() -> None:
    assert not PastCache(0).keep("a", frames(10), "past")


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=60))
def test_it_holds_the_windows_that_were_used_last(uses: list[tuple[str, bool]]) -> None:
    pasts, recent = PastCache(3), list[str]()
    for window, found in uses:
        if found:
            assert (pasts.find(window) is not None) == (window in recent)
        else:
            pasts.keep(window, frames(1), window)
        if not found or window in recent:
            recent = [*(name for name in recent if name != window), window][-3:]
        assert len(pasts) == len(recent)
