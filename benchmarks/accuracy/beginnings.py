"""Duration for which a language is mistaken for another: evidence for `LanguageDetection`.

    python -m benchmarks beginnings --model base

Clips of real speech are cut a number of seconds after the voice activity gate opens. The model
then names the likeliest language, as it does in a stream.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks.lib.results import SAVE_HELP, heading, report
from benchmarks.lib.speech import SAMPLE_RATE, Recording, clips, speech_folder
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import DecodingOptions, RecognitionRequest
from streamwhisper.session.language import LanguageDetection
from streamwhisper.vad.gate import GateOptions, VadGate

SETS = ("fleurs-cuttledoc", "picovoice-cheetah", "common-voice", "misc-ru")
SECONDS = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
QUICK = DecodingOptions(max_tokens=1)
"""The text is of no matter here."""


def likeliest(recognizer: LocalRecognizer, clip: Recording) -> Iterator[tuple[float, str, float]]:
    """For each length that the clip has: the likeliest language, and how likely it is."""
    gate = VadGate(GateOptions())
    changes = [*gate.append(clip.samples), *gate.finish()]
    speech = clip.samples[changes[0].at :] if changes else clip.samples[:0]
    for seconds in SECONDS:
        if (count := round(seconds * SAMPLE_RATE)) <= len(speech):
            mel = log_mel(speech[:count], recognizer.info.n_mels)
            heard = recognizer.recognize([RecognitionRequest(mel=mel, options=QUICK)])[0]
            yield seconds, *next(iter(heard.languages.items()))


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="base")
    parser.add_argument("--save", action="store_true", help=SAVE_HELP)
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=1))
    folder, floor = speech_folder(), LanguageDetection().min_probability
    found = [
        (clip.language, *answer)
        for name in SETS
        for clip in clips(folder, name, 10_000)
        for answer in likeliest(recognizer, clip)
    ]
    lines = [
        f"| heard | clips not in English | taken for another language | with {floor:g} or more |",
        "|---" * 4 + "|",
    ]
    rows = []
    for seconds in SECONDS:
        foreign = [row for row in found if row[1] == seconds and row[0] != "en"]
        wrong = [p for language, _, best, p in foreign if best != language]
        believed = sum(p >= floor for p in wrong)
        rows.append([seconds, len(foreign), len(wrong), believed])
        lines.append(f"| {seconds:g} s | {len(foreign)} | {len(wrong)} | {believed} |")
    report({**heading(flags.model, 1), "rows": rows}, "\n".join(lines), save=flags.save)


if __name__ == "__main__":
    main()
