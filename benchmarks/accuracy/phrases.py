"""Ordinary words that dictation mistakes for spoken commands.

    python -m benchmarks phrases --prose
    python -m benchmarks phrases --model base --sets ls-dev fleurs-cuttledoc --clips 60

Text goes through the phrases of its language in the default settings, word by word, as in
dictation. Every change is a mistake. The hard case is prose about commas and new lines: sentences
from the docstrings of Python's standard library that name a command. The common case is real
speech, transcribed offline.
"""

from __future__ import annotations

import argparse
import ast
import re
import sysconfig
import time
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from benchmarks.lib.measure import machine_line
from benchmarks.lib.speech import clips, speech_folder
from streamwhisper.phrasing.language_table import read_table
from streamwhisper.phrasing.phrases import PhraseOptions, Phrases
from streamwhisper.transcription.transcribe import load_model, transcribe

PLAIN = re.compile(r"[A-Z][A-Za-z0-9 ,.;:'!?-]+[.!?]")
"""A sentence without code in it."""
FEWEST = 6
"""Words of a sentence."""


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


def sentences() -> list[str]:
    """All sentences in docstrings of the standard library that name a command."""
    names = "|".join(" ".join(name) for name in read_table("en").commands.things)
    named = re.compile(rf"\b({names})\b", re.IGNORECASE)
    found: dict[str, None] = {}
    for file in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if {"site-packages", "test", "tests", "lib2to3"}.isdisjoint(file.parts):
            text = file.read_text(encoding="utf-8", errors="ignore")
            found |= dict.fromkeys(one for one in _docstrings(text) if named.search(one))
    return list(found)


def _docstrings(source: str) -> Iterator[str]:
    """Their sentences."""
    kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, kinds):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                for one in re.split(r"(?<=[.!?])\s+", " ".join(paragraph.split())):
                    if PLAIN.fullmatch(one) and len(one.split()) >= FEWEST:
                        yield one


def transcripts(model_name: str, sets: list[str], count: int) -> Iterator[tuple[str, str]]:
    """What is heard in clips, and the language they are in."""
    model, folder = load_model(model_name), speech_folder()
    for clip in (clip for name in sets for clip in clips(folder, name, count)):
        yield transcribe(model, clip.samples).text, clip.language or "en"


def main() -> None:
    """Print how many, and which."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prose", action="store_true")
    parser.add_argument("--model", default="base")
    parser.add_argument("--sets", nargs="+", default=["ls-dev"])
    parser.add_argument("--clips", type=int, default=60)
    options = parser.parse_args()
    texts = (
        [(one, "en") for one in sentences()]
        if options.prose
        else transcripts(options.model, options.sets, options.clips)
    )
    count = words = 0
    wrong: list[str] = []
    spent = 0.0
    for text, language in texts:
        phrases = Phrases(PhraseOptions(language=language))
        began = time.process_time()
        out = put_out(phrases, text)
        spent += time.process_time() - began
        count += 1
        words += len(text.split())
        wrong += [f"{one!r} in: {text}" for one in changed(text, out.strip())]
    print(machine_line())
    print(f"{len(wrong)} false commands in {count} texts of {words} words; ", end="")
    print(f"{1000 * spent / words:.2f} ms of CPU a word")
    print(*wrong, sep="\n")


if __name__ == "__main__":
    main()
