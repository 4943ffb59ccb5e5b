"""Offline search against openai-whisper: the text with the same weights in float32.

    python -m benchmarks parity --model tiny.en
    python -m benchmarks parity --model base --languages

English utterances go through every search: greedy and beam 5, with and without timestamps, with
a prompt, with a prefix, and with neither. With ``--languages`` all clips in other languages are
transcribed and translated, and the language probabilities are compared. Each difference is printed
with the log-probabilities of the two tokens where the texts part, and of both texts.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.lib.measure import machine_line
from benchmarks.lib.offline import load_reference
from benchmarks.lib.speech import Recording, clips, speech_folder
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import Task
from streamwhisper.whisper.decoding import detect_languages
from streamwhisper.whisper.search import SearchOptions, SearchTask, search, text_tokens
from streamwhisper.whisper.tail import EncodedAudio, encode_padded

PROMPT = "The ladies of Mr. Quilter's household spoke of Ottoman manuscripts, and of sculpture."
FOREIGN_SETS = ("fleurs-cuttledoc", "picovoice-cheetah", "misc-ru", "common-voice", "misc-en")


@dataclass(frozen=True, slots=True)
class Way:
    """One way to search."""

    beam_size: int | None
    timestamps: bool
    task: Task = "transcribe"

    def __str__(self) -> str:
        beam = f"beam {self.beam_size}" if self.beam_size else "greedy"
        return f"{self.task}, {beam}, {'timestamps' if self.timestamps else 'no timestamps'}"


class Pair:
    """The same weights here and in the reference."""

    def __init__(self, name: str) -> None:
        self.other = load_reference(name)
        self.own = LocalRecognizer.load(name, LocalOptions(dtype="float32", threads=1))
        self.seconds: dict[str, float] = defaultdict(float)

    def encode(self, recording: Recording) -> tuple[EncodedAudio, Any]:
        """The same padded window for both."""
        import whisper

        samples = whisper.pad_or_trim(recording.samples)
        mel = whisper.log_mel_spectrogram(samples, self.own.info.n_mels)
        return encode_padded(self.own.model, [mel])[0], self.other.embed_audio(mel[None])[0]

    def expected(self, features: Any, way: Way, language: str, prompt: str, prefix: str) -> Any:
        """What the reference finds."""
        import whisper

        options = whisper.DecodingOptions(
            task=way.task,
            language=language,
            fp16=False,
            beam_size=way.beam_size,
            without_timestamps=not way.timestamps,
            prompt=prompt or None,
            prefix=prefix or None,
        )
        started = time.process_time()
        result = whisper.decode(self.other, features, options)
        self.seconds["openai-whisper"] += time.process_time() - started
        return result

    def found(self, tasks: Sequence[SearchTask], way: Way) -> list[Any]:
        """What is found here, all tasks side by side."""
        options = SearchOptions(beam_size=way.beam_size, timestamps=way.timestamps)
        model = self.own.model
        started = time.process_time()
        results = search(model, model.decoder.logits, self.own.tokenizer, tasks, options)
        self.seconds["streamwhisper"] += time.process_time() - started
        return results

    def differences(
        self, recording: Recording, way: Way, language: str, sound: EncodedAudio, features: Any
    ) -> Iterator[tuple[str, str]]:
        """What comes before the text, and what differs; other languages have nothing before it."""
        plain = self.expected(features, way, language, "", "")
        prefix = " ".join(plain.text.split()[:2])
        contexts = {"": ("", "")}
        if language == "en":
            contexts |= {"prompt": (PROMPT, ""), "prefix": ("", prefix)}
        tasks = [
            SearchTask(sound, language, way.task, self._tokens(prompt), self._tokens(prefix))
            for prompt, prefix in contexts.values()
        ]
        found = self.found(tasks, way)
        for own, (name, parts) in zip(found, contexts.items(), strict=True):
            other = plain if not name else self.expected(features, way, language, *parts)
            if list(own.tokens) == other.tokens:
                yield name, ""
                continue
            at = next(
                (
                    i
                    for i, (a, b) in enumerate(zip(own.tokens, other.tokens, strict=False))
                    if a != b
                ),
                min(len(own.tokens), len(other.tokens)),
            )
            said = "text" if own.text != other.text else "timestamps only"
            yield (
                name,
                (
                    f"{recording.key}, {way}, {name or 'nothing'}: {said}, token {at}; mean "
                    f"log-probability {own.log_probability:.5f}, "
                    f"reference {other.avg_logprob:.5f}\n"
                    f"    here      {own.text}\n    reference {other.text}"
                ),
            )

    def _tokens(self, text: str) -> tuple[int, ...]:
        return text_tokens(self.own.tokenizer, text) if text else ()

    def language_error(self, sound: EncodedAudio, features: Any) -> tuple[bool, float]:
        """Whether both hear the same language, and by how much any probability differs."""
        (own,) = detect_languages(self.own.model, self.own.tokenizer, [sound])
        _, other = self.other.detect_language(features)
        same = max(own, key=own.__getitem__) == max(other, key=other.__getitem__)
        return same, max(abs(own[code] - other[code]) for code in other)


def main() -> None:
    """Compare, print every difference and a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--clips", type=int, default=40, help="English utterances")
    parser.add_argument("--languages", action="store_true", help="other languages as well")
    parser.add_argument("--longest", type=float, default=30.0, help="seconds of a clip")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    folder, pair = speech_folder(), Pair(flags.model)
    compared, differing = Counter[str](), Counter[str]()
    lines: list[str] = []

    def compare(recording: Recording, language: str, ways: Sequence[Way], kind: str) -> None:
        sound, features = pair.encode(recording)
        if language != "en":
            same, error = pair.language_error(sound, features)
            compared["language"] += 1
            differing["language"] += not same
            errors.append(error)
        for way in ways:
            for name, line in pair.differences(recording, way, language, sound, features):
                key = f"{kind}, {way}, {name or 'neither'}"
                compared[key] += 1
                differing[key] += bool(line)
                if line:
                    lines.append(line)
                    print(line, flush=True)

    errors: list[float] = []
    print(f"{flags.model}, float32, on {machine_line(1)}\n")
    every = [Way(beam, timestamps) for beam in (None, 5) for timestamps in (True, False)]
    for recording in clips(folder, "ls-dev", flags.clips, longest=flags.longest):
        compare(recording, "en", every, "English")
    if flags.languages:
        tasks: tuple[Task, ...] = ("transcribe", "translate")
        ways = [Way(beam, True, task) for task in tasks for beam in (None, 5)]
        for name in FOREIGN_SETS:
            for recording in clips(folder, name, 1000, longest=1e9):
                if recording.language not in ("en", None):
                    compare(recording, recording.language, ways, "other languages")
    print("\n| what | compared | different |\n|---|---|---|")
    for key, count in compared.items():
        print(f"| {key} | {count} | {differing[key]} |")
    print(f"| all | {compared.total()} | {differing.total()} |")
    if flags.languages:
        print(f"\nprobabilities of languages differ by {np.max(errors):.1e} at the most")
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in pair.seconds.items())
    print(f"\nCPU time of the searches: {seconds}")


if __name__ == "__main__":
    main()
