"""The journal: whatever is lost on the way, a server gets all of it once and in order."""

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
    journal, server = ReplayBuffer(10**6, 10**6), Server(0)
    said = b""
    waiting: list[tuple[int, Command]] = []  # commands that were not answered, in order
    settled = 0
    for number, (step, size) in enumerate(steps):
        if step == "write":
            chunk = bytes([number % 251]) * size
            said += chunk
            journal.write(chunk)
        elif step == "flush":
            journal.say(Flush(str(number)))
            waiting.append((len(said), Flush(str(number))))
        elif step == "send":
            for _ in range(size % 4):
                if (item := journal.take()) is not None:
                    server.get(item)
        elif step == "lose":  # sent into a connection that is dead
            for _ in range(size % 4):
                journal.take()
            journal.resume(len(server.audio), len(server.commands))
        elif step == "cut":  # in the middle of a frame
            item = journal.take()
            if isinstance(item, bytes):
                server.get(item[: size % (len(item) + 1)])
            journal.resume(len(server.audio), len(server.commands))
        elif step == "die":
            position = journal.restart()
            assert position == settled
            server = Server(position)
        elif step == "ack":
            journal.acknowledge(min(size, len(server.audio)))
        elif step == "settle":
            settled = max(settled, min(server.begin + len(server.audio), settled + size))
            journal.settle(settled)
        elif step == "answer" and server.answered < len(server.commands):
            _, command = server.commands[server.answered]
            server.answered += 1
            journal.answer(command)
            waiting = [(at, other) for at, other in waiting if other != command]
    while (item := journal.take()) is not None:
        server.get(item)
    assert server.audio == said[server.begin :]
    asked = [(max(at, server.begin), command) for at, command in waiting]
    assert server.commands[server.answered :] == asked
    assert journal.end == len(said)


def test_the_journal_is_full_until_the_server_acknowledges() -> None:
    journal = ReplayBuffer(100, 1000)
    journal.write(bytes(99))
    assert not journal.full
    journal.write(bytes(1))
    assert journal.full
    journal.take()
    journal.acknowledge(50)
    assert not journal.full


def test_too_much_audio_since_the_last_final_commit_is_an_error_only_when_it_is_needed() -> None:
    journal = ReplayBuffer(100, 1000)
    for _ in range(200):
        journal.write(bytes(10))
        journal.take()
        journal.acknowledge(journal.end)
    journal.resume(2000, 0)
    with pytest.raises(ConnectionLostError, match=r"2000 bytes .* the client keeps 1000"):
        journal.restart()


def test_what_is_settled_and_acknowledged_is_not_kept() -> None:
    journal = ReplayBuffer(100, 10**9)
    for number in range(1000):
        journal.write(bytes(100))
        journal.say(Ping(str(number)))
        journal.take()
        journal.take()
        journal.answer(Ping(str(number)))
        journal.acknowledge(journal.end)
        journal.settle(journal.end - 500)
    assert len(journal._items) <= 12


def test_a_flush_that_was_refused_is_not_waited_for() -> None:
    journal = ReplayBuffer(100, 100)
    for id in "abc":
        journal.say(Flush(id))
        journal.take()
    journal.refuse_flush()
    journal.say(End())
    journal.restart()
    assert [journal.take() for _ in range(4)] == [Flush("a"), Flush("b"), End(), None]


def test_a_server_that_has_less_than_it_acknowledged_contradicts_itself() -> None:
    journal = ReplayBuffer(100, 0)
    journal.write(bytes(50))
    journal.take()
    journal.acknowledge(50)
    for count in (20, 60):
        with pytest.raises(ProtocolError, match="acknowledged"):
            journal.resume(count, 0)


def test_a_vocabulary_is_sent_again_to_a_session_that_has_not_got_it_and_holds_up_nothing() -> None:
    journal = ReplayBuffer(100, 0)
    journal.say(VocabularyMessage(("Ada",)))
    journal.write(bytes(10))
    assert journal.take() == VocabularyMessage(("Ada",))
    journal.resume(0, 0)
    assert journal.take() == VocabularyMessage(("Ada",))
    journal.take()
    journal.acknowledge(10)
    assert not journal._items
