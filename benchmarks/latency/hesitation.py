"""How often a pause within a sentence is mistaken for its end.

    python -m benchmarks hesitation --pauses 0.5 0.7 --set 'endpoint.kind="sentence"'

Digital silence is inserted in the middle of utterances, after a word that a sentence continues
("and", "of", "the") and after other words. Each utterance is streamed alone on a virtual clock
(see ``virtual.py``). The voice gives no sign of the pause, which makes it harder than real
hesitation.
"""

from __future__ import annotations

import argparse
import json

from benchmarks.lib.measure import SpokenWord, machine_line
from benchmarks.lib.pauses import paused
from benchmarks.lib.speech import clips, speech_folder
from benchmarks.lib.virtual import VirtualStream, session_options
from streamwhisper.engine.local import LocalOptions, LocalRecognizer
from streamwhisper.session.endpoint import CONTINUATIONS

NEAR_SECONDS = 0.5
GOES_ON = CONTINUATIONS["en"].always | CONTINUATIONS["en"].unstopped


def middle(words: tuple[SpokenWord, ...], goes_on: bool) -> float | None:
    """The end of the word nearest to the middle after which a sentence goes on, or tells nothing.

    Only words of the middle half count; None where there is none.
    """
    half, quarter = len(words) // 2, len(words) // 4
    places = sorted(range(half - quarter, half + quarter), key=lambda place: abs(place - half))
    found = (words[i].end for i in places if (words[i].text in GOES_ON) == goes_on)
    return next((end for end in found if end is not None), None)


def main() -> None:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--pauses", type=float, nargs="+", default=[0.5, 0.7], metavar="S")
    parser.add_argument("--set", nargs="*", default=[], metavar="PATH=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0.12, help="seconds that a request takes")
    flags = parser.parse_args()
    recognizer = LocalRecognizer.load(flags.model, LocalOptions(threads=flags.threads))
    recognizer.warm_up()
    options = session_options("balanced", flags.set)
    chosen = clips(speech_folder(), "ls-dev", flags.clips, longest=12.0)
    print(f"{flags.model} {' '.join(flags.set)} on {machine_line(flags.threads)}\n")
    print("| pause | after | taken for an end |\n|---|---|---|")
    rows = []
    for seconds in flags.pauses:
        for goes_on in (True, False):
            cut = total = 0
            for clip in chosen:
                at = middle(clip.words, goes_on)
                if at is None:
                    continue
                stream = VirtualStream(recognizer, options, paused(clip, at, seconds), flags.pace)
                stream.play()
                total += 1
                cut += any(abs(end - at) < NEAR_SECONDS for end in stream.utterance_ends()[:-1])
            name = "and, of, the ..." if goes_on else "another word"
            rows.append({"pause": seconds, "goes_on": goes_on, "cut": cut, "clips": total})
            print(f"| {seconds} s | {name} | {cut} of {total} |", flush=True)
    print(json.dumps({"model": flags.model, "settings": flags.set, "rows": rows}))


if __name__ == "__main__":
    main()
