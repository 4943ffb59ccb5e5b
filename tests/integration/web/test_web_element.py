"""Pages of other origins: the module from a server, the npm bundle, and <stream-whisper>."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.browser import browsing, write_microphone
from tests.support.npm_package import pack
from tests.support.serve_command import running
from tests.support.transcripts import compare


class Site(ThreadingHTTPServer):
    """Another web site: one page, and one script.

    It is a real server: a browser lets pages from elsewhere not reach this machine.
    """

    html = script = policy = ""

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, Site)
        scripted = self.path.endswith(".js")
        body = (site.script if scripted else site.html).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/javascript" if scripted else "text/html")
        self.send_header("Content-Length", str(len(body)))
        if site.policy:
            self.send_header("Content-Security-Policy", site.policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: object) -> None:
        pass


@pytest.fixture(scope="module")
def sites() -> Iterator[tuple[Site, Site]]:
    """A site whose pages may use the server, and one whose pages may not."""
    pair = Site(("127.0.0.1", 0), Answer), Site(("127.0.0.1", 0), Answer)
    threads = [Thread(target=site.serve_forever, args=(0.02,)) for site in pair]
    for thread in threads:
        thread.start()
    yield pair
    for site, thread in zip(pair, threads, strict=True):
        site.shutdown()
        thread.join()
        site.server_close()


@pytest.fixture(scope="module")
def server(tiny_en_path: Path, sites: tuple[Site, Site]) -> Iterator[str]:
    """The address of a server."""
    with running("--model", str(tiny_en_path), "--origin", sites[0].origin) as (_, url):
        yield f"http://{urlsplit(url).netloc}"


@pytest.fixture(scope="module")
def said(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What the microphone plays: where it lies, and its text."""
    clip = speech.clips("ls-dev")[0]
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    write_microphone(path, speech.load(clip), after=3)
    return path, clip["text"]


@pytest.fixture(scope="module")
def browser(said: tuple[Path, str]) -> Iterator[Any]:
    with browsing(said[0]) as browser:
        yield browser


@pytest.fixture
def visit(browser: Any, sites: tuple[Site, Site]) -> Iterator[Callable[..., Any]]:
    """Opens a page of another site with this body, and with a policy if one is given."""
    contexts = []

    def visit(body: str = "", policy: str = "", script: str = "", *, allowed: bool = True) -> Any:
        site = sites[0 if allowed else 1]
        title = "<!doctype html><html lang=en><meta charset=utf-8><title>Elsewhere</title>"
        site.html, site.policy, site.script = f"{title}<main>{body}</main>", policy, script
        context = browser.new_context(permissions=["microphone"])
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(f"{site.origin}/")
        return page

    yield visit
    for context in contexts:
        context.close()


def test_a_refused_page_is_told_so_at_once(
    visit: Callable[..., Any], server: str, sites: tuple[Site, Site]
) -> None:
    page = visit(allowed=False)
    code, message, state = page.evaluate(
        """async (server) => {
      const { StreamWhisper } = await import(`${server}/streamwhisper.js`);
      const stream = new StreamWhisper({ url: server, token: "k-1" });
      const error = await stream.connect().catch((error) => error);
      return [error.code, error.message, stream.state];
    }""",
        server,
    )
    assert (code, state) == ("forbidden_origin", "failed")
    assert sites[1].origin in message
    assert "--origin" in message


def test_a_refused_reader_is_told_so_at_once(visit: Callable[..., Any], server: str) -> None:
    page = visit(allowed=False)
    code = page.evaluate(
        """async (server) => {
      const { Room } = await import(`${server}/room.js`);
      try {
        for await (const event of new Room({ name: "stage", url: server })) void event;
      } catch (error) {
        return error.code;
      }
    }""",
        server,
    )
    assert code == "forbidden_origin"


def test_the_module_of_another_origin_reads_a_file_in_a_loop(
    visit: Callable[..., Any], server: str, speech: Any
) -> None:
    clip = speech.clips("ls-dev")[0]
    sound = base64.b64encode((speech.load(clip) * 32767).astype("<i2").tobytes()).decode()
    page = visit()
    text, kinds = page.evaluate(
        """async ([server, sound]) => {
      const { StreamWhisper } = await import(`${server}/streamwhisper.js`);
      const stream = new StreamWhisper({ url: server });
      stream.send(Uint8Array.from(atob(sound), (sign) => sign.charCodeAt(0)));
      stream.end();
      let text = "";
      const kinds = new Set();
      for await (const { type, text: more } of stream) {
        kinds.add(type);
        if (type === "committed") text += more;
      }
      return [text, [...kinds]];
    }""",
        [server, sound],
    )
    assert {"ready", "committed", "done", "state"} <= set(kinds)
    assert compare(clip["text"], text).total <= 0.15 * len(clip["text"].split()), text


def test_a_loop_that_is_left_does_not_end_the_session(
    visit: Callable[..., Any], server: str
) -> None:
    page = visit()
    states = page.evaluate(
        """async (server) => {
      const { StreamWhisper } = await import(`${server}/streamwhisper.js`);
      const stream = new StreamWhisper({ url: server });
      for await (const { type } of stream) if (type === "ready") break;
      const states = [stream.state];
      stream.close();
      for await (const { type } of stream) if (type !== "state") throw new Error(type);
      return [...states, stream.state];
    }""",
        server,
    )
    assert states == ["open", "closed"]


def test_a_loop_that_reads_nothing_keeps_the_text_and_then_ends_with_an_error(
    visit: Callable[..., Any], server: str
) -> None:
    page = visit()
    read, kept, code = page.evaluate(
        """async (server) => {
      const { EventQueue } = await import(`${server}/events.js`);
      const queue = new EventQueue(() => {});
      for (let number = 0; number < 10000; number += 1) queue.put({ type: "partial", number });
      queue.put({ type: "committed", number: 0 });
      const first = await queue.next();
      for (let number = 1; number < 5000; number += 1) queue.put({ type: "committed", number });
      const kept = [];
      try {
        for (;;) kept.push((await queue.next()).value);
      } catch (error) {
        return [first.value, kept.filter(({ type }) => type === "committed").length, error.code];
      }
    }""",
        server,
    )
    assert read["type"] == "partial"
    assert 4000 < kept <= 4096
    assert code == "unread_events"


def wait_until(page: Any, condition: str) -> None:
    """Wait without the page's policy in the way."""
    page.evaluate(f"""async () => {{
      for (let tries = 0; tries < 600 && !({condition}); tries += 1) {{
        await new Promise((resolve) => setTimeout(resolve, 50));
      }}
      if (!({condition})) throw new Error("never");
    }}""")


ELEMENT = """
<script type="module" src="{server}/element.js"></script>
<stream-whisper id="speaker" language="en" publish="hall" lines="3">
  <span slot="start">Diktieren</span>
</stream-whisper>
<stream-whisper id="reader" room="hall"></stream-whisper>
"""


def test_the_element_writes_down_a_microphone_and_shows_a_room(
    visit: Callable[..., Any], server: str, said: tuple[Path, str]
) -> None:
    # Without inline styles and scripts, and without blob: scripts.
    policy = f"default-src 'none'; script-src {server}; connect-src {server} "
    page = visit(ELEMENT.format(server=server), policy + server.replace("http", "ws"))
    page.get_by_role("button", name="Diktieren").click()
    wait_until(page, "document.getElementById('speaker').text.split(' ').length > 8")
    small = page.evaluate("""() => {
      const text = document.getElementById("speaker").shadowRoot.querySelector("[part=text]");
      return text.clientHeight <= 3 * 1.45 * 16 + 1;
    }""")
    assert small
    assert axe(page) == []
    text = page.evaluate("""async () => {
      const speaker = document.getElementById("speaker");
      const quiet = () => speaker.shadowRoot.querySelector("[part=partial]").textContent === "";
      for (let last = "", rest = 0; rest < 15; ) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        rest = speaker.text === last && quiet() ? rest + 1 : 0;
        last = speaker.text;
      }
      return speaker.stop();
    }""")
    assert compare(said[1], text).total <= 0.15 * len(said[1].split()), text
    page.get_by_role("button", name="Diktieren").wait_for()
    wait_until(page, f"document.getElementById('reader').text === {json.dumps(text)}")
    assert (
        page.evaluate("document.getElementById('reader').shadowRoot.textContent").count("Diktieren")
        == 0
    )
    assert axe(page) == []


def test_the_element_says_why_it_does_not_work(visit: Callable[..., Any], server: str) -> None:
    page = visit(
        f'<script type="module" src="{server}/element.js"></script>'
        '<stream-whisper></stream-whisper><stream-whisper room="hall"></stream-whisper>',
        allowed=False,
    )
    page.get_by_text("may not use this server").first.wait_for()  # the reader
    page.get_by_role("button", name="Start").click()
    page.get_by_text("may not use this server").nth(1).wait_for()
    page.get_by_role("button", name="Start").wait_for()  # it may be tried again


def test_the_bundle_writes_down_a_microphone_in_one_call(
    visit: Callable[..., Any], server: str, said: tuple[Path, str], tmp_path: Path
) -> None:
    tarball = pack(tmp_path)
    script = (tarball.parent / "dist" / "streamwhisper.js").read_text(encoding="utf-8")
    page = visit('<p id="text"></p>', script=script)
    text, shown = page.evaluate(
        """async (server) => {
      const { captions } = await import("/streamwhisper.js");
      const running = await captions({ element: "#text", url: server });
      while (running.text.split(" ").length < 9) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const text = await running.stop();
      return [text, document.getElementById("text").textContent];
    }""",
        server,
    )
    assert text == shown
    beginning = " ".join(said[1].split()[:8])
    assert compare(beginning, " ".join(text.split()[:8])).total <= 2, text
    assert page.evaluate("document.createElement('stream-whisper').state") == "idle"


def axe(page: Any) -> list[str]:
    """What axe-core finds that is serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [fault["id"] for fault in violations if fault["impact"] in ("serious", "critical")]
