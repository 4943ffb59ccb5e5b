"""The buffer: whatever is lost on the way, a server gets all of it once and in order."""

from __future__ import annotations

import pytest
from hypothesis import given

from streamwhisper.client.replay_buffer import Command, ReplayBuffer
from streamwhisper.errors import ConnectionLostError, ProtocolError
from streamwhisper.protocol import End, Flush, Ping, VocabularyMessage
from tests.support.replay_steps import STEPS


class Server:
    """What one session has got."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self.audio = b""
        self.commands: list[tuple[int, Command]] = []  # each with the bytes before it
        self.answered = 0

    def get(self, item: bytes | Command) -> None:
        if isinstance(item, bytes):
            self.audio += item
        else:
            self.commands.append((self.begin + len(self.audio), item))


@given(STEPS)
def test_every_session_gets_all_audio_and_every_unanswered_command_once(
    steps: list[tuple[str, int]],
) -> None:
    buffer, server = ReplayBuffer(10**6, 10**6), Server(0)
    said = b""
    waiting: list[tuple[int, Command]] = []  # commands that were not answered, in order
    settled = 0
    for number, (step, size) in enumerate(steps):
        if step == "write":
            chunk = bytes([number % 251]) * size
            said += chunk
            buffer.write(chunk)
        elif step == "flush":
            buffer.add(Flush(str(number)))
            waiting.append((len(said), Flush(str(number))))
        elif step == "send":
            for _ in range(size % 4):
                if (item := buffer.take()) is not None:
                    server.get(item)
        elif step == "lose":  # sent into a connection that is dead
            for _ in range(size % 4):
                buffer.take()
            buffer.resume(len(server.audio), len(server.commands))
        elif step == "cut":  # in the middle of a frame
            item = buffer.take()
            if isinstance(item, bytes):
                server.get(item[: size % (len(item) + 1)])
            buffer.resume(len(server.audio), len(server.commands))
        elif step == "die":
            position = buffer.restart()
            assert position == settled
            server = Server(position)
        elif step == "ack":
            buffer.acknowledge(min(size, len(server.audio)))
        elif step == "settle":
            settled = max(settled, min(server.begin + len(server.audio), settled + size))
            buffer.release(settled)
        elif step == "answer" and server.answered < len(server.commands):
            _, command = server.commands[server.answered]
            server.answered += 1
            buffer.answer(command)
            waiting = [(at, other) for at, other in waiting if other != command]
    while (item := buffer.take()) is not None:
        server.get(item)
    assert server.audio == said[server.begin :]
    asked = [(max(at, server.begin), command) for at, command in waiting]
    assert server.commands[server.answered :] == asked
    assert buffer.end == len(said)


def test_the_buffer_is_full_until_the_server_acknowledges() -> None:
    buffer = ReplayBuffer(100, 1000)
    buffer.write(bytes(99))
    assert not buffer.full
    buffer.write(bytes(1))
    assert buffer.full
    buffer.take()
    buffer.acknowledge(50)
    assert not buffer.full


def test_too_much_audio_since_the_last_final_commit_is_an_error_only_when_it_is_needed() -> None:
    buffer = ReplayBuffer(100, 1000)
    for _ in range(200):
        buffer.write(bytes(10))
        buffer.take()
        buffer.acknowledge(buffer.end)
    buffer.resume(2000, 0)
    with pytest.raises(ConnectionLostError, match=r"2000 bytes .* the client keeps 1000"):
        buffer.restart()


def test_what_is_settled_and_acknowledged_is_not_kept() -> None:
    buffer = ReplayBuffer(100, 10**9)
    for number in range(1000):
        buffer.write(bytes(100))
        buffer.add(Ping(str(number)))
        buffer.take()
        buffer.take()
        buffer.answer(Ping(str(number)))
        buffer.acknowledge(buffer.end)
        buffer.release(buffer.end - 500)
    assert len(buffer._items) <= 12


def test_a_flush_that_was_refused_is_not_waited_for() -> None:
    buffer = ReplayBuffer(100, 100)
    for id in "abc":
        buffer.add(Flush(id))
        buffer.take()
    buffer.refuse_flush()
    buffer.add(End())
    buffer.restart()
    assert [buffer.take() for _ in range(4)] == [Flush("a"), Flush("b"), End(), None]


def test_a_server_that_has_less_than_it_acknowledged_contradicts_itself() -> None:
    buffer = ReplayBuffer(100, 0)
    buffer.write(bytes(50))
    buffer.take()
    buffer.acknowledge(50)
    for count in (20, 60):
        with pytest.raises(ProtocolError, match="acknowledged"):
            buffer.resume(count, 0)


def test_a_vocabulary_is_sent_again_to_a_session_that_has_not_got_it_and_holds_up_nothing() -> None:
    buffer = ReplayBuffer(100, 0)
    buffer.add(VocabularyMessage(("Ada",)))
    buffer.write(bytes(10))
    assert buffer.take() == VocabularyMessage(("Ada",))
    buffer.resume(0, 0)
    assert buffer.take() == VocabularyMessage(("Ada",))
    buffer.take()
    buffer.acknowledge(10)
    assert not buffer._items
