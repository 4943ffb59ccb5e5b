"""What one session says: frames numbered from 1, handed out once, and kept to be sent again."""

from __future__ import annotations

from collections import deque
from itertools import islice

from streamwhisper.protocol import ServerMessage, encode_server_message

__all__ = ["Outbox"]

MAX_KEPT = 512 * 1024
"""Characters of frames that stay after they were handed out: minutes of the text of speech.

A connection that is dead without its server knowing is found out within 40 s by the WebSocket
library's own pings; what is sent into it meanwhile has to be here still."""


class Outbox:
    """The frames of a session, whatever connections carry them.

    Attributes:
        seq: the number of the newest frame.
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        """Keep up to `max_kept` characters of what was handed out."""
        self.seq = 0
        self._max_kept = max_kept
        self._frames: deque[str] = deque()  # the newest ones, up to `seq`
        self._characters = 0
        self._fresh = 0  # of them, those that this connection was not given yet
        self._greeting: str | None = None

    def put(self, message: ServerMessage) -> None:
        """Number a message and line it up."""
        self.seq += 1
        frame = encode_server_message(message, self.seq)
        self._frames.append(frame)
        self._characters += len(frame)
        self._fresh += 1

    def take(self) -> list[str]:
        """The frames that are to be sent, in order; each is returned once."""
        frames = list(islice(self._frames, len(self._frames) - self._fresh, None))
        self._fresh = 0
        if self._greeting is not None:
            frames.insert(0, self._greeting)
            self._greeting = None
        while self._characters > self._max_kept:
            self._characters -= len(self._frames.popleft())
        return frames

    def rewind(self, last_seq: int, greeting: ServerMessage) -> bool:
        """Say everything after `last_seq` again, after a greeting that goes by that number.

        Returns:
            False if that cannot be, for some of it is no longer kept, or was never said.
        """
        if not self.seq - len(self._frames) <= last_seq <= self.seq:
            return False
        self._fresh = self.seq - last_seq
        self._greeting = encode_server_message(greeting, last_seq)
        return True
