"""Outbox of a session: numbered frames, kept so that they can be sent again."""

from __future__ import annotations

from collections import deque
from itertools import islice

from streamwhisper.protocol import ServerMessage, encode_server_message

__all__ = ["Outbox"]

MAX_KEPT = 512 * 1024
"""Maximum size of sent frames that are kept, in characters: minutes of text.

A dead connection is detected within 30 s by the server's pings. The frames sent in this
time must still be here.
"""


class Outbox:
    """Frames of a session, independent of its connections.

    Attributes:
        seq: number of the newest frame.
    """

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        """Create an outbox that keeps at most `max_kept` characters of sent frames."""
        self.seq = 0
        self._max_kept = max_kept
        self._frames: deque[str] = deque()  # the newest frames, up to `seq`
        self._characters = 0
        self._unsent = 0  # frames that this connection has not received
        self._greeting: str | None = None

    def put(self, message: ServerMessage) -> None:
        """Number a message and append it."""
        self.seq += 1
        frame = encode_server_message(message, self.seq)
        self._frames.append(frame)
        self._characters += len(frame)
        self._unsent += 1

    def take(self) -> list[str]:
        """Return the frames to send, in order; each is returned once."""
        frames = list(islice(self._frames, len(self._frames) - self._unsent, None))
        self._unsent = 0
        if self._greeting is not None:
            frames.insert(0, self._greeting)
            self._greeting = None
        while self._characters > self._max_kept:
            self._characters -= len(self._frames.popleft())
        return frames

    def rewind(self, last_seq: int, greeting: ServerMessage) -> bool:
        """Send `greeting` with the number `last_seq`, and then all later frames again.

        Returns:
            False if some of the frames are no longer kept, or were never sent.
        """
        if not self.seq - len(self._frames) <= last_seq <= self.seq:
            return False
        self._unsent = self.seq - last_seq
        self._greeting = encode_server_message(greeting, last_seq)
        return True
