"""Deepgram's own SDK in a real browser, against a real server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.browser import browsing
from tests.support.deepgram_stream import transcript
from tests.support.processes import ServerProcess, serving
from tests.support.sdk import node_with

KEY = "dg-4f0c6a1e77b2"
CLIP = "librispeech/61-70968-0000"
LISTEN = """
async ([url, key, sound]) => {
  const bytes = Uint8Array.from(atob(sound), (sign) => sign.charCodeAt(0));
  const client = new Deepgram.DeepgramClient({ apiKey: key, baseUrl: url });
  const query = { model: "nova-3", encoding: "linear16", sample_rate: 16000, punctuate: "true" };
  const stream = await client.listen.v1.connect(query);
  const said = [];
  stream.on("message", (message) => said.push(message));
  const closed = new Promise((resolve) => stream.on("close", (event) => resolve(event.code)));
  stream.connect();
  await stream.waitForOpen();
  for (let at = 0; at < bytes.length; at += 3200) stream.sendMedia(bytes.slice(at, at + 3200));
  stream.sendCloseStream({ type: "CloseStream" });
  return { code: await closed, said };
}
"""


@pytest.fixture(scope="module")
def server(tiny_en_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(tiny_en_path, log, "--token", KEY) as running:
        yield running


def test_the_sdk_shows_its_key_as_a_subprotocol_and_hears_every_word(
    server: ServerProcess, speech: Any
) -> None:
    bundle = node_with("deepgram-sdk-node", "@deepgram/sdk@5.13.0") / (
        "node_modules/@deepgram/sdk/dist/browser/index.global.js"
    )
    sound = (speech.load(speech.clip(CLIP)) * 32767).astype("<i2").tobytes()
    here = urlsplit(server.url).netloc
    with browsing(None) as browser:
        page = browser.new_page()
        page.goto(f"http://{here}/healthz")  # a page of the server's own, which may use it
        page.add_script_tag(path=bundle)
        arguments = [f"ws://{here}", KEY, base64.b64encode(sound).decode()]
        heard = page.evaluate(LISTEN, arguments)
    assert heard["code"] == 1000
    assert transcript(heard["said"]).endswith("curtain on the left.")
    assert heard["said"][-1]["duration"] == len(sound) / 32000
