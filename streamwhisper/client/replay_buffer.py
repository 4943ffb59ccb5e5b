"""What a client has said: sent once, and kept as long as it may have to be said again.

Positions are bytes of audio since the client began, whatever sessions heard them.
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
    """Audio and commands in the order in which they were said.

    Attributes:
        begin: position at which the present session began.
        end: position up to which there is audio.
    """

    def __init__(self, max_unacknowledged: int | None, max_kept: int) -> None:
        """Keep what may be needed.

        Args:
            max_unacknowledged: bytes of audio from which the journal is full; None: never.
            max_kept: bytes of audio that are kept though the present session has them, or, where
                the journal is never full, that are kept at all.
        """
        self.begin = 0
        self.end = 0
        self._max_unacknowledged = max_unacknowledged
        self._max_kept = max_kept
        self._items: deque[bytes | _SentFrame] = deque()
        self._first = 0  # position of the first item
        self._next = 0  # index of the item that is to be sent next
        self._dropped = 0  # commands of the present session that are no longer kept
        self._acknowledged = 0
        self._settled = 0

    @property
    def full(self) -> bool:
        """Whether the server has to acknowledge something first."""
        limit = self._max_unacknowledged
        return limit is not None and self.end - self._acknowledged >= limit

    @property
    def unsent(self) -> bool:
        """Whether something was not taken yet."""
        return self._next < len(self._items)

    def write(self, audio: bytes) -> None:
        """Audio that is to be sent."""
        if audio:
            self._items.append(audio)
            self.end += len(audio)
            self._trim()

    def say(self, command: Command) -> None:
        """A command that is to be sent; a vocabulary has no answer to wait for."""
        self._items.append(_SentFrame(command, isinstance(command, VocabularyMessage)))

    def take(self) -> bytes | Command | None:
        """What is to be sent next; None if that was all."""
        if self._next == len(self._items):
            return None
        item = self._items[self._next]
        self._next += 1
        return item.command if isinstance(item, _SentFrame) else item

    def acknowledge(self, count: int) -> None:
        """The session has so many bytes of audio safely."""
        self._acknowledged = max(self._acknowledged, self.begin + count)
        self._trim()

    def settle(self, position: int) -> None:
        """Everything before `position` is dealt with; no session will have to hear it again."""
        self._settled = max(self._settled, min(position, self.end))
        self._trim()

    def answer(self, command: Command) -> None:
        """The first such command that waited for its answer has got it."""
        for said in self._commands():
            if said.command == command and not said.answered:
                said.answered = True
                self._trim()
                return

    def refuse_flush(self) -> None:
        """The newest flush that was sent is not going to be answered."""
        for said in reversed(list(self._commands())):
            if isinstance(said.command, Flush) and not said.answered:
                said.answered = True
                return

    def resume(self, count: int, commands: int) -> None:
        """Go on in the same session, which has so many bytes of audio and so many commands.

        Raises:
            ProtocolError: that is less than the server had acknowledged, or more than it got.
        """
        target = self.begin + count
        if not self._first <= target <= self.end or commands < self._dropped:
            raise ProtocolError(
                "resume_position",
                f"the session was resumed at {count} bytes of audio; expected from "
                f"{self._first - self.begin}, the rest being acknowledged, to "
                f"{self.end - self.begin}, which were sent.",
            )
        self._seek(target, commands - self._dropped)
        self._acknowledged = max(self._acknowledged, target)
        self._trim()

    def restart(self) -> int:
        """Go on in a new session, at the position that is returned: where the last settled.

        Commands that were answered are not said again.

        Raises:
            ConnectionLostError: the audio from there on is not all kept.
        """
        if self._settled < self._first:
            raise ConnectionLostError(
                f"the server has lost the session, and {self.end - self._settled} bytes of audio "
                f"came since its last final commit; the client keeps {self._max_kept} "
                "(Reconnection.max_replay). Open another session for the audio after the last "
                "committed text."
            )
        self._seek(self._settled, 0)
        position = self._first
        kept: deque[bytes | _SentFrame] = deque()
        for item in self._items:
            if isinstance(item, _SentFrame):
                if not item.answered:
                    kept.append(item)
                continue
            position += len(item)
            if position > self._settled:
                kept.append(item)
        self._items = kept
        self._next = self._dropped = 0
        self._first = self.begin = self._acknowledged = self._settled
        return self.begin

    def _commands(self) -> Iterator[_SentFrame]:
        return (item for item in islice(self._items, self._next) if isinstance(item, _SentFrame))

    def _seek(self, target: int, commands: int) -> None:
        """Send next what comes after `target` and after so many of the commands here."""
        position = self._first
        for index, item in enumerate(self._items):
            if isinstance(item, _SentFrame):
                commands -= 1
                if commands < 0 and position >= target:
                    self._next = index
                    return
                continue
            if position + len(item) > target:
                known = target - position
                self._next = index
                if known:
                    self._items[index] = item[:known]
                    self._items.insert(index + 1, item[known:])
                    self._next = index + 1
                return
            position += len(item)
        self._next = len(self._items)

    def _trim(self) -> None:
        kept = self.end - self._max_kept
        unneeded = max(self._settled, kept)
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
