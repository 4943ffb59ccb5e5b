"""A program that uses OpenAI's own SDK: does as it is told, and prints all that it hears.

    python realtime_python.py URL KEY PLAN

PLAN is JSON: the query, and steps such as ["update", SESSION], ["audio", FILE], ["commit"],
["wait", TYPE] for the next event of a type, ["silence", SECONDS], ["beta", SESSION].
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from pydantic import BaseModel

CHUNK = 4800


def read(value: Any) -> Any:
    """Every field that the SDK's types name: one that is required and not there raises."""
    if isinstance(value, BaseModel):
        names = type(value).model_fields
        return {name: read(getattr(value, name)) for name in names} | (value.model_extra or {})
    if isinstance(value, list):
        return [read(item) for item in value]
    return value


def tell(kind: str, message: Any = None) -> None:
    print(json.dumps({"kind": kind, "message": message}), flush=True)


async def run(url: str, key: str, query: dict[str, str], steps: list[list[Any]]) -> None:
    client = AsyncOpenAI(api_key=key, base_url=url, max_retries=0)
    waiting: list[tuple[str, asyncio.Event]] = []

    async with client.realtime.connect(extra_query=query) as connection:

        async def hear() -> None:
            async for event in connection:
                tell(type(event).__name__, read(event))
                for one in [pair for pair in waiting if pair[0] == event.type]:
                    waiting.remove(one)
                    one[1].set()
            tell("closed")

        listening = asyncio.create_task(hear())
        buffer = connection.input_audio_buffer

        async def append(sound: bytes) -> None:
            for at in range(0, len(sound), CHUNK):
                await buffer.append(audio=base64.b64encode(sound[at : at + CHUNK]).decode())

        for what, *rest in steps:
            if what == "update":
                await connection.session.update(session=rest[0])
            elif what == "beta":
                event: Any = {"type": "transcription_session.update", "session": rest[0]}
                await connection.send(event)
            elif what == "audio":
                await append(Path(rest[0]).read_bytes())
            elif what == "silence":
                await append(bytes(2 * round(24000 * rest[0])))
            elif what == "commit":
                await buffer.commit()
            elif what == "clear":
                await buffer.clear()
            elif what == "respond":
                await connection.response.create()
            elif what == "wait":
                waiting.append((rest[0], told := asyncio.Event()))
                await told.wait()
            elif what == "stay":
                await listening
        if not listening.done():
            listening.cancel()


def main() -> None:
    url, key, plan = sys.argv[1:]
    what = json.loads(plan)
    try:
        asyncio.run(run(url, key, what["query"], what["steps"]))
    except Exception as error:
        tell("failed", f"{type(error).__name__}: {error}")


main()
