"""A client that is gone has said what it said: it is heard to its last word, and recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial

from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.publishing.recorder import RecordingOptions

CHUNK = 3200  # bytes: 0.1 s
LISTEN = "/v1/listen?encoding=linear16&sample_rate=16000"
REALTIME = "/v1/realtime?intent=transcription"
SOUND = {"format": {"type": "audio/pcm", "rate": 16000}, "turn_detection": None}
UPDATE = {"type": "session.update", "session": {"type": "transcription", "audio": {"input": SOUND}}}


async def close(websocket: ClientConnection) -> None:
    await websocket.close()


async def cut(websocket: ClientConnection) -> None:
    websocket.transport.abort()


async def recorded(folder: Path) -> str:
    """The text of the one record there, once it is finished."""
    while not (found := [p for p in folder.glob("*.jsonl") if ".part." not in p.name]):
        await asyncio.sleep(0.05)
    rows = [json.loads(line) for line in found[0].read_text().splitlines()]
    return "".join(row["text"] for row in rows if row["type"] == "committed")


@pytest.mark.parametrize(
    ("path", "start", "leave"),
    [
        ("/v1/stream", '{"type": "start"}', close),
        (LISTEN, None, close),
        (LISTEN, None, cut),
        (REALTIME, json.dumps(UPDATE), close),
        (REALTIME, json.dumps(UPDATE), cut),
    ],
    ids=["native-closed", "deepgram-closed", "deepgram-cut", "realtime-closed", "realtime-cut"],
)
async def test_the_record_has_the_last_word_of_a_client_that_left_without_a_word(
    recognizer: LocalRecognizer,
    speech: Any,
    tmp_path: Path,
    path: str,
    start: str | None,
    leave: Callable[[ClientConnection], Any],
) -> None:
    samples = speech.load(speech.clip("librispeech/61-70968-0002"))
    pcm = (samples * 32767).astype("<i2").tobytes()
    heard = listen(recognizer, [samples.astype(np.float32)])
    whole = "".join(event.text for event in heard if isinstance(event, Committed))
    options = ServerOptions(port=0, features=FeatureOptions(recording=RecordingOptions(tmp_path)))
    async with Server(recognizer, options) as server, asyncio.timeout(60):
        async with dial(server.url.removesuffix("/v1/stream") + path) as websocket:
            if start is not None:
                await websocket.send(start)
            for at in range(0, len(pcm), CHUNK):
                await websocket.send(pcm[at : at + CHUNK])
            await leave(websocket)
        text = await recorded(tmp_path)
    assert text.split()[-2:] == whole.split()[-2:]
    assert len(text.split()) == len(whole.split())
