"""Committed text becomes cues that can be read, and none is lost or changed afterwards."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.events import Committed, Word
from streamwhisper.subtitles.live_cues import LINE, LONGEST, Captions, Cue, as_srt, as_vtt
from tests.support.examples import examples


def committed(*words: tuple[str, float, float], final: bool = False, tail: str = "") -> Committed:
    text = "".join(f" {word}" for word, _, _ in words) + tail
    spoken = tuple(Word(word, start, end, 0.9) for word, start, end in words)
    start, end = (spoken[0].start, spoken[-1].end) if spoken else (0.0, 0.0)
    return Committed(text, start, end, spoken, "en", 0, final)


def cues_of(*events: Committed) -> list[Cue]:
    captions, cues = Captions(), {}
    for event in events:
        cues.update(captions.add(event))
    return [cues[number] for number in sorted(cues)]


def test_a_cue_grows_until_its_sentence_is_over() -> None:
    captions = Captions()
    assert captions.add(committed(("Good", 0.5, 0.7))) == [(1, Cue(0.5, 0.7, "Good"))]
    assert captions.add(committed(("morning.", 0.7, 1.2))) == [(1, Cue(0.5, 1.2, "Good morning."))]
    assert captions.add(committed(("Now", 1.3, 1.5))) == [(2, Cue(1.3, 1.5, "Now"))]


def test_signs_that_come_late_belong_to_the_words_before_them() -> None:
    assert cues_of(committed(("well", 0, 1)), committed(final=True, tail="...")) == [
        Cue(0.0, 1.0, "well...")
    ]


def test_an_utterance_and_a_pause_end_a_cue() -> None:
    events = (
        committed(("one", 0, 1), final=True),
        committed(("two", 1, 2)),
        committed(("three", 4, 5)),
    )
    assert [cue.text for cue in cues_of(*events)] == ["one", "two", "three"]


def test_the_formats_are_those_of_subtitles() -> None:
    cue = Cue(3661.5, 3662.25, "1 < 2 & so on")
    assert as_srt(7, cue) == "7\n01:01:01,500 --> 01:01:02,250\n1 < 2 & so on\n\n"
    assert as_vtt(7, cue) == "7\n01:01:01.500 --> 01:01:02.250\n1 &lt; 2 &amp; so on\n\n"


words = st.lists(
    st.tuples(
        st.text(st.sampled_from("abcé漢字.,!?"), min_size=1, max_size=50).filter(
            lambda text: any(sign.isalnum() for sign in text)
        ),
        st.floats(0.05, 3.0),
        st.booleans(),  # the event ends
        st.booleans(),  # the utterance does
    ),
    max_size=60,
)


@settings(max_examples=examples(150))
@given(words)
def test_every_word_stands_in_one_cue_and_a_piece_of_a_file_never_gets_shorter(
    spoken: list[tuple[str, float, bool, bool]],
) -> None:
    at, events, held = 0.0, [], []
    for word, seconds, ends, final in spoken:
        held.append((word, at, at + seconds))
        at += seconds
        if ends:
            events.append(committed(*held, final=final))
            held = []
    captions, cues, written = Captions(), {}, {}
    for event in events:
        for number, cue in captions.add(event):
            assert number in (len(cues), len(cues) + 1)  # only the last one grows
            for form in (as_srt, as_vtt):
                piece = form(number, cue).encode()
                assert len(piece) >= len(written.get((form, number), b""))
                written[form, number] = piece
            cues[number] = cue
    shown = list(cues.values())
    assert " ".join(cue.text for cue in shown).split() == "".join(e.text for e in events).split()
    for before, after in pairwise(shown):
        assert before.start <= before.end <= after.start
    for number, cue in cues.items():
        lines = as_srt(number, cue).rstrip("\n").split("\n")[2:]
        assert all(len(line) <= LINE for line in lines)
        assert len(cue.text.split()) == 1 or cue.end - cue.start <= LONGEST + 3
