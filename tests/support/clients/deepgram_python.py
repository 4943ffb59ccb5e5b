"""A program that uses Deepgram's own SDK: does as it is told, and prints all that it hears.

    python deepgram_python.py sync|async|flux URL KEY PLAN

PLAN is JSON: the query, and steps such as ["audio", FILE], ["finalize"], ["close"].
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1Configure
from deepgram.listen.v2.types import ListenV2Configure
from pydantic import BaseModel

CHUNK = 3200


def read(value: Any) -> Any:
    """Every field that the SDK's types name: one that is required and not there raises."""
    if isinstance(value, BaseModel):
        names = type(value).model_fields
        return {name: read(getattr(value, name)) for name in names}
    if isinstance(value, list):
        return [read(item) for item in value]
    return value


def tell(kind: str, message: Any = None) -> None:
    print(json.dumps({"kind": kind, "message": message}), flush=True)


def hear(message: Any) -> None:
    try:
        tell("message", read(message))
    except AttributeError as error:
        tell("missing", str(error))


def pieces(file: str) -> list[bytes]:
    sound = Path(file).read_bytes()
    return [sound[at : at + CHUNK] for at in range(0, len(sound), CHUNK)]


def environment(url: str) -> DeepgramClientEnvironment:
    http = f"http{url.removeprefix('ws')}"
    return DeepgramClientEnvironment(base=http, production=url, agent=url, agent_rest=http)


def run(url: str, key: str, query: dict[str, Any], steps: list[list[Any]]) -> None:
    client = DeepgramClient(api_key=key, environment=environment(url))
    with client.listen.v1.connect(**query) as stream:
        finalized = threading.Event()

        def on_message(message: Any) -> None:
            hear(message)
            if getattr(message, "from_finalize", False):
                finalized.set()

        stream.on(EventType.MESSAGE, on_message)
        stream.on(EventType.ERROR, lambda error: tell("error", str(error)))
        listening = threading.Thread(target=stream.start_listening)
        listening.start()
        for what, *rest in steps:
            if what == "audio":
                for piece in pieces(*rest):
                    stream.send_media(piece)
            elif what == "finalize":
                stream.send_finalize()
            elif what == "finalized":
                finalized.wait()
            elif what == "keep_alive":
                stream.send_keep_alive()
            elif what == "configure":
                stream.send_configure(ListenV1Configure(**rest[0]))
            elif what == "close":
                stream.send_close_stream()
        listening.join()


def run_flux(url: str, key: str, query: dict[str, Any], steps: list[list[Any]]) -> None:
    client = DeepgramClient(api_key=key, environment=environment(url))
    with client.listen.v2.connect(**query) as stream:
        over = threading.Event()

        def on_message(message: Any) -> None:
            hear(message)
            if getattr(message, "event", "") == "EndOfTurn":
                over.set()

        stream.on(EventType.MESSAGE, on_message)
        stream.on(EventType.ERROR, lambda error: tell("error", str(error)))
        listening = threading.Thread(target=stream.start_listening)
        listening.start()
        for what, *rest in steps:
            if what == "audio":
                for piece in pieces(*rest):
                    stream.send_media(piece)
            elif what == "force_end_turn":
                stream.send_force_end_turn()
            elif what == "turn_over":
                over.wait()
            elif what == "configure":
                stream.send_configure(ListenV2Configure(**rest[0]))
            elif what == "close":
                stream.send_close_stream()
        listening.join()


async def run_async(url: str, key: str, query: dict[str, Any], steps: list[list[Any]]) -> None:
    client = AsyncDeepgramClient(api_key=key, environment=environment(url))
    async with client.listen.v1.connect(**query) as stream:
        finalized = asyncio.Event()

        def on_message(message: Any) -> None:
            hear(message)
            if getattr(message, "from_finalize", False):
                finalized.set()

        stream.on(EventType.MESSAGE, on_message)
        stream.on(EventType.ERROR, lambda error: tell("error", str(error)))
        listening = asyncio.create_task(stream.start_listening())
        for what, *rest in steps:
            if what == "audio":
                for piece in pieces(*rest):
                    await stream.send_media(piece)
            elif what == "finalize":
                await stream.send_finalize()
            elif what == "finalized":
                await finalized.wait()
            elif what == "keep_alive":
                await stream.send_keep_alive()
            elif what == "configure":
                await stream.send_configure(ListenV1Configure(**rest[0]))
            elif what == "close":
                await stream.send_close_stream()
        await listening


def main() -> None:
    kind, url, key, plan = sys.argv[1:]
    wanted = json.loads(plan)
    try:
        if kind != "async":
            run_kind = run if kind == "sync" else run_flux
            run_kind(url, key, wanted["query"], wanted["steps"])
        else:
            asyncio.run(run_async(url, key, wanted["query"], wanted["steps"]))
    except Exception as error:  # what a program of others would see
        status = getattr(error, "status_code", None)
        with contextlib.suppress(AttributeError):
            status = status or error.response.status_code  # type: ignore[attr-defined]
        tell("refused", {"error": type(error).__name__, "status": status})


main()
