"""Whole recordings, many at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soxr
import torch

from benchmarks.lib.measure import count_errors
from benchmarks.lib.speech import normalized
from streamwhisper import LocalOptions, detect_language, load_model, transcribe, transcribe_all
from streamwhisper.audio.files import read_audio
from streamwhisper.errors import AudioFormatError, RecognitionError
from streamwhisper.transcription.options import ChunkOptions, TranscriptionOptions, WordOptions
from streamwhisper.whisper.fallback import FallbackOptions
from streamwhisper.whisper.search import SearchOptions
from tests.support.paths import SAMPLE

SPOKEN = SAMPLE.with_suffix(".txt").read_text()
PLAIN = TranscriptionOptions(search=SearchOptions(timestamps=False))


@pytest.fixture(scope="module")
def base(base_path):
    return load_model(base_path, LocalOptions(dtype="float32", threads=1))


def test_a_file_is_transcribed_in_segments_with_words_that_lie_within_it(recognizer):
    transcript = transcribe(recognizer, SAMPLE, TranscriptionOptions(words=WordOptions()))
    assert count_errors(normalized(SPOKEN), normalized(transcript.text)).rate == 0
    assert transcript.language == "en"
    assert transcript.duration == pytest.approx(22.95, abs=0.01)
    assert len(transcript.segments) > 1
    assert [segment.id for segment in transcript.segments] == list(range(len(transcript.segments)))
    words = [word for segment in transcript.segments for word in segment.words]
    assert "".join(word.word for word in words) == transcript.text
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0.4 < times[0] < times[-1] <= transcript.duration


@pytest.mark.parametrize("vad", [True, False])
def test_small_chunks_cut_anywhere_join_to_the_whole_text(recognizer, vad):
    chunks = ChunkOptions(vad=vad, longest=6.0, longest_pause=0.0, batch_size=2)
    options = replace(PLAIN, chunks=chunks, words=WordOptions())
    transcript = transcribe(recognizer, SAMPLE, options)
    assert count_errors(normalized(SPOKEN), normalized(transcript.text)).rate < 0.04
    words = [word for segment in transcript.segments for word in segment.words]
    assert "".join(word.word for word in words) == transcript.text


def test_recordings_in_a_batch_come_in_order_and_as_each_would_alone(recognizer, speech):
    clips = [speech.load(speech.clip(f"librispeech/61-70968-000{i}")) for i in range(5)]
    sounds = [*clips[:3], np.zeros(16000, np.float32), SAMPLE, *clips[3:], clips[0][:100]]
    done: list[float] = []
    together = list(transcribe_all(recognizer, sounds, PLAIN, progress=done.append))
    alone = [transcribe(recognizer, sound, PLAIN) for sound in sounds]
    assert [found.text for found in together] == [found.text for found in alone]
    assert together[3].segments == together[-1].segments == ()
    assert sum(done) == pytest.approx(sum(found.duration for found in together))


def test_results_come_before_all_recordings_are_read(recognizer, speech):
    clip = speech.load(speech.clip("librispeech/61-70968-0000"))
    read: list[int] = []

    def sounds():
        for number in range(12):
            read.append(number)
            yield clip

    options = replace(PLAIN, chunks=ChunkOptions(batch_size=1))
    first = next(transcribe_all(recognizer, sounds(), options))
    assert first.text.startswith(" He began")
    assert len(read) < 12


def test_each_recording_has_its_own_language(base, speech):
    clips = [
        next(c for c in speech.clips("picovoice-cheetah") if c["language"] == language)
        for language in ("de", "en", "es")
    ]
    sounds = [speech.load(clip) for clip in clips]
    found = list(transcribe_all(base, sounds, PLAIN))
    assert [transcript.language for transcript in found] == ["de", "en", "es"]
    for sound, clip in zip(sounds, clips, strict=True):
        probabilities = detect_language(base, sound)
        assert next(iter(probabilities)) == clip["language"]
        assert sum(probabilities.values()) == pytest.approx(1)
    (english,) = transcribe_all(base, sounds[:1], replace(PLAIN, task="translate"))
    assert english.language == "de"
    assert english.text != found[0].text


def test_the_text_does_not_depend_on_the_form_of_the_samples(recognizer):
    """16-bit samples are what microphones and WAV files deliver; a slip would invent text."""
    floats = read_audio(SAMPLE)[:96000]
    words = transcribe(floats, recognizer, language="en").text
    pcm = np.round(floats * 32768).clip(-32768, 32767).astype(np.int16)
    assert len(words.split()) > 8
    forms = [pcm, np.stack([pcm, pcm], axis=1), np.stack([pcm] * 2), torch.from_numpy(pcm)]
    forms += [pcm.astype(np.int32) << 16, {"array": floats, "sampling_rate": 16000}]
    assert {found.text for found in transcribe_all(forms, recognizer)} == {words}
    upsampled = transcribe(soxr.resample(pcm, 16000, 48000), recognizer, sample_rate=48000)
    assert normalized(upsampled.text) == normalized(words)


def test_keywords_and_both_orders_are_the_same_call(recognizer, tmp_path):
    options = TranscriptionOptions(words=WordOptions())
    expected = transcribe(recognizer, SAMPLE, options)
    assert transcribe(SAMPLE, recognizer, word_timestamps=True) == expected
    assert transcribe(SAMPLE.read_bytes(), model=recognizer, word_timestamps=True).text
    assert recognizer.transcribe(str(SAMPLE), word_timestamps=True) == expected
    with pytest.warns(DeprecationWarning, match="sound=...\\) is now audio="):
        assert transcribe(recognizer, sound=SAMPLE, options=options) == expected
    subtitles = expected.save(tmp_path / "sample.srt").read_text()
    assert subtitles.startswith("1\n00:00:0")


def test_a_single_recording_is_no_list_of_them(recognizer):
    with pytest.raises(TypeError, match="audios is one recording"):
        transcribe_all(str(SAMPLE), recognizer)
    with pytest.raises(TypeError, match="model is of type int"):
        transcribe(SAMPLE, 5)


def test_a_timestamp_that_is_drawn_by_chance_is_no_text(recognizer):
    hot = FallbackOptions((1.5,), None, None, None)  # at which one is drawn, as a rule
    options = TranscriptionOptions(words=WordOptions(), fallback=hot)
    transcript = transcribe(recognizer, read_audio(SAMPLE)[:80_000], options)
    assert transcript.segments
    tokens = [token for segment in transcript.segments for token in segment.tokens]
    assert max(tokens) < recognizer.tokenizer.eot


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (TranscriptionOptions(task="translate"), "cannot translate"),
        (TranscriptionOptions(language="de"), "only supports English"),
    ],
)
def test_what_an_english_model_cannot_do_is_said(recognizer, options, said):
    with pytest.raises(RecognitionError, match=said):
        transcribe(recognizer, SAMPLE, options)


def test_what_cannot_be_is_said(recognizer, base, tmp_path):
    with pytest.raises(RecognitionError, match="unknown language 'xx'"):
        transcribe(base, SAMPLE, TranscriptionOptions(language="xx"))
    with pytest.raises(RecognitionError, match="supports English only"):
        detect_language(recognizer, SAMPLE)
    with pytest.raises(AudioFormatError, match="no such file"):
        transcribe(recognizer, tmp_path / "none.wav")
    with pytest.raises(ValueError, match="method is 'chunked'"):
        TranscriptionOptions(words=WordOptions(hallucination_silence_threshold=1.0))
