"""Recall and false alarms of names in the vocabulary.

    python -m benchmarks vocabulary --model tiny.en

Transcribes utterances with names that the model often gets wrong, and others: without a
vocabulary, with these names listed, and with unspoken names listed beside them (the last ones
resemble a spoken name). Then streams audio without speech with all names listed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from benchmarks.accuracy.nonspeech import COUNTED_IN, SILENT_SETS, words_from
from benchmarks.lib.measure import Errors, count_errors, machine_line
from benchmarks.lib.speech import Recording, clips, normalized, speech_folder
from benchmarks.lib.virtual import VirtualStream
from streamwhisper.audio.mel import log_mel
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.recognition import RecognitionRequest, TextContext
from streamwhisper.session.options import SessionOptions

_NAMES = """
Montfichet Fitzooth Warrenton Gamewell Margolotte Stuteley Ojo Mainhall Southey Geoffrey Gillikins
Bartley Monceux Liedenbrock ichthyosaurus plesiosaurus Ozma Nunkie Edisonia Holborn Haworth Brontes
Numidia Donatists Westmere Jenks Rhone Hilda Mersey Elmo Pipt Nottingham Robin Edison Anne
"""
_STRANGERS = """
Shimerda Wojciechowski Siobhan Nguyen Okonkwo Thessalonika Quetzalcoatl Brzezinski Hermione
Lannister Daenerys Zarathustra Llewellyn Cholmondeley Featherstone Marjoribanks Theodora
Wilhelmina Agamemnon Clytemnestra Kubernetes PostgreSQL TensorFlow Reykjavik Ouagadougou
Antananarivo Massachusetts Wyoming Gloucestershire Worcestershire Leicester Kirkcudbright
Auchtermuchty Dostoevsky Tchaikovsky Rachmaninoff Shostakovich Debussy Beethoven Mendelssohn
Schopenhauer Kierkegaard Wittgenstein Heidegger Feuerbach Habermas Foucault Baudrillard Deleuze
Lacan Saussure Chomsky Jakobson Bakhtin Propranolol Metformin Atorvastatin Omeprazole
Levothyroxine Amlodipine Lisinopril Gabapentin Sertraline Fluoxetine Ibuprofen Acetaminophen
Amoxicillin Azithromycin Doxycycline Ciprofloxacin Prednisone Albuterol Montelukast Rosuvastatin
Pantoprazole Losartan Hydrochlorothiazide Furosemide Warfarin Clopidogrel Warrington Fitzgerald
Jenkins Elmore Pipkin Ozark Mercia Roanoke Montgomery Gamelan Southampton Bartholomew Hollister
Halloway Robertson Edinburgh Mainwaring Markham
"""
NAMES, STRANGERS = _NAMES.split(), _STRANGERS.split()
LISTED = {name.lower() for name in NAMES}


def names_right(references: Sequence[list[str]], texts: Sequence[list[str]]) -> tuple[int, int]:
    """How many of the names that are said are written, and how many are said."""
    right = said = 0
    for reference, text in zip(references, texts, strict=True):
        written = Counter(text)
        for name, count in Counter(word for word in reference if word in LISTED).items():
            right += min(count, written[name])
            said += count
    return right, said


def never_said(
    references: Sequence[list[str]], texts: Sequence[list[str]], entries: Sequence[str]
) -> int:
    """How many listed words are written in utterances in which they are not said."""
    listed = {entry.lower() for entry in entries}
    return sum(
        word in listed and word not in reference
        for reference, text in zip(references, texts, strict=True)
        for word in text
    )


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--others", type=int, default=60, help="utterances without a name")
    parser.add_argument("--strangers", type=int, nargs="*", default=[0, 10, 80, 98])
    flags = parser.parse_args()
    folder = speech_folder()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=1))
    recognizer.warm_up()
    every = clips(folder, "ls-dev", 10_000, longest=28.0)
    named = [clip for clip in every if LISTED & set(normalized(clip.text))]
    rest = [clip for clip in every if clip not in named]
    others = rest[:: max(1, len(rest) // flags.others)][: flags.others]
    vocabularies = {"none": ()} | {
        f"the names and {count} others": (*NAMES, *STRANGERS[:count]) for count in flags.strangers
    }

    def heard(recording: Recording, entries: tuple[str, ...]) -> list[str]:
        mel = log_mel(recording.samples)
        request = RecognitionRequest(
            mel=mel, language="en", context=TextContext(vocabulary=entries)
        )
        return normalized(recognizer.recognize([request])[0].text)

    print(f"{flags.model} on {machine_line(1)}; {len(named)} utterances with names\n")
    print("| vocabulary | names right | WER with names | WER without | listed, not said |")
    print("|---|---|---|---|---|")
    for label, entries in vocabularies.items():
        rates, false = [], 0
        for group in (named, others):
            references = [normalized(clip.text) for clip in group]
            texts = [heard(clip, entries) for clip in group]
            if group is named:
                right, said = names_right(references, texts)
            false += never_said(references, texts, entries)
            pairs = zip(references, texts, strict=True)
            rates.append(sum((count_errors(*pair) for pair in pairs), Errors(0, 0, 0, 0)).rate)
        percent = f"{100 * rates[0]:.2f} % | {100 * rates[1]:.2f} %"
        print(f"| {label} | {right} of {said} | {percent} | {false} |", flush=True)

    print("\n| nobody speaks | seconds | committed words |\n|---|---|---|")
    options = SessionOptions(language="en", vocabulary=(*NAMES, *STRANGERS))
    for name in SILENT_SETS:
        for clip in clips(folder, name, 100, longest=1e9):
            run = VirtualStream(recognizer, options, clip).play()
            words = words_from(run, COUNTED_IN.get(clip.key, 0.0))
            print(f"| {clip.key} | {clip.seconds:.0f} | {len(words)} {' '.join(words)[:60]} |")


if __name__ == "__main__":
    main()
