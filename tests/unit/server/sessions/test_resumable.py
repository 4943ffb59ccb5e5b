"""Sessions that can be resumed: by their token alone, for a while, and never too many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.server.sessions.resumable import ResumableSessions


@dataclass
class Talk:
    """What the sessions know of a dialect."""

    token: str
    released: bool = False
    sessions: tuple[Any, ...] = ()

    def release(self) -> None:
        self.released = True


@dataclass
class Line:
    """What the sessions know of a connection."""

    handed_over: int = 0

    def hand_over(self) -> None:
        self.handed_over += 1


@dataclass
class Clock:
    """Calls what is due when it is told to."""

    now: float = 0.0
    calls: list[Any] = field(default_factory=list)

    def call_later(self, seconds: float, call: Callable[[], None]) -> Any:
        @dataclass
        class Timer:
            due: float
            call: Callable[[], None]
            cancelled: bool = False

            def cancel(self) -> None:
                self.cancelled = True

        timer = Timer(self.now + seconds, call)
        self.calls.append(timer)
        return timer

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.calls if timer.due <= self.now]
        self.calls = [timer for timer in self.calls if timer.due > self.now]
        for timer in due:
            if not timer.cancelled:
                timer.call()


def resumable_sessions(
    clock: Clock, timeout: float = 30.0, capacity: int = 10, **options: Any
) -> Any:
    return ResumableSessions(timeout, capacity, clock.call_later, **options)


def test_a_lost_session_is_resumed_by_its_token_and_by_no_other() -> None:
    place, talk = resumable_sessions(Clock()), Talk("secret")
    place.add(talk, Line())
    assert place.detach(talk)
    assert place.detached == 1
    assert place.resume("secre", Line()) is None
    assert place.resume("\ud800", Line()) is None
    assert place.resume("secret", Line()) is talk
    assert place.detached == 0
    assert not talk.released


def test_a_session_that_nobody_comes_back_for_is_let_go_of() -> None:
    clock, lapsed = Clock(), []
    place, talk = resumable_sessions(clock, 30, on_expire=lambda: lapsed.append(1)), Talk("a")
    place.add(talk, Line())
    place.detach(talk)
    clock.advance(29)
    assert not talk.released
    clock.advance(1)
    assert talk.released
    assert lapsed == [1]
    assert place.resume("a", Line()) is None


def test_time_does_not_run_while_a_session_is_connected_again() -> None:
    clock = Clock()
    place, talk, line = resumable_sessions(clock, 30), Talk("a"), Line()
    place.add(talk, line)
    place.detach(talk)
    clock.advance(20)
    place.resume("a", line)
    clock.advance(20)
    assert not talk.released
    place.detach(talk)
    clock.advance(20)
    assert not talk.released


def test_the_second_connection_with_a_token_takes_the_session_over() -> None:
    place, talk, old, new = resumable_sessions(Clock()), Talk("a"), Line(), Line()
    place.add(talk, old)
    assert place.resume("a", new) is talk
    assert (old.handed_over, new.handed_over) == (1, 0)


def test_nothing_is_kept_where_the_timeout_is_zero_or_the_server_stops() -> None:
    off, talk = resumable_sessions(Clock(), 0), Talk("a")
    off.add(talk, Line())
    assert not off.detach(talk)
    stopping, parked, connected = resumable_sessions(Clock()), Talk("b"), Talk("c")
    stopping.add(parked, Line())
    stopping.detach(parked)
    stopping.add(connected, Line())
    stopping.close()
    assert parked.released
    assert not stopping.detach(connected)
    assert not connected.released  # its connection does that


def test_a_session_that_is_over_cannot_be_resumed() -> None:
    place, talk = resumable_sessions(Clock()), Talk("a")
    place.add(talk, Line())
    place.remove(talk)
    assert not place.detach(talk)
    assert place.resume("a", Line()) is None


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from(["come", "lose", "back"]), st.data())))
def test_there_are_never_too_many_and_the_one_parked_longest_goes_first(
    capacity: int, steps: list[tuple[str, st.DataObject]]
) -> None:
    place = resumable_sessions(Clock(), capacity=capacity)
    connected: list[Talk] = []
    parked: list[Talk] = []
    for number, (step, data) in enumerate(steps):
        if step == "come" and len(connected) < capacity:
            talk = Talk(str(number))
            place.add(talk, Line())
            connected.append(talk)
            surplus = len(connected) + len(parked) - capacity
            gone, parked = parked[: max(0, surplus)], parked[max(0, surplus) :]
            assert all(talk.released for talk in gone)
        elif step == "lose" and connected:
            talk = data.draw(st.sampled_from(connected))
            connected.remove(talk)
            parked.append(talk)
            assert place.detach(talk)
        elif step == "back" and parked and len(connected) < capacity:
            talk = data.draw(st.sampled_from(parked))
            parked.remove(talk)
            connected.append(talk)
            assert place.resume(talk.token, Line()) is talk
        assert place.detached == len(parked)
        assert not any(talk.released for talk in [*connected, *parked])


@dataclass
class Sound:
    """A session that keeps so much audio."""

    held_bytes: int


def park(place: Any, token: str, owner: tuple[str | None, str], most: int | None = None) -> Talk:
    talk = Talk(token, sessions=(Sound(100),))
    place.add(talk, Line(), owner, most)
    place.detach(talk)
    return talk


ONE, OTHER = ("one", ""), ("other", "")


def test_a_key_that_leaves_many_sessions_evicts_its_own_and_no_other_keys() -> None:
    place = resumable_sessions(Clock(), capacity=5)
    victim = park(place, "victim", OTHER)
    left = [park(place, f"{number}", ONE) for number in range(20)]
    assert not victim.released
    assert [talk.released for talk in left] == [True] * 16 + [False] * 4


def test_a_key_keeps_no_more_sessions_than_it_may_have() -> None:
    place = resumable_sessions(Clock(), capacity=5)
    first, second = (park(place, token, ONE, most=1) for token in "ab")
    assert first.released
    assert not second.released


def test_detached_sessions_keep_so_much_audio_and_the_largest_owner_gives_way() -> None:
    place = resumable_sessions(Clock(), max_bytes=350)
    victim = park(place, "victim", OTHER)
    left = [park(place, f"{number}", ONE) for number in range(5)]
    assert not victim.released
    assert [talk.released for talk in left] == [True] * 3 + [False] * 2


def test_only_the_key_that_opened_a_session_resumes_it_from_any_address() -> None:
    place, here, there = resumable_sessions(Clock()), (None, "10.0.0.1"), (None, "10.0.0.2")
    park(place, "a", ONE)
    assert place.resume("a", Line(), OTHER) is None
    assert place.resume("a", Line(), here) is None
    assert place.resume("a", Line(), ONE) is not None
    park(place, "b", here)
    assert place.resume("b", Line(), there) is not None


def test_as_many_connections_as_sessions_may_come_beyond_the_quota() -> None:
    place = resumable_sessions(Clock())
    assert not place.claimable(ONE)
    place.add(Talk("a"), Line(), ONE, 1)
    assert place.claimable(ONE)
    assert not place.claimable(OTHER)
    with place.claiming(ONE):
        assert not place.claimable(ONE)
    assert place.claimable(ONE)
