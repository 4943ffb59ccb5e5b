"""Words of real speech that dictation takes for commands, though nobody said one.

    python benchmarks/phrases.py --model base --sets ls-dev fleurs-cuttledoc --clips 60

Clips are transcribed offline; the transcripts go through the phrases of their language in the
default settings, word by word as in dictation. Whatever comes out changed was heard wrongly.
"""

from __future__ import annotations

import argparse
import time
from difflib import SequenceMatcher

from measure import machine_line
from speech import clips, speech_folder
from streamwhisper.dictation.phrases import PhraseOptions, Phrases
from streamwhisper.offline import load_model, transcribe


def put_out(phrases: Phrases, text: str) -> str:
    """What stands when all of it was said as one utterance, a word at a time."""
    pieces = [phrases.apply(f" {word}") for word in text.split()]
    out = ""
    for edit in (edit for edits in (*pieces, phrases.end()) for edit in edits):
        out = out[: len(out) - edit.erase] + edit.text
    return out


def changed(before: str, after: str) -> list[str]:
    """The words that are not what they were."""
    was = before.split()
    matcher = SequenceMatcher(None, was, after.split(" "), autojunk=False)
    spans = (span for span in matcher.get_opcodes() if span[0] != "equal")
    return [" ".join(was[start:end]) for _, start, end, _, _ in spans]


def main() -> None:
    """Print how many, and which."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="base")
    parser.add_argument("--sets", nargs="+", default=["ls-dev"])
    parser.add_argument("--clips", type=int, default=60)
    options = parser.parse_args()
    model = load_model(options.model)
    words = 0
    wrong: list[str] = []
    spent = 0.0
    folder = speech_folder()
    for clip in (clip for name in options.sets for clip in clips(folder, name, options.clips)):
        text = transcribe(model, clip.samples).text
        phrases = Phrases(PhraseOptions(language=clip.language or "en"))
        began = time.process_time()
        out = put_out(phrases, text)
        spent += time.process_time() - began
        words += len(text.split())
        wrong += changed(text, out.strip())
    print(machine_line())
    print(f"{len(wrong)} false commands in {words} words; {1000 * spent / words:.2f} ms a word")
    print(*wrong, sep="\n")


if __name__ == "__main__":
    main()
