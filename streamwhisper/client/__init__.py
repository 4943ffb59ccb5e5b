"""Clients of a streamwhisper server: `StreamClient` for asyncio, `SyncStreamClient` without.

::

    async with connect("ws://127.0.0.1:8765/v1/stream", language="en") as stream:
        await stream.send(pcm)
        await stream.end()
        async for event in stream:
            if isinstance(event, Committed):
                print(event.text, end="")

`send` waits while the server's buffers are full. What the server says is kept until it is read,
so an hour of sound may be sent to the end before the first event is looked at; `send` waits while
thousands of events are unread, and raises an error where nobody reads them.

A connection that is lost is made again, and the session goes on: no event is missed or comes
twice. Where the server itself was lost, another one hears the audio since the last final commit
once more; where it was stopped in good order, another one hears what comes after it. The
transcript goes on all the same. See `Reconnection`.
"""

from __future__ import annotations

from streamwhisper.client.connecting import DEFAULT_URL, trust_anything
from streamwhisper.client.protocol import StreamEvent
from streamwhisper.client.reconnection import Reconnection
from streamwhisper.client.stream import StreamClient, connect
from streamwhisper.client.sync_stream import SyncStreamClient

__all__ = [
    "DEFAULT_URL",
    "Reconnection",
    "StreamClient",
    "StreamEvent",
    "SyncStreamClient",
    "connect",
    "trust_anything",
]
