"""The offline search: the reference's text, whichever way it searches."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from streamwhisper.whisper.checkpoints import load_checkpoint
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.search import (
    SearchOptions,
    SearchResult,
    SearchTask,
    search,
    text_tokens,
)
from streamwhisper.whisper.tail import EncodedSound, encode_padded
from streamwhisper.whisper.tokenizer import Tokenizer, get_tokenizer

MODELS = {"tiny.en": "tiny_en_path", "base": "base_path"}


class Pair:
    """The same weights here and in the reference; sounds are encoded once for each."""

    def __init__(self, reference: Any, path: Path) -> None:
        checkpoint = load_checkpoint(path)
        self.model = Whisper.from_checkpoint(checkpoint, dtype=torch.float32)
        self.tokenizer: Tokenizer = get_tokenizer(self.model.dims.n_vocab)
        self.reference = reference
        dims = reference.model.ModelDimensions(**asdict(checkpoint.dims))
        self.other = reference.model.Whisper(dims)
        self.other.load_state_dict({k: tensor.float() for k, tensor in checkpoint.state.items()})
        self.other.eval()

    def encode(self, samples: Any) -> tuple[EncodedSound, Any]:
        mel = self.reference.log_mel_spectrogram(self.reference.pad_or_trim(samples))
        (sound,) = encode_padded(self.model, [mel])
        return sound, self.other.embed_audio(mel[None])[0]

    def search(
        self, *tasks: SearchTask, temperature: float = 0.0, **options: Any
    ) -> list[SearchResult]:
        return search(
            self.model,
            self.model.decoder.logits,
            self.tokenizer,
            tasks,
            SearchOptions(**options),
            temperature,
        )

    def expect(self, features: Any, **options: Any) -> Any:
        wanted = self.reference.DecodingOptions(fp16=False, **options)
        return self.reference.decode(self.other, features, wanted)


@pytest.fixture(scope="module", params=list(MODELS))
def pair(request: pytest.FixtureRequest) -> Pair:
    reference = pytest.importorskip("whisper", reason="the reference is the openai-whisper package")
    return Pair(reference, request.getfixturevalue(MODELS[request.param]))


@pytest.fixture(scope="module")
def heard(pair: Pair, speech: Any) -> list[tuple[EncodedSound, Any]]:
    """Short utterances, encoded for both."""
    clips = [clip for clip in speech.clips("ls-dev") if 2.5 < clip["duration_s"] < 6]
    return [pair.encode(speech.load(clip)) for clip in clips[:: len(clips) // 3][:3]]


@pytest.mark.parametrize("beam_size", [None, 5])
@pytest.mark.parametrize("timestamps", [False, True])
def test_tokens_and_figures_equal_the_references(
    pair: Pair, heard: list[tuple[EncodedSound, Any]], beam_size: int | None, timestamps: bool
) -> None:
    """With and without a prompt and a prefix."""
    for sound, features in heard:
        for prompt, prefix in ((None, None), ("Miss Shimerda's", None), (None, "It's")):
            expected = pair.expect(
                features,
                language="en",
                without_timestamps=not timestamps,
                beam_size=beam_size,
                prompt=prompt,
                prefix=prefix,
            )
            task = SearchTask(
                sound,
                prompt=text_tokens(pair.tokenizer, prompt) if prompt else (),
                prefix=text_tokens(pair.tokenizer, prefix) if prefix else (),
            )
            (found,) = pair.search(task, beam_size=beam_size, timestamps=timestamps)
            assert list(found.tokens) == expected.tokens
            assert found.text == expected.text
            assert found.log_probability == pytest.approx(expected.avg_logprob, abs=1e-3)
            assert found.no_speech_probability == pytest.approx(expected.no_speech_prob, abs=1e-4)
            assert found.compression_ratio == expected.compression_ratio
