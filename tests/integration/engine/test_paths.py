"""All paths through the network compute the same: rows, padded batch, slots, draft and tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.files import read_audio
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalRecognizer
from streamwhisper.recognition import RecognitionRequest
from streamwhisper.whisper.decoding import context_tokens, empty_caches
from streamwhisper.whisper.kv_cache import TreeBranches
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.static_decoder import StaticDecoder
from streamwhisper.whisper.tail import EncodedAudio, SilentTails, encode
from tests.support.paths import SAMPLE

SECONDS = ((0, 4), (9, 15.3))
Texts = Sequence[Sequence[int]]
Run = Callable[[Whisper, Sequence[EncodedAudio], Texts, int], list[Tensor]]


def token_by_token(
    model: Whisper, audio: Sequence[EncodedAudio], texts: Texts, context: int
) -> list[Tensor]:
    """Return each row's hidden states ``[n, D]`` from the last context token on."""
    caches = empty_caches(model, audio)
    rows = []
    for text, cache in zip(texts, caches, strict=True):
        states = [model.decoder([text[:context]], [cache])[0][0][-1:]]
        states += [model.decoder([[token]], [cache])[0][0] for token in text[context:]]
        rows.append(torch.cat(states))
    return rows


def drafted(
    model: Whisper, audio: Sequence[EncodedAudio], texts: Texts, context: int
) -> list[Tensor]:
    hidden, _ = model.decoder(texts, empty_caches(model, audio))
    return [states[context - 1 :] for states in hidden]


def in_slots(
    model: Whisper, audio: Sequence[EncodedAudio], texts: Texts, context: int
) -> list[Tensor]:
    caches = empty_caches(model, audio)
    with StaticDecoder(model).steps(caches) as step:
        hidden, _ = step([text[:context] for text in texts], caches)
        rows = [[states[-1:]] for states in hidden]
        for at in range(context, max(map(len, texts))):
            going = [row for row, text in enumerate(texts) if at < len(text)]
            hidden, _ = step([texts[row][at : at + 1] for row in going], [caches[r] for r in going])
            for row, states in zip(going, hidden, strict=True):
                rows[row].append(states)
    return [torch.cat(states) for states in rows]


def as_a_tree(
    model: Whisper, audio: Sequence[EncodedAudio], texts: Texts, context: int
) -> list[Tensor]:
    """Beside each token goes a wrong one, as the second branch of a search."""
    rows = []
    for text, cache in zip(texts, empty_caches(model, audio), strict=True):
        hidden, _ = model.decoder([text[:context]], [cache])
        states, path = [hidden[0][-1:]], list(range(context))
        for position, token in enumerate(text[context:], start=context):
            mask = torch.zeros(2, cache.length + 2, dtype=torch.bool)
            mask[:, path] = True
            mask[0, cache.length] = mask[1, cache.length + 1] = True
            path.append(cache.length)
            branches = [TreeBranches(position, mask)]
            hidden, _ = model.decoder([[token, token + 1]], [cache], branches)
            states.append(hidden[0][:1])
        rows.append(torch.cat(states))
    return rows


@pytest.mark.parametrize("padded", [False, True], ids=["rows", "padded"])
@pytest.mark.parametrize("path", [token_by_token, drafted, in_slots, as_a_tree])
@torch.inference_mode()
def test_every_path_gives_the_logits_of_the_plain_one(
    recognizer: LocalRecognizer, path: Run, padded: bool
) -> None:
    model, samples = recognizer.model, read_audio(SAMPLE)
    mels = [log_mel(samples[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)]) for a, b in SECONDS]
    context = context_tokens(
        recognizer.tokenizer, (), "en", "transcribe", timestamps=False, most=223
    )
    answers = recognizer.recognize([RecognitionRequest(mel=mel, language="en") for mel in mels])
    texts = [[*context, *answer.tokens] for answer in answers]
    assert min(len(answer.tokens) for answer in answers) > 5
    windows = list(map(torch.from_numpy, mels))
    plain = token_by_token(model, encode(recognizer.tails, windows), texts, len(context))
    tails = SilentTails(model, batched=True) if padded else recognizer.tails
    found = path(model, encode(tails, windows), texts, len(context))
    for text, states, wanted in zip(texts, found, plain, strict=True):
        logits, expected = model.decoder.logits(states), model.decoder.logits(wanted)
        torch.testing.assert_close(logits, expected, atol=5e-3, rtol=0)
        assert torch.equal(logits.argmax(dim=1), expected.argmax(dim=1))
        assert expected.argmax(dim=1)[:-1].tolist() == text[len(context) :]
