"""Answers of Deepgram's REST interface: metadata, words, utterances and paragraphs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from streamwhisper.events import Word
from streamwhisper.server.dialects.deepgram.formatting import FormattingOptions, bare, format_text
from streamwhisper.server.dialects.deepgram.messages import model_uuid
from streamwhisper.server.rest.deepgram_parameters import DeepgramParameters, ResultOptions
from streamwhisper.transcript import Segment, TimedWord, Transcript
from streamwhisper.version import __version__

__all__ = ["about_recording", "format_transcript", "results_of"]

_SENTENCES = 5  # maximum per paragraph
_PARAGRAPH_PAUSE = 1.5  # seconds


def format_transcript(transcript: Transcript, formatting: FormattingOptions) -> Transcript:
    """Return a transcript with formatted text."""
    if not (formatting.rewrites or formatting.plain):
        return transcript
    segments = []
    for segment in transcript.segments:
        own = segment.words or ()
        space = " " if any(word.word.startswith(" ") for word in own) else ""
        words = [Word(w.word.strip(), w.start, w.end, w.probability) for w in own]
        new = format_text(segment.text, words, formatting, segment.language or transcript.language)
        timed = [TimedWord(space + w.word, w.start, w.end, w.confidence) for w in new.words]
        segments.append(replace(segment, text=space + new.transcript, words=tuple(timed)))
    text = "".join(segment.text for segment in segments)
    return replace(transcript, text=text, segments=tuple(segments))


def about_recording(
    transcripts: Sequence[Transcript], parameters: DeepgramParameters, model: str
) -> dict[str, Any]:
    """Return the metadata of an answer with a transcript of the recording, or of each channel."""
    number = model_uuid(model)
    metadata: dict[str, Any] = {
        "duration": max(transcript.duration for transcript in transcripts),
        "channels": len(transcripts),
        "models": [number],
        "model_info": {number: {"name": model, "version": __version__, "arch": "whisper"}},
    }
    if parameters.results.tags:
        metadata["tags"] = list(parameters.results.tags)
    if parameters.lacking:
        metadata["warnings"] = [
            {
                "parameter": name,
                "type": "unsupported_model",
                "message": f"{name} is not supported by this server and was ignored.",
            }
            for name in parameters.lacking
        ]
    return metadata


def results_of(transcripts: Sequence[Transcript], options: ResultOptions) -> dict[str, Any]:
    """Return the results of an answer with a transcript of the recording, or of each channel."""
    results: dict[str, Any] = {"channels": [_channel(own, options) for own in transcripts]}
    if options.utterances:
        utterances = [
            _utterance(words, channel)
            for channel, transcript in enumerate(transcripts)
            for words in _utterances(_words(transcript), options.split)
        ]
        results["utterances"] = sorted(utterances, key=lambda utterance: utterance["start"])
    return results


def _words(transcript: Transcript) -> list[TimedWord]:
    return [word for segment in transcript.segments for word in segment.words or ()]


def _channel(transcript: Transcript, options: ResultOptions) -> dict[str, Any]:
    words = _words(transcript)
    alternative: dict[str, Any] = {
        "transcript": transcript.text.strip(),
        "confidence": _confidence(words),
        "words": [_word(word) for word in words],
    }
    if options.paragraphs:
        alternative["paragraphs"] = _paragraphs(transcript.segments)
    channel: dict[str, Any] = {"alternatives": [alternative]}
    if options.detect and transcript.language:
        channel["detected_language"] = transcript.language
    return channel


def _word(word: TimedWord) -> dict[str, Any]:
    spelt = word.word.strip()
    return {
        "word": bare(spelt),
        "start": word.start,
        "end": word.end,
        "confidence": round(word.probability, 4),
        "punctuated_word": spelt,
    }


def _confidence(words: Sequence[TimedWord]) -> float:
    return round(fmean(word.probability for word in words), 4) if words else 0.0


def _utterances(words: Sequence[TimedWord], split: float) -> Iterator[list[TimedWord]]:
    """Yield the words of each utterance; a pause of `split` seconds separates two."""
    own: list[TimedWord] = []
    for word in words:
        if own and word.start - own[-1].end >= split:
            yield own
            own = []
        own.append(word)
    if own:
        yield own


def _utterance(words: Sequence[TimedWord], channel: int) -> dict[str, Any]:
    return {
        "start": words[0].start,
        "end": words[-1].end,
        "confidence": _confidence(words),
        "channel": channel,
        "transcript": "".join(word.word for word in words).strip(),
        "words": [_word(word) for word in words],
        "id": str(uuid.uuid4()),
    }


def _paragraphs(segments: Sequence[Segment]) -> dict[str, Any]:
    """Return paragraphs of up to five sentences; a pause also ends one."""
    groups: list[list[Segment]] = []
    for segment in segments:
        last = groups[-1] if groups else []
        if last and len(last) < _SENTENCES and segment.start - last[-1].end < _PARAGRAPH_PAUSE:
            last.append(segment)
        else:
            groups.append([segment])
    texts = ["".join(segment.text for segment in group).strip() for group in groups]
    return {
        "transcript": "".join(f"\n{text}\n" for text in texts),
        "paragraphs": [
            {
                "sentences": [
                    {"text": one.text.strip(), "start": one.start, "end": one.end} for one in group
                ],
                "num_words": sum(len(one.words or ()) for one in group),
                "start": group[0].start,
                "end": group[-1].end,
            }
            for group in groups
        ],
    }
