"""How likely a word is to change: the figures behind ``streamwhisper.session.agreement.risk``.

    python -m benchmarks changes --models tiny.en base --items longform/speaker-4446

Streams with very late commits and records for each word of each hypothesis how sure the model was,
how long the word had been there, and whether it was committed in the end. Prints how often words
change and the coefficients of a logistic regression. The package uses those of all models
together. Exclude recordings that other benchmarks use as references.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence

import torch

from benchmarks.lib.measure import machine_line
from benchmarks.lib.speech import SAMPLE_RATE, Recording, clips, load, speech_folder
from streamwhisper.audio.formats import AudioDecoder, AudioFormat
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.events import Committed
from streamwhisper.session.agreement import AgreementOptions, Draft, normalized, risk, terms
from streamwhisper.session.options import SessionOptions
from streamwhisper.session.session import Session

CHUNK = SAMPLE_RATE // 10
PATIENT = AgreementOptions(max_change_risk=1e-4, risk_doubling_time=0.3)
"""Commits late: what it commits is what a word is compared with."""
ITEMS = ["longform/speaker-4446", "longform/speaker-260", "longform/2300-131720"]
PROBABILITIES = [(0.0, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.97), (0.97, 1.1)]
AGES = [(0.0, 0.05), (0.05, 0.15), (0.15, 0.25), (0.25, 0.45), (0.45, 0.75), (0.75, 9.0)]

Evidence = tuple[float, float, bool]


def said(session: Session) -> list[str]:
    """The words that were committed since the last call."""
    committed = (event for event in session.events() if isinstance(event, Committed))
    return [normalized(word.word) for event in committed for word in event.words]


def watch(
    recognizer: LocalRecognizer, recording: Recording, interval: float
) -> list[tuple[Evidence, bool]]:
    """Each word of each hypothesis of a stream, and whether another one was committed there.

    Words behind one that changed are left out: they would not be committed before it.
    """
    options = SessionOptions(language="en", update_interval=interval, agreement=PATIENT)
    session = Session(recognizer.info, AudioDecoder(AudioFormat("pcm_f32le")), options)
    committed: list[str] = []
    hypotheses: list[tuple[int, list[tuple[str, Evidence]]]] = []
    draft = Draft()
    for start in range(0, len(recording.samples) + CHUNK, CHUNK):
        chunk = recording.samples[start : start + CHUNK]
        if len(chunk):
            session.receive_audio(chunk.astype("<f4").tobytes())
        else:
            session.end()
        while request := session.next_request():
            new = said(session)
            committed += new
            hypothesis = recognizer.recognize([request])[0]
            session.receive_hypothesis(hypothesis)
            now = session.audio_seconds
            words = [word for word in hypothesis.words if normalized(word.text)]
            draft = draft.after(len(new)).renewed(words, now)
            if not request.final:
                texts = (normalized(word.text) for word in words)
                sights = list(zip(texts, draft.evidence(now), strict=True))
                hypotheses.append((len(committed), sights))
    committed += said(session)
    seen: list[tuple[Evidence, bool]] = []
    for place, sights in hypotheses:
        for (text, evidence), word in zip(sights, committed[place:], strict=False):
            seen.append((evidence, text != word))
            if text != word:
                break
    return seen


def fitted(seen: Sequence[tuple[Evidence, bool]]) -> list[float]:
    """Coefficients of the logistic regression of change on `terms`."""
    features = torch.tensor([terms(*evidence) for evidence, _ in seen], dtype=torch.float64)
    changed = torch.tensor([change for _, change in seen], dtype=torch.float64)
    coefficients = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([coefficients], max_iter=1000, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = features @ coefficients
        value = torch.nn.functional.binary_cross_entropy_with_logits(scores, changed)
        value = value + 1e-5 * (coefficients**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return [round(value, 3) for value in coefficients.tolist()]


def table(seen: Sequence[tuple[Evidence, bool]]) -> str:
    """How often words change, and how often they are predicted to, by probability and age."""
    rows = ["| probability | age | words | changed | predicted |", "|---|---|---|---|---|"]
    for (low, high), (young, old) in itertools.product(PROBABILITIES, AGES):
        cell = [
            (change, risk(*evidence))
            for evidence, change in seen
            if low <= evidence[0] < high and young <= evidence[1] < old
        ]
        if cell:
            changed, predicted = (100 * sum(each) / len(cell) for each in zip(*cell, strict=True))
            rows.append(
                f"| {low:g} to {min(high, 1):g} | {young:g} to {old:g} s | {len(cell)} "
                f"| {changed:.1f} % | {predicted:.1f} % |"
            )
    return "\n".join(rows)


def main() -> None:
    """Measure, print a table for each model and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["tiny.en", "base"])
    parser.add_argument("--items", nargs="+", default=ITEMS, metavar="ID")
    parser.add_argument("--gap", type=float, default=0.3)
    parser.add_argument("--limit", type=float, help="stop each recording after so many seconds")
    parser.add_argument("--clips", type=int, default=60, help="utterances that stand alone")
    parser.add_argument("--interval", type=float, default=0.2, help="between two hypotheses")
    parser.add_argument("--threads", type=int, default=1)
    flags = parser.parse_args()
    folder = speech_folder()
    recordings = [load(folder, item, flags.gap, flags.limit) for item in flags.items]
    recordings += clips(folder, "ls-dev", flags.clips)
    print(f"{machine_line(flags.threads)}\n")
    every: list[tuple[Evidence, bool]] = []
    for model in flags.models:
        recognizer = LocalRecognizer.load(model, LocalOptions(threads=flags.threads))
        seen = [
            each
            for recording in recordings
            for each in watch(recognizer, recording, flags.interval)
        ]
        every += seen
        print(f"{model}, {len(seen)} words; alone: {fitted(seen)}\n\n{table(seen)}\n", flush=True)
    print(json.dumps({"models": flags.models, "words": len(every), "coefficients": fitted(every)}))


if __name__ == "__main__":
    main()
