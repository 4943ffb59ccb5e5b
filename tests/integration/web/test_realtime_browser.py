"""A page in a real browser that speaks OpenAI's protocol, and `serve` as an operator starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.browser import browsing
from tests.support.processes import ServerProcess, serving
from tests.support.realtime import append, check, completed, of, pcm, update

KEY = "sk-4f0c6a1e77b2"
CLIP = "librispeech/61-70968-0000"
TALK = """
async ([url, key, events, last]) => {
  const socket = new WebSocket(url, ["realtime", `openai-insecure-api-key.${key}`]);
  const said = [];
  let over;
  const heard = new Promise((resolve) => (over = resolve));
  socket.onmessage = ({ data }) => {
    said.push(JSON.parse(data));
    if (said.at(-1).type === last) over();
  };
  const closed = new Promise((resolve) => (socket.onclose = ({ code }) => resolve(code)));
  await Promise.race([closed, new Promise((resolve) => (socket.onopen = resolve))]);
  for (const event of events) socket.send(JSON.stringify(event));
  await Promise.race([closed, heard]);
  const protocol = socket.protocol;
  socket.close(1000);
  return { protocol, said, code: await closed };
}
"""


@pytest.fixture(scope="module")
def server(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(tiny_en_path, log, "--token", KEY) as running:
        yield running


def test_a_page_shows_its_key_as_a_subprotocol_and_hears_every_word(
    server: ServerProcess, speech: Any
) -> None:
    sound = (speech.load(speech.clip(CLIP)) * 32767).astype("<i2").tobytes()
    events = [
        update(format=pcm(16000), turn_detection=None),
        *(append(sound[at : at + 6400]) for at in range(0, len(sound), 6400)),
        {"type": "input_audio_buffer.commit"},
    ]
    here = urlsplit(server.url).netloc
    url = f"ws://{here}/v1/realtime?intent=transcription"
    last = "conversation.item.input_audio_transcription.completed"
    with browsing(None) as browser:
        page = browser.new_page()
        page.goto(f"http://{here}/healthz")  # a page of the server's own, which may use it
        heard = page.evaluate(TALK, [url, KEY, events, last])
        refused = page.evaluate(TALK, [url, "sk-wrong", events, last])
    assert heard["protocol"] == "realtime"
    check(heard["said"])
    assert completed(heard["said"])[0]["transcript"].endswith("curtain on the left.")
    assert not of(heard["said"], "error")
    assert (refused["said"], refused["code"]) == ([], 1006)
    assert "Traceback" not in server.log.read_text()
