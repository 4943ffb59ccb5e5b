"""Replay buffer: audio and commands, kept until no session needs them again.

Positions are bytes of audio since the client began, across all sessions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from streamwhisper.errors import ConnectionLostError, ProtocolError
from streamwhisper.protocol import End, Flush, Ping, VocabularyMessage

__all__ = ["Command", "ReplayBuffer"]

Command = Flush | Ping | VocabularyMessage | End


@dataclass(slots=True)
class _SentFrame:
    command: Command
    answered: bool = False


class ReplayBuffer:
    """Audio and commands in the order in which they were queued.

    Attributes:
        begin: position at which the current session began.
        end: position of the end of the audio.
    """

    def __init__(self, max_unacknowledged: int | None, max_kept: int) -> None:
        """Create an empty buffer.

        Args:
            max_unacknowledged: bytes of unacknowledged audio at which it is full; None: never.
            max_kept: bytes of audio kept although the current session has them; when the buffer
                is never full, bytes of audio kept at all.
        """
        self.begin = 0
        self.end = 0
        self._max_unacknowledged = max_unacknowledged
        self._max_kept = max_kept
        self._items: deque[bytes | _SentFrame] = deque()
        self._first = 0  # position of the first item
        self._next = 0  # index of the item to send next
        self._dropped = 0  # commands of the current session that are no longer kept
        self._acknowledged = 0
        self._released = 0

    @property
    def full(self) -> bool:
        """True if the server has to acknowledge audio first."""
        limit = self._max_unacknowledged
        return limit is not None and self.end - self._acknowledged >= limit

    @property
    def unsent(self) -> bool:
        """True if an item was not taken yet."""
        return self._next < len(self._items)

    def write(self, audio: bytes) -> None:
        """Queue audio."""
        if audio:
            self._items.append(audio)
            self.end += len(audio)
            self._trim()

    def add(self, command: Command) -> None:
        """Queue a command; a vocabulary needs no answer."""
        self._items.append(_SentFrame(command, isinstance(command, VocabularyMessage)))

    def take(self) -> bytes | Command | None:
        """Return the next item to send; None when nothing is queued."""
        if self._next == len(self._items):
            return None
        item = self._items[self._next]
        self._next += 1
        return item.command if isinstance(item, _SentFrame) else item

    def acknowledge(self, count: int) -> None:
        """Record that the server has `count` bytes of the session's audio."""
        self._acknowledged = max(self._acknowledged, self.begin + count)
        self._trim()

    def release(self, position: int) -> None:
        """Record that no session will need audio before `position` again."""
        self._released = max(self._released, min(position, self.end))
        self._trim()

    def answer(self, command: Command) -> None:
        """Record the answer to the first such command that waits for one."""
        for sent in self._commands():
            if sent.command == command and not sent.answered:
                sent.answered = True
                self._trim()
                return

    def refuse_flush(self) -> None:
        """Record that the newest flush will not be answered."""
        for sent in reversed(list(self._commands())):
            if isinstance(sent.command, Flush) and not sent.answered:
                sent.answered = True
                return

    def resume(self, count: int, commands: int) -> None:
        """Continue the same session, after the audio and commands that the server has.

        Args:
            count: bytes of the session's audio that the server has.
            commands: number of the session's commands that it has.

        Raises:
            ProtocolError: less than the server acknowledged, or more than it was sent.
        """
        target = self.begin + count
        if not self._first <= target <= self.end or commands < self._dropped:
            raise ProtocolError(
                "resume_position",
                f"the server resumed the session at {count} bytes of audio; expected "
                f"{self._first - self.begin} (acknowledged) to {self.end - self.begin} (sent).",
            )
        self._seek(target, commands - self._dropped)
        self._acknowledged = max(self._acknowledged, target)
        self._trim()

    def restart(self) -> int:
        """Continue in a new session; return the position at which it begins.

        Commands that were answered are not sent again.

        Raises:
            ConnectionLostError: some audio after that position is no longer kept.
        """
        if self._released < self._first:
            raise ConnectionLostError(
                f"the server has lost the session, and {self.end - self._released} bytes of audio "
                f"follow its last final commit, but the client keeps {self._max_kept} "
                "(Reconnection.max_replay). Open another session for the audio after the last "
                "committed text."
            )
        self._seek(self._released, 0)
        position = self._first
        kept: deque[bytes | _SentFrame] = deque()
        for item in self._items:
            if isinstance(item, _SentFrame):
                if not item.answered:
                    kept.append(item)
                continue
            position += len(item)
            if position > self._released:
                kept.append(item)
        self._items = kept
        self._next = self._dropped = 0
        self._first = self.begin = self._acknowledged = self._released
        return self.begin

    def _commands(self) -> Iterator[_SentFrame]:
        return (item for item in islice(self._items, self._next) if isinstance(item, _SentFrame))

    def _seek(self, target: int, commands: int) -> None:
        """Send next what follows position `target` and the first `commands` kept commands."""
        position = self._first
        for index, item in enumerate(self._items):
            if isinstance(item, _SentFrame):
                commands -= 1
                if commands < 0 and position >= target:
                    self._next = index
                    return
                continue
            if position + len(item) > target:
                sent = target - position
                self._next = index
                if sent:
                    self._items[index] = item[:sent]
                    self._items.insert(index + 1, item[sent:])
                    self._next = index + 1
                return
            position += len(item)
        self._next = len(self._items)

    def _trim(self) -> None:
        kept = self.end - self._max_kept
        unneeded = max(self._released, kept)
        if self._max_unacknowledged is not None:
            unneeded = min(self._acknowledged, unneeded)
        while self._next:
            head = self._items[0]
            if isinstance(head, _SentFrame):
                if not head.answered:
                    return
                self._dropped += 1
            elif self._first + len(head) <= unneeded:
                self._first += len(head)
            else:
                return
            self._items.popleft()
            self._next -= 1
