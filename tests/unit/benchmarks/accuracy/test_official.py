"""The table of all of a set: what is heard, what is kept, what is compared."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy import official
from benchmarks.accuracy.official import System
from benchmarks.lib.speech import Recording
from tests.support.official_runs import heard, line

OWN = System("streamwhisper, float32, padded", "streamwhisper", "float32", "sequential", 1)
REFERENCE = System("openai-whisper 1, float32", "openai_whisper", "float32", "sequential", 1)


def recording(key: str, text: str, seconds: int = 2) -> Recording:
    return Recording(key, np.zeros(seconds * 16000, np.float32), text, ())


@pytest.fixture
def compared():
    """Rows and told differences of two clips: one the same, one with a word too many."""
    recordings = [recording("a", "the white rabbit"), recording("b", "ran")]
    found = [
        heard(OWN, "a", " The white, Rabbit!"),
        heard(OWN, "b", " Ran away", temperature=0.4),
        heard(REFERENCE, "a", " The white, Rabbit!"),
        heard(REFERENCE, "b", " Ran."),
    ]
    return official.compare([OWN, REFERENCE], found, recordings)


def test_a_row_counts_words_by_the_normalizer_and_adds_up_time(compared):
    (row, _), _ = compared
    assert (row["errors"], row["words"], row["wer"]) == (1, 4, 25.0)
    assert (row["substitutions"], row["deletions"], row["insertions"]) == (0, 0, 1)
    assert (row["seconds"], row["real_time_factor"]) == (1.0, 0.25)
    assert row["cpu_per_audio_second"] == 0.125
    assert row["drawn"] == 1


def test_a_row_is_compared_with_the_reference_of_the_same_search(compared):
    (own, reference), told = compared
    assert own["apart"][0] == 25.0
    assert own["apart"][1] <= own["apart"][0] <= own["apart"][2]
    assert own["different"] == [1, 2]
    assert reference["apart"] is reference["different"] is None
    assert len(told) == 1
    assert "b: temperatures 0.4, 0\n" in told[0]


def test_what_half_of_the_clips_were_heard_by_is_compared_on_that_half_and_says_so():
    recordings = [recording("a", "one"), recording("b", "two three")]
    found = [heard(OWN, "a", "one"), heard(OWN, "b", "two"), heard(REFERENCE, "a", "one")]
    rows, told = official.compare([OWN, REFERENCE], found, recordings)
    assert rows[0]["apart"] == [0.0, 0.0, 0.0]
    assert (rows[0]["errors"], rows[0]["different"], told) == (1, [0, 1], [])
    last = official.table(rows).splitlines()[-1]
    assert "openai-whisper 1, float32, greedy (1 of 2 clips)" in last


def test_the_table_has_a_cell_for_every_column(compared):
    rows, _ = compared
    lines = official.table(rows).splitlines()
    assert len(lines) == 4
    assert len({text.count("|") for text in lines}) == 1
    assert "| 1 of 4 | 0 / 0 / 1 | +25.00 (" in lines[2]
    assert "| 1 of 2 |" in lines[2]


def test_the_order_is_the_same_whatever_order_the_manifest_has():
    recordings = [recording(str(number), "one") for number in range(20)]
    first = [one.key for one in official.shuffled(recordings)]
    assert first == [one.key for one in official.shuffled(recordings[::-1])]
    assert first != [one.key for one in recordings]


def test_a_line_that_was_cut_short_is_heard_again_and_the_others_are_not(tmp_path):
    file = tmp_path / "tiny.en.jsonl"
    kept = [heard(OWN, "a", " Où ?"), heard(OWN, "b", " Ran.")]
    whole = "".join(map(line, kept))
    file.write_text(whole + line(kept[0])[:-9])
    assert official.read(file) == kept
    assert file.read_text() == whole
    assert official.read(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("wrong", ["{", '{"system": "x"}', "[]", "1"])
def test_a_line_of_something_else_is_named(tmp_path, wrong):
    file = tmp_path / "base.jsonl"
    file.write_text(f"{line(heard(OWN, 'a', 'one'))}{wrong}\n")
    with pytest.raises(ValueError, match=r"base\.jsonl, line 2: .*; expected what this command"):
        official.read(file)


def test_a_slow_system_hears_the_first_part_alone_and_nothing_is_heard_twice():
    known = {(OWN.name, "a"), (REFERENCE.name, "c")}
    left = official.remaining([OWN, REFERENCE], "abcde", known, [REFERENCE.name], share=0.5)
    assert left == {"a": [REFERENCE], "b": [OWN, REFERENCE], "c": [OWN], "d": [OWN], "e": [OWN]}
    assert official.remaining([OWN], ["a", "b"], set()) == {"a": [OWN], "b": [OWN]}


def test_systems_have_names_of_their_own_and_a_reference_for_each_search():
    systems = official.systems()
    assert len({system.name for system in systems}) == len(systems) == 12
    assert sorted(system.beam for system in systems if system.is_reference) == [1, 5]
