"""What is said, and what is put out for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.phrasing.edits import Edit
from streamwhisper.phrasing.language_table import languages, read_table
from streamwhisper.phrasing.phrases import PhraseOptions, Phrases
from tests.support.dictated import Window, put_out


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("hello comma how are you question mark", "hello, how are you?"),
        ("Hello, comma, how are you?", "Hello, how are you?"),
        ("Hello. Comma. How are you?", "Hello, how are you?"),
        ("Hello. Comma. Robert is here.", "Hello, Robert is here."),
        ("Hello there, period. how are you", "Hello there. How are you"),
        ("I will be there period", "I will be there."),
        ("I bought a car period, it was red period.", "I bought a car. It was red."),
        ("We were there full stop it rained", "We were there. It rained"),
        ("How are you question Mark New Paragraph? I am fine", "How are you?\n\nI am fine"),
        ("Stop it! Exclamation mark.", "Stop it!"),
        (
            "bring the following colon, apples, semicolon, pears",
            "bring the following: apples; pears",
        ),
        ("he came, dash, and went", "he came – and went"),
        ("a well hyphen known man", "a well-known man"),
        ("john at sign example dot com", "john@example.com"),
        ("and then dot dot dot silence", "and then… Silence"),
        ("fifty percent sign. And", "fifty%. And"),
        ("The dog apostrophe s tail", "The dog’s tail"),
    ],
)
def test_a_sign_that_is_said_takes_the_place_of_what_whisper_adds(said: str, written: str) -> None:
    assert put_out(said) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("He said, open quote, hello, close quote.", "He said, “hello”."),
        ("he said open quote hello close quote and left", "he said “hello” and left"),
        ("Open quote, how are you? Close quote.", "“How are you?”"),
        ("He came. Open parenthesis. Late, close parenthesis.", "He came. (Late)."),
        ("it is open bracket see below close bracket here", "it is (see below) here"),
    ],
)
def test_quotes_and_brackets_cling_to_what_they_enclose(said: str, written: str) -> None:
    assert put_out(said) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Dear John comma new line thank you", "Dear John,\nThank you"),
        ("Milk, new line, eggs, new line, bread.", "Milk\nEggs\nBread."),
        ("It is over. New paragraph. What now?", "It is over.\n\nWhat now?"),
        ("Hello new-line there", "Hello\nThere"),
        ("Buy bullet point milk bullet point eggs", "Buy\n• Milk\n• Eggs"),
        ("Your letter period new line best wishes", "Your letter.\nBest wishes"),
    ],
)
def test_layout_that_is_said_begins_a_line_with_a_capital(said: str, written: str) -> None:
    assert put_out(said) == written


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("this is all caps important period", "this is IMPORTANT."),
        ("He wrote all caps.", "He wrote all caps."),
        ("Caps on. hello there. Caps off. good", "Hello There. good"),
        ("all caps on, stop it, all caps off, please", "STOP IT, please"),
        ("no caps Hello There", "hello There"),
        ("initial caps streaming is good", "Streaming is good"),
    ],
)
def test_casing_is_of_the_next_word_or_of_all_that_follow(said: str, written: str) -> None:
    assert put_out(said) == written


def test_scratch_that_takes_back_what_was_said_of_the_utterance_or_the_one_before() -> None:
    assert (
        put_out("The meeting is on Monday. Scratch that. It is on Tuesday.") == "It is on Tuesday."
    )
    assert put_out("I went home.", "It rained.", "Scratch that.", "We stayed.") == (
        "I went home. We stayed."
    )
    assert put_out("One.", "Two.", "Scratch that", "scratch that", "Three.") == "Three."
    assert put_out("Scratch that.", "Scratch that.", "One.") == "One."


def test_scratch_that_restores_what_its_utterance_had_changed() -> None:
    assert put_out("Hello there.", "Comma and you", "Scratch that.") == "Hello there."
    assert put_out("Hello new line", "there", "Scratch that.", "you") == "Hello\nYou"


def test_only_so_many_utterances_are_remembered_and_each_is_taken_back_whole() -> None:
    window = Window()
    for number in range(100):
        window.say(f" Number {number}.")
    for _ in range(100):
        window.say(" Scratch that.")
    left = window.text.count("Number")
    assert 0 < left < 100
    assert window.text == "".join(f" Number {number}." for number in range(left))


def test_a_long_utterance_is_taken_back_whole() -> None:
    window = Window()
    window.say(" Before.")
    window.say(*(" word" for _ in range(1000)))
    assert len(window.text) > 4500
    window.say(" Scratch that.")
    assert window.text == " Before."


def test_a_long_piece_of_text_is_put_out_whole() -> None:
    text = " word" * 3000
    window = Window()
    window.say(text)
    assert window.text == text


def test_signs_and_capitals_reach_over_the_end_of_an_utterance() -> None:
    assert put_out("Hello there.", "Comma how are you") == "Hello there, how are you"
    assert put_out("hello comma", "How are you") == "hello, how are you"
    assert put_out("we left period", "it rained") == "we left. It rained"


def test_a_word_is_put_out_at_once_and_taken_back_when_it_becomes_a_command() -> None:
    phrases = Phrases(PhraseOptions())
    assert phrases.apply(" Hello") == (Edit(0, " Hello"),)
    assert phrases.apply(" new") == (Edit(0, " new"),)
    assert phrases.apply(" line") == (Edit(4, "\n"),)
    assert phrases.apply(" comma") == (Edit(0, ","),)
    assert phrases.apply("") == phrases.end() == ()


def test_replacements_keep_punctuation_and_the_capital_of_a_sentence() -> None:
    texts = {"my address": "1 Example Street", "btw": "by the way", "eye phone": "iPhone"}
    assert put_out("Send it to my address, please.", replace=texts) == (
        "Send it to 1 Example Street, please."
    )
    assert put_out("Btw, it is My Address.", replace=texts) == "By the way, it is 1 Example Street."
    assert put_out("Eye phone is eye-phone", replace=texts) == "iPhone is iPhone"
    assert put_out("comma then", replace={"comma": "COMMA"}) == "COMMA then"


@pytest.mark.parametrize("said", ["", "...", "word " * 13])
def test_a_replacement_of_nothing_or_of_too_much_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="words; expected 1 to 12"):
        PhraseOptions(replace={said: "x"})


def test_fillers_are_left_out_with_their_pauses_when_asked() -> None:
    said = "Um, I think, uh, it is, um. Yes. So, um, no."
    assert put_out(said, fillers=True) == "I think it is. Yes. So no."
    assert put_out(said) == said


def test_foul_words_are_masked_when_asked() -> None:
    assert put_out("Oh shit, it broke.", profanity=True) == "Oh s***, it broke."
    assert put_out("Oh shit, it broke.") == "Oh shit, it broke."


def test_numbers_become_digits_when_asked() -> None:
    said = "it is twenty five percent comma or one hundred and two"
    assert put_out(said, numbers=True) == "it is 25%, or 102"
    assert put_out(said) == "it is twenty five percent, or one hundred and two"


@pytest.mark.parametrize(
    ("off", "said"),
    [
        ("punctuation", "hello comma literal comma how are you question mark"),
        ("layout", "hello new line there"),
        ("casing", "this is all caps important"),
        ("scratch", "Hello. Scratch that."),
    ],
)
def test_each_kind_of_command_can_be_turned_off(off: str, said: str) -> None:
    assert put_out(said, **{off: False}) == said
    assert put_out(said) != said


@given(st.lists(st.text(" aä.,\n\t“", max_size=12)))
def test_verbatim_changes_nothing(pieces: list[str]) -> None:
    window = Window(verbatim=True, numbers=True, replace={"a": "b"})
    window.say(*pieces)
    assert window.text == "".join(pieces)


VOCABULARY = [
    *(
        "a",
        "the",
        "um",
        "Hello",
        "I",
        "line",
        "new",
        "It's",
        "two",
        "hundred",
        "five",
        "point",
        "and",
    ),
    *(
        "shit",
        "word",
        "twenty-one",
        "Paris",
        "that",
        "«oui»",
        "—",
        "p.m.",
        "3.5",
        "literal",
        "caps",
    ),
    *("off", "on", "percent", "dollars", "first"),
    *(" ".join(name) for name in read_table("en").commands.things),
]
SAID = st.lists(
    st.tuples(st.sampled_from(VOCABULARY), st.sampled_from(["", "", "", ",", ".", "?", "…", '"'])),
    max_size=25,
).map(lambda words: "".join(f" {word}{sign}" for word, sign in words).split())
OPTIONS = {
    "numbers": True,
    "fillers": True,
    "profanity": True,
    "replace": {"paris": "Paris, France", "a the": "one\ntwo"},
}


@given(st.lists(SAID, max_size=2), st.data())
def test_what_stands_does_not_depend_on_where_the_text_is_cut(
    utterances: list[list[str]], data: st.DataObject
) -> None:
    whole, words, cut = Window(**OPTIONS), Window(**OPTIONS), Window(**OPTIONS)
    for said in utterances:
        whole.say(*([" " + " ".join(said)] if said else []))
        words.say(*(f" {word}" for word in said))
        pieces: list[str] = []
        for word in said:
            if not pieces or data.draw(st.booleans()):
                pieces.append("")
            pieces[-1] += f" {word}"
        cut.say(*pieces)
    assert whole.text == words.text == cut.text


@given(
    st.lists(SAID.filter(lambda said: "scratch" not in said and "strike" not in said), max_size=2)
)
def test_but_for_scratch_that_no_edit_reaches_back_further_than_a_few_words(
    utterances: list[list[str]],
) -> None:
    window = Window(**OPTIONS)
    for said in utterances:
        window.say(*(f" {word}" for word in said))
    assert max(window.erased, default=0) < 200  # of some twenty words


@given(st.text())
def test_whatever_is_said_leaves_text_that_can_be_edited(text: str) -> None:
    window = Window(**OPTIONS)
    window.say(text)
    window.say(text, text)


SPOKEN = {
    "de": (
        "Hallo Komma wie geht es Fragezeichen neue Zeile gut Punkt",
        "Hallo, wie geht es?\nGut.",
    ),
    "es": ("hola, coma, qué tal. Nueva línea. bien punto", "hola, qué tal.\nBien."),
    "fr": (
        "Bonjour, virgule, ça va point d’interrogation à la ligne. Oui point",
        "Bonjour, ça va\u202f?\nOui.",
    ),
    "en": ("hello comma how is it question mark new line good period", "hello, how is it?\nGood."),
}
PLAIN = {
    "de": ["An diesem Punkt war Schluss.", "Das ist ein wichtiger Punkt.", "Der Punkt ist klar."],
    "es": ["Hasta cierto punto es verdad.", "Está en coma profundo.", "Es un punto de vista."],
    "fr": ["C’est un point de vue.", "À ce point, il est parti.", "Il n’y a point de doute."],
    "en": ["At that point it was over."],
}


@pytest.mark.parametrize("language", languages())
def test_every_language_has_commands_and_keeps_its_plain_words(language: str) -> None:
    said, written = SPOKEN[language]
    assert put_out(said, language=language) == written
    for plain in PLAIN[language]:
        assert put_out(plain, language=language) == plain


def test_a_language_without_a_table_has_replacements_alone() -> None:
    assert put_out("x comma y", language="xx", numbers=True, replace={"y": "z"}) == "x comma z"
