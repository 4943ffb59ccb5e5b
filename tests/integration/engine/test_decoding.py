"""Decoding: the same text as the reference, and a draft that never changes the answer."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamwhisper.audio.mel import log_mel
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.errors import RecognitionError
from streamwhisper.recognition import DecodingOptions, RecognitionRequest
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.tail import encode_padded

pytestmark = pytest.mark.weights

MODELS = {"tiny.en": "tiny_en_path", "base": "base_path"}
UTTERANCES = int(os.environ.get("STREAMWHISPER_PARITY_UTTERANCES", "20"))


@pytest.fixture(scope="module", params=list(MODELS))
def padded(request: pytest.FixtureRequest) -> tuple[LocalRecognizer, Any]:
    """A recognizer with the reference's own padding, and the reference."""
    reference = pytest.importorskip("whisper", reason="the reference is the openai-whisper package")
    path: Path = request.getfixturevalue(MODELS[request.param])
    checkpoint = load_checkpoint(path)
    other = reference.model.Whisper(reference.model.ModelDimensions(**asdict(checkpoint.dims)))
    other.load_state_dict({name: tensor.float() for name, tensor in checkpoint.state.items()})
    options = LocalOptions(dtype="float32", silent_tail=False)
    return LocalRecognizer.load(path, options), other.eval()


@pytest.mark.parametrize("timestamps", [False, True])
def test_greedy_tokens_equal_the_references(
    padded: tuple[LocalRecognizer, Any], speech: Any, timestamps: bool
) -> None:
    """On real utterances, with and without timestamp tokens."""
    import whisper

    ours, other = padded
    clips = speech.clips("ls-dev")
    clips = [clip for clip in clips if clip["duration_s"] < 6]  # the reference is slow
    chosen = clips[:: len(clips) // UTTERANCES][: UTTERANCES if not timestamps else 4]
    wanted = whisper.DecodingOptions(language="en", fp16=False, without_timestamps=not timestamps)
    options = DecodingOptions(timestamps=timestamps)
    for clip in chosen:
        samples = speech.load(clip)
        mel = whisper.log_mel_spectrogram(whisper.pad_or_trim(samples))
        expected = whisper.decode(other, mel, wanted).text
        own = log_mel(np.pad(samples, (0, 480000 - len(samples))))[:, : len(samples) // 160 + 2]
        request = RecognitionRequest(mel=own, language="en", options=options)
        assert ours.recognize([request])[0].text.strip() == expected, clip["id"]


def test_the_language_of_a_clip_is_detected(
    padded: tuple[LocalRecognizer, Any], speech: Any
) -> None:
    recognizer, _ = padded
    if not recognizer.info.multilingual:
        pytest.skip("an English model knows no other language")
    clips = [
        next(clip for clip in speech.clips("fleurs-cuttledoc") if clip["language"] == language)
        for language in ("de", "es", "fr")
    ]
    mels = [torch.from_numpy(log_mel(speech.load(clip)[: 30 * 16000])) for clip in clips]
    sounds = encode_padded(recognizer.model, mels)
    every = detect_languages(recognizer.model, recognizer.tokenizer, sounds)
    for clip, found in zip(clips, every, strict=True):
        assert next(iter(found)) == clip["language"]
        assert sum(found.values()) == pytest.approx(1, abs=1e-3)


@pytest.fixture(scope="module")
def heard(recognizer: LocalRecognizer, speech: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    """A real window and its plain greedy tokens."""
    mel = log_mel(speech.load(speech.clips("misc-en")[0]))[:, :640]
    return mel, recognizer.recognize([RecognitionRequest(mel=mel)])[0].tokens


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_draft_right_or_wrong_never_changes_the_answer(
    recognizer: LocalRecognizer, heard: tuple[np.ndarray, tuple[int, ...]], data: st.DataObject
) -> None:
    mel, plain = heard
    text_tokens = st.integers(0, 50000)
    kept = data.draw(st.integers(0, len(plain)), label="right tokens")
    wrong = data.draw(st.lists(text_tokens, max_size=12), label="wrong tokens")
    resumed = data.draw(st.integers(0, 3), label="right tokens left out")
    draft = (*plain[:kept], *wrong, *plain[kept + resumed :])
    answer = recognizer.recognize([RecognitionRequest(mel=mel, draft=draft)])[0]
    assert answer.tokens == plain
    assert answer.drafted >= kept


@settings(max_examples=10)
@given(data=st.data())
def test_a_draft_after_a_prefix_never_changes_the_answer(
    recognizer: LocalRecognizer, heard: tuple[np.ndarray, tuple[int, ...]], data: st.DataObject
) -> None:
    mel, plain = heard
    prefix = plain[: data.draw(st.integers(0, len(plain)), label="prefix")]
    draft = tuple(data.draw(st.lists(st.sampled_from(plain), max_size=9), label="draft"))
    with_draft, without = recognizer.recognize(
        [
            RecognitionRequest(mel=mel, prefix=prefix, draft=draft),
            RecognitionRequest(mel=mel, prefix=prefix),
        ]
    )
    assert with_draft.tokens == without.tokens


def test_a_right_draft_is_accepted_whole(
    recognizer: LocalRecognizer, heard: tuple[np.ndarray, tuple[int, ...]]
) -> None:
    mel, plain = heard
    assert recognizer.recognize([RecognitionRequest(mel=mel, draft=plain)])[0].drafted == len(plain)


def test_a_prefix_that_fills_the_text_context_is_refused_with_its_size(
    recognizer: LocalRecognizer, heard: tuple[np.ndarray, tuple[int, ...]]
) -> None:
    mel, _ = heard
    with pytest.raises(RecognitionError, match="448"):
        recognizer.recognize([RecognitionRequest(mel=mel, prefix=(257,) * 447)])


@settings(max_examples=12)
@given(data=st.data())
def test_what_an_earlier_answer_left_never_changes_the_text_about_the_same_sound(
    recognizer: LocalRecognizer, heard: tuple[np.ndarray, tuple[int, ...]], data: st.DataObject
) -> None:
    """Whatever of its words were committed meanwhile, and whatever it had been told."""
    mel, plain = heard
    first = plain[: data.draw(st.integers(0, len(plain)), label="prefix before")]
    past = recognizer.recognize([RecognitionRequest(mel=mel, prefix=first)])[0].past
    prefix = plain[: data.draw(st.integers(0, len(plain)), label="prefix now")]
    draft = tuple(data.draw(st.lists(st.sampled_from(plain), max_size=9), label="draft"))
    request = RecognitionRequest(mel=mel, prefix=prefix, draft=draft)
    with_past = recognizer.recognize([replace(request, past=past)])[0]
    without = recognizer.recognize([request])[0]
    assert with_past.tokens == without.tokens
    for one, other in zip(with_past.words, without.words, strict=True):
        assert one.start == pytest.approx(other.start, abs=0.03)
        assert one.log_probability == pytest.approx(other.log_probability, abs=0.01)


def test_a_window_that_grows_step_by_step_is_heard_as_if_afresh(
    recognizer: LocalRecognizer, speech: Any
) -> None:
    """Each answer takes over what the last one left; of the tokens that follow, few differ."""
    mel = log_mel(speech.load(speech.clips("misc-en")[0]))
    past, prefix = None, ()
    same = every = 0
    for end in range(100, mel.shape[1], 60):
        request = RecognitionRequest(mel=mel[:, :end], prefix=prefix)
        afresh = recognizer.recognize([request])[0].tokens
        hypothesis = recognizer.recognize([replace(request, past=past)])[0]
        past, tokens = hypothesis.past, hypothesis.tokens
        same += sum(one == other for one, other in zip(tokens, afresh, strict=False))
        every += max(len(tokens), len(afresh))
        prefix = (*prefix, *tokens[: max(0, len(tokens) - 4)])
    assert same >= 0.9 * every > 50


def test_a_past_longer_than_the_window_is_refused(
    recognizer: LocalRecognizer, heard: tuple[np.ndarray, tuple[int, ...]]
) -> None:
    mel, _ = heard
    past = recognizer.recognize([RecognitionRequest(mel=mel)])[0].past
    with pytest.raises(RecognitionError, match="past"):
        recognizer.recognize([RecognitionRequest(mel=mel[:, :100], past=past)])
