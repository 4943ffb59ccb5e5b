"""The web client's parts do as the Python client's do, and go on over lost connections."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.client.continuity import Continuity
from streamwhisper.client.overlap import overlap
from streamwhisper.client.replay_buffer import ReplayBuffer
from streamwhisper.errors import ConnectionLostError, ProtocolError
from streamwhisper.events import (
    Committed,
    Done,
    Event,
    Flushed,
    Partial,
    SpeechEnded,
    SpeechStarted,
    Word,
)
from streamwhisper.protocol import End, Flush, encode_client_message, encode_server_message
from tests.support.browser import Servers, browsing, serving
from tests.support.replay_steps import STEPS
from tests.support.transcripts import compare, repeats
from tests.support.web_page import DICTATE

EXAMPLES = settings(max_examples=60)
SPEED = 4  # of speaking
CUTS = 8


@pytest.fixture(scope="module")
def servers(tiny_en_path: Path) -> Iterator[Servers]:
    with serving(tiny_en_path) as servers:
        servers.prepare()
        yield servers


@pytest.fixture(scope="module")
def page(servers: Servers) -> Iterator[Any]:
    with browsing(None) as browser:
        # The server's own policy lets its pages speak to itself alone, and not to dead servers.
        page = browser.new_context(bypass_csp=True).new_page()
        page.goto(f"{servers.url}icon.svg")  # a page without a script
        yield page


JOURNAL = """
async ([limits, steps]) => {
  const { Journal } = await import("/journal.js");
  const journal = new Journal(...limits);
  return steps.map(([name, ...given]) => {
    let result = null;
    try {
      if (name === "write") journal.write(new Uint8Array(given[0]));
      else if (name === "answer") journal.answer(given[0], given[1]);
      else result = journal[name](...given) ?? null;
    } catch (error) {
      result = "refused";
    }
    if (result instanceof Uint8Array) result = Array.from(result);
    return [result, journal.begin, journal.end, journal.full];
  });
}
"""


@EXAMPLES
@given(steps=STEPS, limits=st.tuples(st.integers(1, 300), st.integers(0, 300)))
def test_the_journal_sends_and_keeps_what_the_python_one_does(
    page: Any, steps: list[tuple[str, int]], limits: tuple[int, int]
) -> None:
    journal = ReplayBuffer(*limits)
    asked: list[list[Any]] = []
    wanted: list[list[Any]] = []

    def do(name: str, *given: Any) -> None:
        """The same to both."""
        asked.append([name, *given])
        result = None
        try:
            if name == "write":
                journal.write(bytes(given[0]))
            elif name == "say":
                journal.add(Flush(given[0]["id"]) if given[0]["type"] == "flush" else End())
            elif name == "answer":
                journal.answer(Flush(given[1]))
            elif name == "refuseFlush":
                journal.refuse_flush()
            elif name == "settle":
                journal.release(*given)
            else:
                result = getattr(journal, name)(*given)
        except (ConnectionLostError, ProtocolError):
            result = "refused"
        if isinstance(result, bytes):
            result = list(result)
        elif isinstance(result, Flush | End):
            result = {name: v for name, v in json.loads(encode_client_message(result)).items() if v}
        wanted.append([result, journal.begin, journal.end, journal.full])

    for number, (step, size) in enumerate(steps):
        if step == "write":
            do("write", [number % 251] * size)
        elif step == "flush":
            do("say", {"type": "flush", "id": str(number)})
        elif step == "send":
            for _ in range(size % 4):
                do("take")
        elif step == "lose":
            do("resume", size * 3, size % 3)
        elif step == "cut":
            do("refuseFlush")
        elif step == "die":
            do("restart")
        elif step == "ack":
            do("acknowledge", size * 3)
        elif step == "settle":
            do("settle", journal.begin + size)
        elif step == "answer":
            do("answer", "flush", str(size))
    assert page.evaluate(JOURNAL, [limits, asked]) == wanted


CONVERSATION = """async () => {
  const { Conversation } = await import('/conversation.js');
  const start = { encoding: "pcm_s16le", sample_rate: 16000, channels: 1 };
  const conversation = new Conversation(start, { maxUnacknowledged: 30, maxReplay: 600 });
  const ready = { type: "ready", seq: 1, resume_token: "token", bytes: 0, messages: 0 };
  conversation.opened(JSON.stringify(ready));
  const resumed = conversation.opening();
  conversation.startAgain();
  return [resumed, conversation.opening()].map(frame => JSON.parse(frame));
}"""


def test_a_session_that_a_server_has_lost_is_continued_by_another_one(page: Any) -> None:
    resumed, begun_again = page.evaluate(CONVERSATION)
    assert (resumed["resume"], resumed["last_seq"], "continued" in resumed) == ("token", 1, False)
    assert ("resume" in begun_again, begun_again["continued"]) == (False, True)


names = st.sampled_from(["a", "A,", "b", "b.", "Straße", "STRASSE", "ﬁn", "fin", "你", "–"])
times = st.integers(0, 80).map(lambda tenths: tenths / 8)


@st.composite
def spoken(draw: st.DrawFn) -> tuple[Word, ...]:
    at = draw(times)
    words = []
    for name in draw(st.lists(names, max_size=5)):
        words.append(Word(name, at, at + 0.25, 0.5))
        at += 0.25
    return tuple(words)


@EXAMPLES
@given(told=spoken(), again=spoken())
def test_text_heard_again_is_told_from_new_text_as_in_python(
    page: Any, told: tuple[Word, ...], again: tuple[Word, ...]
) -> None:
    found = page.evaluate(
        "async ([told, again]) => (await import('/overlap.js')).overlap(told, again)",
        [[asdict(word) for word in told], [asdict(word) for word in again]],
    )
    assert found == overlap(told, again)


@st.composite
def texts(draw: st.DrawFn) -> Event:
    words = draw(spoken())
    text = draw(st.sampled_from(["", " "])) + " ".join(word.word for word in words)
    start, end = (words[0].start, words[-1].end) if words else (1.0, 1.0)
    if draw(st.booleans()):
        return Partial(text, start, end, words)
    final = draw(st.booleans())
    heard = draw(times) if final else None
    language = draw(st.sampled_from(["en", "zh", None]))
    return Committed(text, start, end, words, language, draw(st.integers(0, 3)), final, heard)


events = (
    texts()
    | times.map(SpeechStarted)
    | st.builds(SpeechEnded, times, times)
    | st.just(Flushed("x"))
)
stories = st.tuples(
    st.lists(
        events | st.tuples(st.just("beginAgain"), times) | st.tuples(st.just("rest"), times, times),
        max_size=25,
    ),
    st.builds(Done, times, times),
).map(lambda story: [*story[0], story[1]])
CONTINUITY = """
async (steps) => {
  const { Continuity } = await import("/continuity.js");
  const story = new Continuity();
  return steps.map(([name, ...given]) => [story[name](...given) ?? null, story.settled]);
}
"""


def plain(event: Event) -> dict[str, Any]:
    """As it stands on the wire."""
    message: dict[str, Any] = json.loads(encode_server_message(event, 1))
    return message


@EXAMPLES
@given(story=stories)
def test_sessions_are_told_as_one_as_in_python(page: Any, story: list[Any]) -> None:
    continuity = Continuity()
    asked: list[list[Any]] = []
    wanted: list[list[Any]] = []
    for step in story:
        told = None
        if not isinstance(step, tuple):
            asked.append(["hear", plain(step)])
            told = [plain(event) for event in continuity.receive(step)]
        else:
            name, *given = step
            asked.append([name, *given])
            (continuity.begin_again if name == "beginAgain" else continuity.pass_silence)(*given)
        wanted.append([told, continuity.released])
    found = page.evaluate(CONTINUITY, asked)
    assert found[:-1] == wanted[:-1]
    assert found[-1][0] == wanted[-1][0]


SPOKEN = """
async () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 10));
  const spoken = () => events.filter(({ type, text }) => type === "committed" && text).length;
  while (spoken() < 3) await pause();
}
"""


@pytest.fixture(scope="module")
def sound(speech: Any) -> tuple[str, str]:
    """Four sentences as base64 of 16-bit samples, and what they say."""
    clips = speech.clips("ls-dev")[:4]
    pcm = b"".join(
        (speech.load(clip) * 32767).astype("<i2").tobytes() + bytes(9600) for clip in clips
    )
    return base64.b64encode(pcm).decode(), " ".join(clip["text"] for clip in clips)


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["type"] == "committed")


@pytest.fixture(scope="module")
def whole(page: Any, sound: tuple[str, str]) -> dict[str, Any]:
    """What comes of an unbroken session."""
    result: dict[str, Any] = page.evaluate(DICTATE, [sound[0], SPEED, []])
    return result


def check(cut: dict[str, Any], whole: dict[str, Any], said: str) -> None:
    """Every word came once, and in order."""
    text, wanted = text_of(cut["events"]), text_of(whole["events"])
    changes = compare(wanted, text)
    # Speech that is heard anew from another moment on is heard otherwise here and there.
    assert changes.deletions + changes.insertions <= 2, text
    assert changes.total <= 6, text
    assert repeats(text) == repeats(wanted)
    assert compare(said, text).total <= compare(said, wanted).total + 3
    finals = [e["utterance"] for e in cut["events"] if e["type"] == "committed" and e["final"]]
    assert finals == list(range(len(finals)))
    assert cut["done"]["audio_seconds"] == pytest.approx(cut["seconds"], abs=0.01)


def test_speech_that_begins_before_the_connection_is_heard_from_its_first_word(
    whole: dict[str, Any], sound: tuple[str, str]
) -> None:
    assert compare(sound[1], text_of(whole["events"])).total <= 0.15 * len(sound[1].split())
    assert text_of(whole["events"]).startswith("He began a confused complaint")
    assert whole["connections"] == 1
    assert [e["state"] for e in whole["events"] if e["type"] == "state"] == [
        "connecting",
        "open",
        "done",
    ]


def test_connections_cut_in_mid_speech_lose_and_repeat_no_word(
    page: Any, whole: dict[str, Any], sound: tuple[str, str]
) -> None:
    cuts = [(number + 0.7) / (CUTS + 1) for number in range(CUTS)]
    cut = page.evaluate(DICTATE, [sound[0], SPEED, cuts])
    assert cut["connections"] == CUTS + 1
    check(cut, whole, sound[1])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_ends_in_mid_speech_is_followed_by_another_one(
    page: Any,
    servers: Servers,
    whole: dict[str, Any],
    sound: tuple[str, str],
    number: signal.Signals,
) -> None:
    servers.load()
    page.evaluate(f"given => {{ globalThis.running = ({DICTATE})(given) }}", [sound[0], SPEED, []])
    page.evaluate(SPOKEN)
    servers.end(number)
    servers.serve()
    cut = page.evaluate("running")
    causes = [e["cause"] for e in cut["events"] if e["type"] == "state" and e["cause"]]
    assert ("The server is shutting down." in causes) == (number == signal.SIGTERM)
    assert cut["connections"] > 1
    check(cut, whole, sound[1])


def test_who_cannot_come_in_is_told_why(page: Any) -> None:
    refused = page.evaluate("""async () => {
      const { StreamWhisper } = await import("/streamwhisper.js");
      const told = [];
      const stream = new StreamWhisper({ url: "/v1/stream", language: "de" });
      stream.addEventListener("error", ({ detail }) => told.push(detail));
      const code = await stream.connect().catch((error) => error.code);
      return [code, told.map(({ code, fatal }) => [code, fatal]), stream.state];
    }""")
    assert refused == ["unsupported_language", [["unsupported_language", True]], "failed"]


def test_a_server_that_is_not_there_is_given_up_in_the_end(page: Any, dead_url: str) -> None:
    code, states = page.evaluate(
        """async (url) => {
      const { StreamWhisper } = await import("/streamwhisper.js");
      const states = [];
      const stream = new StreamWhisper({ url, reconnect: { patience: 0.5 } });
      stream.addEventListener("state", ({ detail }) => states.push(detail.state));
      return [await stream.connect().catch((error) => error.code), states];
    }""",
        dead_url,
    )
    assert code == "connection_lost"
    assert states.count("connecting") > 2
    assert states[-1] == "failed"


def test_audio_beyond_what_is_kept_is_refused_and_not_lost_in_silence(
    page: Any, dead_url: str
) -> None:
    seconds, code = page.evaluate(
        """async (url) => {
      const { StreamWhisper } = await import("/streamwhisper.js");
      const stream = new StreamWhisper({ url, reconnect: { maxReplay: 2 } });
      stream.connect().catch(() => {});
      for (let k = 0; ; k += 1) {
        try {
          stream.send(new Int16Array(16000));
        } catch (error) {
          return [k, error.code];
        }
      }
    }""",
        dead_url,
    )
    assert (seconds, code) == (3, "too_far_behind")


def test_a_token_goes_into_the_handshake_or_is_refused_here(page: Any) -> None:
    assert page.evaluate("""async () => {
      const { subprotocols } = await import("/line.js");
      const refused = (() => {
        try {
          return subprotocols("a b");
        } catch (error) {
          return error.code;
        }
      })();
      return [subprotocols("k-1.x"), subprotocols(null), refused];
    }""") == [["streamwhisper", "bearer.k-1.x"], [], "bad_token"]


def test_a_token_may_be_a_function_which_is_asked_again_until_it_answers(
    servers: Servers, page: Any
) -> None:
    called, state = page.evaluate(
        """async (url) => {
      const { StreamWhisper } = await import("/streamwhisper.js");
      let called = 0;
      const token = async () => {
        called += 1;
        if (called < 3) throw new Error("the backend is away");
        return "k-1";
      };
      const stream = new StreamWhisper({ url, token });
      await stream.connect();
      const { state } = stream;
      await stream.end();
      return [called, state];
    }""",
        f"{servers.url}v1/stream",
    )
    assert (called, state) == (3, "open")


def test_an_idle_connection_that_is_lost_later_than_the_patience_is_made_again(page: Any) -> None:
    states = page.evaluate("""async () => {
      const { StreamWhisper } = await import("/streamwhisper.js");
      const sockets = [];
      const Socket = globalThis.WebSocket;
      globalThis.WebSocket = class extends Socket {
        constructor(...given) { super(...given); sockets.push(this); }
      };
      const now = performance.now.bind(performance);
      let ahead = 0; // milliseconds in which neither side has anything to say
      performance.now = () => now() + ahead;
      const states = [];
      const stream = new StreamWhisper({ url: "/v1/stream" });
      stream.addEventListener("state", ({ detail }) => states.push(detail.state));
      await stream.connect();
      ahead = 3_600_000;
      sockets[0].close();
      await stream.flush();
      stream.close();
      globalThis.WebSocket = Socket;
      performance.now = now;
      return states;
    }""")
    assert states[:3] == ["connecting", "open", "reconnecting"]
    assert states[-1] == "open"
