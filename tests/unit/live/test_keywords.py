"""Keywords and audio forms of live transcription."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamwhisper import AudioFormatError, Done, LiveStream, SessionOptions, listen
from streamwhisper.live.keywords import SessionKeywords, session_options
from streamwhisper.testing import ScriptedRecognizer, text_of
from tests.support.paths import SAMPLE
from tests.support.scripted import OPTIONS, script

SCRIPT = script(8.0)
PCM = np.round(SCRIPT.samples * 32768).clip(-32768, 32767).astype(np.int16)


def heard(chunks, **keywords):
    return text_of(listen(ScriptedRecognizer(SCRIPT), chunks, OPTIONS, **keywords))


def test_keywords_set_session_options():
    assert set(SessionKeywords.__annotations__) == {
        *("language", "task", "partials", "update_interval", "vocabulary", "latency")
    }
    found = session_options(
        "listen", None, {"language": "German", "vocabulary": ["Ann"], "latency": "low"}
    )
    assert found == replace(SessionOptions(language="de", vocabulary=("Ann",)).tuned("low"))
    assert session_options("listen", OPTIONS, {}) == OPTIONS


@pytest.mark.parametrize(
    ("keywords", "error", "said"),
    [
        ({"langauge": "en"}, TypeError, r"listen\(\) has no keyword 'langauge'; did you mean"),
        ({"latency": "fast"}, ValueError, "latency is 'fast'; expected 'low'"),
        ({"vocabulary": "Ann"}, ValueError, "expected a list of words"),
        ({"partials": True}, ValueError, "partials is True, but options has False"),
    ],
)
def test_what_is_wrong_is_said_before_any_audio(keywords, error, said):
    with pytest.raises(error, match=said):
        listen(ScriptedRecognizer(SCRIPT), [], SessionOptions(partials=False), **keywords)


@pytest.mark.parametrize(
    "chunks",
    [
        [SCRIPT.samples],
        [PCM[:50_000], PCM[50_000:]],
        [np.stack([PCM, PCM], axis=1)],
        PCM,
        {"array": SCRIPT.samples, "sampling_rate": 16000},
        [PCM[:0], PCM],
    ],
    ids=["float", "int16", "stereo", "one array", "mapping", "an empty chunk"],
)
def test_the_text_does_not_depend_on_the_form_of_the_chunks(chunks):
    assert heard(chunks) == SCRIPT.text


def test_a_path_is_read_in_chunks():
    events = list(listen(ScriptedRecognizer(script(60.0)), SAMPLE, OPTIONS))
    assert text_of(events) == script(60.0).text
    assert isinstance(events[-1], Done)


def test_a_model_is_a_recognizer_or_a_name():
    with pytest.raises(TypeError, match="model is of type int; expected a name, a path"):
        listen(5, [])


async def test_a_live_stream_takes_samples_at_any_rate_and_no_nonsense():
    doubled = np.repeat(PCM, 2)
    async with LiveStream(
        ScriptedRecognizer(SCRIPT), OPTIONS, sample_rate=32000, language="English"
    ) as stream:
        with pytest.raises(AudioFormatError, match="the mapping has the keys"):
            await stream.send({})
        for at in range(0, len(doubled), 9600):
            await stream.send(doubled[at : at + 9600])
        await stream.end()
        events = [event async for event in stream]
    assert events[-1].audio_seconds == pytest.approx(8.0, abs=0.01)
