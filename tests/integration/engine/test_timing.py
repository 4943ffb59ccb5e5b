"""When words were said, beside openai-whisper's own answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from whisper import timing as reference
from whisper.audio import log_mel_spectrogram, pad_or_trim
from whisper.tokenizer import get_tokenizer as reference_tokenizer

from benchmarks.lib.offline import load_reference
from streamwhisper.whisper.tail import encode_padded
from streamwhisper.whisper.timing import AlignmentTask, align

TEXT = ' He began a "confused" complaint, (against) the wizard: why? Who had vanished - behind.'


@pytest.mark.parametrize("id", ["librispeech/61-70968-0000", "librispeech/61-70968-0005"])
def test_onsets_and_probabilities_are_those_of_the_reference(recognizer, speech, id):
    sound = speech.load(speech.clip(id))
    frames = len(sound) // 160
    mel = pad_or_trim(log_mel_spectrogram(sound, padding=480_000)[:, :frames], 3000)
    tokens = recognizer.tokenizer.encode(TEXT)
    theirs = reference.find_alignment(
        load_reference("tiny.en"), reference_tokenizer(False), tokens, mel, frames
    )
    (padded,) = encode_padded(recognizer.model, [mel])
    task = AlignmentTask(replace(padded, audible=frames // 2), tuple(tokens))
    output = recognizer.model.decoder.logits
    # Two tasks at a time, as in a batch.
    mine, again = align(recognizer.model, output, recognizer.tokenizer, [task, task])
    assert [word.text for word in mine] == [word.word for word in theirs]
    assert [word.start for word in mine] == pytest.approx([word.start for word in theirs])
    assert [word.end for word in mine] == pytest.approx([word.end for word in theirs])
    assert [word.probability for word in mine] == pytest.approx(
        [word.probability for word in theirs], abs=1e-3
    )
    assert [word.start for word in again] == [word.start for word in mine]


def test_a_text_without_tokens_has_no_words(recognizer, speech):
    mel = torch.zeros(80, 3000)
    (sound,) = encode_padded(recognizer.model, [mel])
    output = recognizer.model.decoder.logits
    assert align(recognizer.model, output, recognizer.tokenizer, [AlignmentTask(sound, ())]) == [[]]
