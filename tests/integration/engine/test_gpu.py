"""On a GPU the text is what it is on a CPU, whichever way it is heard."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
import torch

from benchmarks.lib.measure import count_errors
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.devices import Precision
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.live.listen import listen
from streamwhisper.recognition import DecodingOptions, Hypothesis, RecognitionRequest, TextContext
from streamwhisper.transcription.options import TranscriptionOptions, WordOptions
from streamwhisper.transcription.transcribe import detect_language, transcribe, transcribe_all
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.search import SearchOptions
from streamwhisper.whisper.static_decoder import StaticDecoder
from tests.support.paths import SAMPLE

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.weights,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA is not available"),
]

RATE = 16000
Load = Callable[[str, str, Precision], LocalRecognizer]


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    from streamwhisper.audio.files import read_audio

    return read_audio(SAMPLE)


@pytest.fixture(scope="module")
def load(request: pytest.FixtureRequest) -> Load:
    """Loads a model once; a test whose weights are not there is skipped."""

    @cache
    def loaded(name: str, device: str, dtype: Precision) -> LocalRecognizer:
        path = request.getfixturevalue({"tiny.en": "tiny_en_path", "base": "base_path"}[name])
        return LocalRecognizer.load(path, LocalOptions(device=device, dtype=dtype))

    return loaded


@pytest.fixture
def eager() -> object:
    """Whatever a test decodes by, the next one decodes by the decoder itself."""
    taken: list[LocalRecognizer] = []
    yield taken.append
    for recognizer in taken:
        recognizer.model.stepping = None


def _requests(sound: np.ndarray, n_mels: int = 80, **more: object) -> list[RecognitionRequest]:
    """Windows of 6 s, and one of 3."""
    windows = [sound[start * RATE : (start + 6) * RATE] for start in (0, 4, 9, 14)]
    windows.append(sound[: 3 * RATE])
    return [
        RecognitionRequest(mel=log_mel(window, n_mels), language="en", **more)  # type: ignore[arg-type]
        for window in windows
    ]


def _texts(answers: list[Hypothesis]) -> list[str]:
    return [answer.text for answer in answers]


@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_text_in_float32_is_that_of_the_cpu(load: Load, sound: np.ndarray, name: str) -> None:
    requests = _requests(sound)
    answers = [load(name, device, "float32").recognize(requests) for device in ("cpu", "cuda")]
    assert _texts(answers[0]) == _texts(answers[1])
    for cpu, cuda in zip(*answers, strict=True):
        for one, other in zip(cpu.words, cuda.words, strict=True):
            assert other.start == pytest.approx(one.start, abs=0.1)
            assert other.log_probability == pytest.approx(one.log_probability, abs=0.02)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["tiny.en", "base"])
def test_in_half_precision_one_word_differs_at_the_most(
    load: Load, sound: np.ndarray, name: str, dtype: Precision
) -> None:
    whole = RecognitionRequest(mel=log_mel(sound[: 12 * RATE]), language="en")
    (cpu,) = load(name, "cpu", "float32").recognize([whole])
    (cuda,) = load(name, "cuda", dtype).recognize([whole])
    assert count_errors(cpu.text.lower().split(), cuda.text.lower().split()).total <= 1


def test_a_batch_gives_what_each_window_gives_alone(load: Load, sound: np.ndarray) -> None:
    recognizer, requests = load("tiny.en", "cuda", "float32"), _requests(sound)
    alone = [recognizer.recognize([request])[0] for request in requests]
    assert _texts(recognizer.recognize(requests)) == _texts(alone)


@pytest.mark.parametrize("compiled", [False, True])
def test_recorded_steps_give_what_the_decoder_gives(
    load: Load, sound: np.ndarray, eager: Callable[[LocalRecognizer], None], compiled: bool
) -> None:
    recognizer, requests = load("tiny.en", "cuda", "float32"), _requests(sound)
    recognizer.model.stepping = None
    plain = recognizer.recognize(requests)
    eager(recognizer)
    recognizer.model.stepping = StaticDecoder(recognizer.model, compiled=compiled)
    # From several threads, as a server's requests come.
    with ThreadPoolExecutor(3) as executor:
        again = list(executor.map(recognizer.recognize, [requests] * 3))
    assert [_texts(answers) for answers in again] == [_texts(plain)] * 3
    for one, other in zip(plain, again[0], strict=True):
        assert [word.start for word in one.words] == [word.start for word in other.words]
    (alone,) = recognizer.recognize(requests[:1])
    assert alone.text == plain[0].text
    (grown,) = recognizer.recognize([_with_past(requests[0], alone)])
    assert grown.text == plain[0].text


def _with_past(request: RecognitionRequest, answer: Hypothesis) -> RecognitionRequest:
    return RecognitionRequest(mel=request.mel, language="en", draft=answer.tokens, past=answer.past)


def test_prefix_draft_past_prompt_vocabulary_and_timestamps_stay_on_the_gpu(
    load: Load, sound: np.ndarray
) -> None:
    short, long = (log_mel(sound[: seconds * RATE]) for seconds in (5, 8))
    found = []
    for device in ("cpu", "cuda"):
        recognizer = load("tiny.en", device, "float32")
        (first,) = recognizer.recognize([RecognitionRequest(mel=short, language="en")])
        held = first.words[:3]
        (second,) = recognizer.recognize(
            [
                RecognitionRequest(
                    mel=long,
                    language="en",
                    prefix=tuple(token for word in held for token in word.tokens),
                    prefix_end=held[-1].end,
                    draft=tuple(token for word in first.words[3:] for token in word.tokens),
                    context=TextContext(
                        tuple(recognizer.tokenizer.encode(" Well then.")),
                        vocabulary=("wellcome", "every"),
                    ),
                    past=first.past,
                )
            ]
        )
        timed = RecognitionRequest(
            mel=long, language="en", options=DecodingOptions(timestamps=True)
        )
        (third,) = recognizer.recognize([timed])
        found.append([first.text, second.text, second.drafted, third.text])
    assert found[0] == found[1]


@pytest.mark.parametrize("method", ["chunked", "sequential"])
def test_a_recording_by_beam_with_words_is_that_of_the_cpu(
    load: Load, sound: np.ndarray, method: str
) -> None:
    options = TranscriptionOptions(
        method=method,  # type: ignore[arg-type]
        words=WordOptions(),
        search=SearchOptions(beam_size=5),
    )
    cpu, cuda = (
        transcribe(load("tiny.en", device, "float32"), sound, options) for device in ("cpu", "cuda")
    )
    assert cpu.text == cuda.text
    ends = [
        [word.end for segment in found.segments for word in segment.words or ()]
        for found in (cpu, cuda)
    ]
    assert ends[0] == pytest.approx(ends[1], abs=0.1)


def test_texts_are_drawn_on_the_gpu(load: Load, sound: np.ndarray) -> None:
    options = TranscriptionOptions(
        search=SearchOptions(best_of=3), fallback=FallbackOptions(temperatures=(0.4,))
    )
    recognizer = load("tiny.en", "cuda", "bfloat16")
    texts = [transcript.text for transcript in transcribe_all(recognizer, [sound] * 2, options)]
    assert texts[0] == texts[1] != ""


def test_the_language_is_that_of_the_cpu(load: Load, sound: np.ndarray) -> None:
    cpu, cuda = (detect_language(load("base", d, "float32"), sound) for d in ("cpu", "cuda"))
    assert next(iter(cuda)) == next(iter(cpu)) == "en"
    assert cuda["en"] == pytest.approx(cpu["en"], abs=0.01)


@pytest.mark.parametrize("static", [False, True])
def test_live_sound_gives_the_text_of_the_cpu(
    load: Load, sound: np.ndarray, eager: Callable[[LocalRecognizer], None], static: bool
) -> None:
    chunks = np.array_split(sound, len(sound) // 1600)
    texts = []
    for device in ("cpu", "cuda"):
        recognizer = load("tiny.en", device, "float32")
        eager(recognizer)
        if static and device == "cuda":
            recognizer.model.stepping = StaticDecoder(recognizer.model)
        events = listen(recognizer, chunks)
        texts.append("".join(event.text for event in events if isinstance(event, Committed)))
    assert texts[0] == texts[1] != ""
