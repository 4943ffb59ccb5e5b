"""A real server that takes recordings in, and those who send them: real clients, and plain HTTP."""

from __future__ import annotations

import asyncio
import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from streamwhisper.server.access.keys import Key
from streamwhisper.server.access.limits import Limits
from streamwhisper.server.access.policy import AccessOptions
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.server.options import FeatureOptions
from streamwhisper.server.rest.options import RestOptions
from tests.support.paths import DOCS
from tests.support.sdk import python_with

KEY = "correct-horse-battery"
STAGE = Key.of("stage", KEY)
CLIENTS = ("rest-clients", "openai==3.54.0", "deepgram-sdk==7.17.0")
TRANSCRIPTIONS = "/v1/audio/transcriptions"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """Of OpenAI."""
        return self.json["error"]


def serving(
    recognizer: Any,
    rest: RestOptions | None = None,
    access: AccessOptions | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> Server:
    return Server(
        recognizer,
        ServerOptions(
            port=0,
            features=FeatureOptions(rest=rest or RestOptions()),
            access=access or AccessOptions(),
            limits=limits or Limits(),
            **options,
        ),
    )


def form(sound: bytes | None, **fields: str) -> tuple[bytes, str]:
    """A form with a file, and its type."""
    mark = uuid.uuid4().hex
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if sound is not None:
        head = 'Content-Disposition: form-data; name="file"; filename="a.flac"'
        parts.append(f"--{mark}\r\n{head}\r\n\r\n".encode() + sound + b"\r\n")
    return b"".join([*parts, f"--{mark}--\r\n".encode()]), f"multipart/form-data; boundary={mark}"


async def ask(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> Answer:
    """A plain request."""

    def blocking() -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", server.rest_port or 0, timeout=300)
        spelt = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, spelt)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    return await asyncio.to_thread(blocking)


async def post(
    server: Server, sound: bytes | None, headers: Mapping[str, str] | None = None, **fields: str
) -> Answer:
    """Have a recording transcribed, in OpenAI's way."""
    body, kind = form(sound, **fields)
    return await ask(server, "POST", TRANSCRIPTIONS, body, Content_Type=kind, **dict(headers or {}))


async def call(server: Server, client: str, *calls: dict[str, Any], key: str = KEY) -> list[Any]:
    """What other people's client reads of the answers to its calls."""
    python = python_with(*CLIENTS)
    wanted = {
        "client": client,
        "url": f"http://127.0.0.1:{server.rest_port}",
        "key": key,
        "calls": calls,
    }
    process = await asyncio.create_subprocess_exec(
        *(str(python), str(Path(__file__).parent / "clients" / "rest_python.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaints = await process.communicate(json.dumps(wanted).encode())
    assert process.returncode == 0, complaints.decode()
    answers: list[Any] = json.loads(said)
    return answers


async def measured(server: Server, **headers: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """All series, by their names and labels."""
    page = await ask(server, "GET", "/metrics", **headers)
    return {
        (sample.name.removeprefix("streamwhisper_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page.body.decode())
        for sample in family.samples
    }


def table_of(heading: str) -> set[str]:
    """What stands in the first column of the tables below a heading of the page on clients."""
    page = (DOCS / "COMPATIBILITY.md").read_text(encoding="utf-8")
    section = page.split(f"### {heading}\n")[1].split("\n#")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name.strip("` ") for cell in cells for name in cell.split(",")}
