"""The session's language: found from enough speech, kept, and changed only for good reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamwhisper.client import connect
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.server.app import Server, ServerOptions
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.options import SessionOptions


@pytest.fixture(scope="module")
def base(base_path: Path) -> LocalRecognizer:
    return LocalRecognizer.load(base_path, LocalOptions(dtype="float32", threads=1))


def committed(
    base: LocalRecognizer, speech: Any, clips: Mapping[str, float], **options: Any
) -> list[Committed]:
    """What is committed of clips, each with seconds of silence behind it, in 0.3 s chunks."""
    pieces = [
        piece
        for id, gap in clips.items()
        for piece in (speech.load(speech.clip(id)), np.zeros(round(gap * 16000), np.float32))
    ]
    sound = np.concatenate(pieces)
    chunks = (sound[i : i + 4800] for i in range(0, len(sound), 4800))
    events = listen(base, chunks, SessionOptions(**options))
    return [event for event in events if isinstance(event, Committed) and event.text.strip()]


def test_the_language_is_found_and_stands_on_all_text(base: LocalRecognizer, speech: Any) -> None:
    """The first half second of it is taken for English."""
    text = committed(base, speech, {"picovoice-cheetah/test_es_norm": 0.5})
    assert {event.language for event in text} == {"es"}


def test_another_language_after_a_pause_is_written_in_that_language(
    base: LocalRecognizer, speech: Any
) -> None:
    clips = {"picovoice-cheetah/test_fr": 3.0, "picovoice-cheetah/test_de": 0.5}
    text = committed(base, speech, clips)
    languages = [event.language for event in text]
    assert languages == sorted(languages, reverse=True)
    german = "".join(event.text for event in text if event.language == "de")
    assert "Werbung" in german
    assert german.lstrip().startswith("Die")


def test_a_language_that_may_not_be_spoken_is_not_written(
    base: LocalRecognizer, speech: Any
) -> None:
    """Of all languages Greek is the likeliest here."""
    clips = {"picovoice-cheetah/test_es": 0.5}
    text = committed(base, speech, clips, language=LanguageDetection(candidates=("es", "en")))
    assert {event.language for event in text} == {"es"}


def test_what_is_translated_comes_once_and_in_order(base: LocalRecognizer, speech: Any) -> None:
    text = committed(base, speech, {"fleurs-cuttledoc/fleurs-es-006": 0.5}, task="translate")
    words = [word for event in text for word in event.words]
    assert {event.language for event in text} == {"es"}
    assert {"fighters", "wrestlers"} & {word.word.strip(".,").lower() for word in words}
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    plain = [word.word.strip(".,").lower() for word in words]
    triples = list(zip(plain, plain[1:], plain[2:], strict=False))
    assert len(triples) == len(set(triples))


async def test_a_client_says_which_languages_may_be_spoken_and_what_is_wanted(
    base: LocalRecognizer, speech: Any
) -> None:
    sound = speech.load(speech.clip("picovoice-cheetah/test_de"))
    wanted: dict[str, Any] = {"languages": ("de", "nl"), "task": "translate"}
    async with (
        Server(base, ServerOptions(port=0)) as server,
        connect(server.url, encoding="pcm_f32le", **wanted) as client,
    ):
        await client.send(sound.astype("<f4").tobytes())
        await client.end()
        events = [event async for event in client if isinstance(event, Committed)]
    assert {event.language for event in events} == {"de"}
    assert len("".join(event.text for event in events).split()) > 3


SIMPLIFIED, TRADITIONAL = set("项开尔队个于后"), set("項開爾隊個於後")
MANDARIN = "fleurs-whisperstt/fleurs_zh_1883_clip5"


def test_mandarin_is_written_in_the_script_that_the_tag_names(
    base: LocalRecognizer, speech: Any
) -> None:
    sound = speech.load(speech.clip(MANDARIN))[: 8 * 16000]
    for tag, own, other in (
        (None, SIMPLIFIED, TRADITIONAL),
        ("zh-TW", TRADITIONAL, SIMPLIFIED),
    ):
        text = set(base.transcribe(sound, language=tag).text)
        assert own & text
        assert not other & text


@pytest.mark.parametrize(
    ("tag", "own", "other"),
    [("zh-CN", SIMPLIFIED, TRADITIONAL), ("zh-TW", TRADITIONAL, SIMPLIFIED)],
)
def test_a_live_session_writes_it_in_the_script_of_a_candidate_and_never_the_prompt(
    base: LocalRecognizer, speech: Any, tag: str, own: set[str], other: set[str]
) -> None:
    """In the pause after the clip the model would repeat its prompt."""
    live = committed(base, speech, {MANDARIN: 1.0}, language=LanguageDetection((tag,)))
    text = "".join(event.text for event in live)
    assert own & set(text)
    assert not other & set(text)
    assert "普通" not in text
