"""Clients of a streamwhisper server: `StreamClient` for asyncio, `SyncStreamClient` without.

::

    async with connect("ws://127.0.0.1:8765/v1/stream", language="en") as stream:
        await stream.send(pcm)
        await stream.end()
        async for event in stream:
            if isinstance(event, Committed):
                print(event.text, end="")

`send` waits while the server's buffers are full. Events are kept until they are read, so a program
may send an hour of audio before it reads the first event. `send` also waits while thousands of
events are unread, and raises an error if none is read for ten seconds.

The client reconnects automatically and resumes the session. No event is lost or repeated. If the
server itself is gone, the client starts a session on another one and sends the audio since the last
final commit again; after a graceful shutdown it sends only what the server had not received. See
`Reconnection`.
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
