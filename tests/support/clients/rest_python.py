"""Run by Python with other people's clients: makes the calls that stdin asks for, prints them.

Of every answer each field is read that its type calls required, and all are of their types.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def read(value: Any) -> Any:
    """An answer as JSON has it; a field that is missing raises AttributeError."""
    if isinstance(value, BaseModel):
        kind = type(value)
        found = {
            name: read(getattr(value, name))
            for name, field in kind.model_fields.items()
            if field.is_required() or getattr(value, name, None) is not None
        }
        kind.model_validate(found)
        return {**found, **{name: read(one) for name, one in (value.model_extra or {}).items()}}
    if isinstance(value, list):
        return [read(one) for one in value]
    if isinstance(value, dict):
        return {name: read(one) for name, one in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def ask_openai(url: str, key: str, call: dict[str, Any]) -> Any:
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=300)
    resource, arguments = call["resource"], call.get("arguments", {})
    try:
        if resource == "models":
            return [read(model) for model in client.models.list()]
        if resource == "model":
            return read(client.models.retrieve(arguments["id"]))
        if resource == "client_secret":
            return read(client.realtime.client_secrets.create(**arguments))
        answer = getattr(client.audio, resource).create(file=Path(call["file"]), **arguments)
        return [read(e) for e in answer] if arguments.get("stream") else read(answer)
    except openai.APIStatusError as error:
        return {"status": error.status_code, "error": error.body}


def ask_deepgram(url: str, key: str, call: dict[str, Any]) -> Any:
    from deepgram import DeepgramClient
    from deepgram.core.api_error import ApiError
    from deepgram.environment import DeepgramClientEnvironment

    places = dict.fromkeys(("base", "production", "agent", "agent_rest"), url)
    client = DeepgramClient(api_key=key, environment=DeepgramClientEnvironment(**places))
    media, arguments = client.listen.v1.media, call.get("arguments", {})
    try:
        if call["resource"] == "grant":
            return read(client.auth.v1.tokens.grant(**arguments))
        if call["resource"] == "url":
            return read(media.transcribe_url(**arguments))
        return read(media.transcribe_file(request=Path(call["file"]).read_bytes(), **arguments))
    except ApiError as error:
        return {"status": error.status_code, "error": error.body}


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    asked = {"openai": ask_openai, "deepgram": ask_deepgram}
    answers = [
        asked[wanted["client"]](wanted["url"], wanted["key"], call) for call in wanted["calls"]
    ]
    json.dump(answers, sys.stdout)
