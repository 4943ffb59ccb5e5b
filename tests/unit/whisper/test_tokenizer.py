"""Tokens, special tokens, and whole words."""

from __future__ import annotations

import itertools
import json
import runpy
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.errors import CheckpointError, RecognitionError
from streamwhisper.whisper import tokenizer as module
from streamwhisper.whisper.tokenizer import Detokenizer, Tokenizer, get_tokenizer

SIZES = (51864, 51865, 51866)
ASSETS = Path(module.__file__).with_name("assets")
TEXTS = [
    "",
    " Hello, world! It's 12:30; they've gone.",
    "  two  spaces\nand a\tline ",
    " naïve café, Zürich — “quoted” … ½ €5",
    "Привет, как дела? सब ठीक है। مرحبا بك",
    "他说“你好”。コーヒーを飲みます。ฉันรักภาษาไทย 안녕하세요",
    "🙂👩‍👩‍👧 music ♪♪ <|endoftext|> <|en|>",
]
sizes = pytest.mark.parametrize("n_vocab", SIZES)
texts = st.text() | st.sampled_from(TEXTS)


def reference(n_vocab: int, **choices: str) -> Any:
    whisper = pytest.importorskip("whisper.tokenizer")
    languages = 100 if n_vocab == 51866 else 99
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its vocabulary open
        return whisper.get_tokenizer(n_vocab >= 51865, num_languages=languages, **choices)


# --- the same as the reference implementation ------------------------------------------------


@sizes
def test_special_tokens_are_the_reference_implementations(n_vocab: int) -> None:
    ours, theirs = get_tokenizer(n_vocab), reference(n_vocab)
    assert ours.special_tokens == theirs.special_tokens
    assert theirs.encoding.n_vocab == ours.n_vocab == n_vocab
    names = "eot sot translate transcribe sot_lm sot_prev no_speech no_timestamps timestamp_begin"
    for name in names.split():
        assert getattr(ours, name) == getattr(theirs, name), name
    codes, tokens = theirs.all_language_codes, theirs.all_language_tokens
    assert ours.language_tokens == dict(zip(codes, tokens, strict=True))


@sizes
def test_every_token_has_the_reference_implementations_bytes(n_vocab: int) -> None:
    ours, theirs = get_tokenizer(n_vocab), reference(n_vocab).encoding
    assert all(
        ours.token_bytes(token) == theirs.decode_single_token_bytes(token)
        for token in range(ours.eot)
    )


@sizes
@given(text=texts)
def test_texts_become_the_reference_implementations_tokens(n_vocab: int, text: str) -> None:
    ours, theirs = get_tokenizer(n_vocab), reference(n_vocab)
    tokens = ours.encode(text)
    assert tokens == theirs.encoding.encode_ordinary(text)
    assert ours.decode(tokens) == theirs.decode(tokens).replace("\ufffd", "")


@sizes
def test_suppressed_tokens_are_the_reference_implementations(n_vocab: int) -> None:
    ours, theirs = get_tokenizer(n_vocab), reference(n_vocab)
    assert ours.non_speech_tokens == theirs.non_speech_tokens
    assert ours.encode(" ") == theirs.encode(" ")


@sizes
@pytest.mark.parametrize("task", ["transcribe", "translate"])
def test_transcripts_begin_as_in_the_reference_implementation(n_vocab: int, task: Any) -> None:
    ours = get_tokenizer(n_vocab)
    for language in ours.languages:
        theirs = reference(n_vocab, language=language, task=task)
        assert ours.sot_sequence(language=language, task=task) == theirs.sot_sequence


# --- the vocabulary --------------------------------------------------------------------------


@sizes
def test_numbers_fit_the_vocabulary(n_vocab: int) -> None:
    tokenizer = get_tokenizer(n_vocab)
    assert get_tokenizer(n_vocab) is tokenizer
    assert tokenizer.multilingual is (n_vocab > 51864)
    assert ("yue" in tokenizer.languages) is (n_vocab == 51866)
    assert tokenizer.special_tokens["<|30.00|>"] == n_vocab - 1
    assert len(tokenizer.special_tokens) == n_vocab - tokenizer.eot


def test_other_sizes_are_refused() -> None:
    with pytest.raises(CheckpointError, match=r"50000.*51864, 51865, 51866"):
        get_tokenizer(50000)


@pytest.mark.parametrize("name", ["gpt2", "multilingual"])
def test_the_vocabulary_is_what_build_ranks_makes(name: str, tmp_path: Path) -> None:
    shipped = (ASSETS / f"{name}.tiktoken").read_bytes()
    tokenizer = get_tokenizer(51864 if name == "gpt2" else 51865)
    # tokenizer.json spells every byte as a printable character, after GPT-2.
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(0x100) if byte not in printable]
    spelt = {byte: chr(byte) for byte in printable} | {
        b: chr(0x100 + n) for n, b in enumerate(rest)
    }
    vocabulary = {
        "".join(spelt[byte] for byte in tokenizer.token_bytes(token)): token
        for token in range(tokenizer.eot)
    }
    added = [{"content": name, "id": token} for name, token in tokenizer.special_tokens.items()]
    vocabulary["<|endoftext|>"] = tokenizer.eot
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({"added_tokens": added, "model": {"vocab": vocabulary}}))
    built = runpy.run_path(str(ASSETS / "build_ranks.py"))["build_ranks"](path)
    assert built == shipped
    assert len(shipped) < 1_000_000


def test_what_looks_like_a_special_token_is_text() -> None:
    tokenizer = get_tokenizer(51865)
    tokens = tokenizer.encode("<|endoftext|>")
    assert max(tokens) < tokenizer.eot
    assert tokenizer.decode(tokens) == "<|endoftext|>"


def test_special_tokens_have_no_text() -> None:
    tokenizer = get_tokenizer(51865)
    tokens = [tokenizer.sot, *tokenizer.encode(" one"), tokenizer.timestamp_begin, tokenizer.eot]
    assert tokenizer.decode(tokens) == " one"


@pytest.mark.parametrize(
    ("word", "count"),
    [
        *((" down.", 1), (" down", 0), (" wait...", 1), (' "no."', 1), (".", 1)),
        *((" 3.5", 0), (" C#", 0), (" 50%.", 0), ("\u597d\u3002", 1), ("", 0)),
    ],
)
def test_the_tokens_of_punctuation_at_the_end_of_a_word_are_counted(word: str, count: int) -> None:
    tokenizer = get_tokenizer(51865)
    tokens = tokenizer.encode(word)
    assert tokenizer.mark_tokens(tokens) == count
    kept = tokenizer.decode(tokens[: len(tokens) - count])
    assert word.startswith(kept)


def test_timestamps_are_in_steps_of_a_fiftieth_second() -> None:
    tokenizer = get_tokenizer(51866)
    begin = tokenizer.timestamp_begin
    assert tokenizer.timestamp_seconds(begin) == 0.0
    assert tokenizer.timestamp_seconds(begin + 54) == 1.08
    assert tokenizer.timestamp_seconds(tokenizer.n_vocab - 1) == 30.0
    assert tokenizer.timestamp_seconds(begin - 1) is None


# --- languages -------------------------------------------------------------------------------


def test_a_multilingual_model_needs_a_language_it_knows() -> None:
    for language in (None, "yue", "xx"):
        with pytest.raises(RecognitionError, match="which this model does not support"):
            get_tokenizer(51865).sot_sequence(language=language, task="transcribe")
    assert len(get_tokenizer(51866).sot_sequence(language="yue", task="transcribe")) == 3
    assert get_tokenizer(51864).sot_sequence(language=None, task="transcribe") == (50257,)


# --- whole words -----------------------------------------------------------------------------


def spelt(text: str) -> list[str]:
    tokenizer = get_tokenizer(51865)
    return [word for word, _ in tokenizer.split_words(tokenizer.encode(text))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" Hello, world.", [" Hello,", " world."]),
        (" don't (ever) stop", [" don't", " (ever)", " stop"]),
        (' He said, "go!" —  and left', [" He", " said,", ' "go!" —', "  and", " left"]),
        (" $5, 3.5% -5 & more", [" $5,", " 3.5%", " -5", " &", " more"]),
        (" antidisestablishmentarianism", [" antidisestablishmentarianism"]),
        ("¿Qué tal? ¡Hola!", ["¿Qué", " tal?", " ¡Hola!"]),
        ("नमस्ते दुनिया, यह है।", ["नमस्ते", " दुनिया,", " यह", " है।"]),
        ("안녕하세요 여러분.", ["안녕하세요", " 여러분."]),
        ("我用 Python 写", ["我", "用", " Python", " 写"]),
        (" say 你好 twice", [" say", " 你", "好", " twice"]),
        ("“你好”,OpenAI是第5家。", ["“你好”,", "OpenAI", "是", "第", "5", "家。"]),
        ("共\uff11\uff10\uff0c\uff15円", ["共", "\uff11\uff10\uff0c\uff15", "円"]),
        ("コーヒー「はい」", ["コーヒー", "「はい」"]),
        (", and then.", [", and", " then."]),
        (".", ["."]),
        (" well (", [" well"]),
        (" ", []),
        ("", []),
    ],
)
def test_words_are_split_where_their_script_splits_them(text: str, words: list[str]) -> None:
    assert spelt(text) == words


tokens_of_texts = st.one_of(
    texts.map(lambda text: get_tokenizer(51865).encode(text)),
    # Anything a model may write, broken characters and special tokens included.
    st.lists(st.integers(0, 51864), max_size=20),
)


@given(tokens=tokens_of_texts)
def test_words_cover_the_tokens_in_order_and_spell_their_text(tokens: list[int]) -> None:
    tokenizer = get_tokenizer(51865)
    words = tokenizer.split_words(tokens)
    covered = list(itertools.chain.from_iterable(own for _, own in words))
    assert covered == tokens[: len(covered)]
    assert "".join(text for text, _ in words) == tokenizer.decode(covered)
    for text, own in words:
        assert text == tokenizer.decode(own)
        assert text.strip()
        assert "\ufffd" not in text


@given(text=texts)
def test_no_word_has_half_a_character(text: str) -> None:
    tokenizer = get_tokenizer(51865)
    tokens = tokenizer.encode(text)
    for end in range(len(tokens) + 1):
        words = "".join(word for word, _ in tokenizer.split_words(tokens[:end]))
        assert text.replace("\ufffd", "").startswith(words)


@given(text=texts)
def test_what_is_left_out_of_a_text_is_no_word(text: str) -> None:
    tokenizer = get_tokenizer(51865)
    tokens = tokenizer.encode(text)
    covered = sum(len(own) for _, own in tokenizer.split_words(tokens))
    assert not any(sign.isalnum() for sign in tokenizer.decode(tokens[covered:]))


@given(tokens=tokens_of_texts)
def test_words_stay_as_more_tokens_come(tokens: list[int]) -> None:
    tokenizer = get_tokenizer(51865)
    whole = [text for text, _ in tokenizer.split_words(tokens)]
    for end in range(len(tokens)):
        some = [text for text, _ in tokenizer.split_words(tokens[:end])]
        # The last two may still change: one goes on, or gives its punctuation to the other.
        settled = some[:-2]
        assert settled == whole[: len(settled)]


@sizes
@given(tokens=st.lists(st.integers(0, 51863), max_size=20))
def test_text_comes_out_the_same_piece_by_piece(n_vocab: int, tokens: list[int]) -> None:
    tokenizer = get_tokenizer(n_vocab)
    detokenizer = Detokenizer(tokenizer)
    pieces = [detokenizer.push(token) for token in tokens]
    assert "".join(pieces) == tokenizer.decode(tokens)


def test_broken_characters_are_left_out_of_texts_and_words() -> None:
    tokenizer = get_tokenizer(51865)
    half = tokenizer.encode("🙂")[:1]
    (replacement,) = tokenizer.encode("\ufffd")
    tokens = [*tokenizer.encode(" Haven't"), *half, replacement, *half, *tokenizer.encode("ed it")]
    assert tokenizer.decode(tokens) == " Haven'ted it"
    assert [word for word, _ in tokenizer.split_words(tokens)] == [" Haven'ted", " it"]


def test_a_character_comes_out_when_it_is_whole() -> None:
    tokenizer: Tokenizer = get_tokenizer(51865)
    tokens = tokenizer.encode("🙂")
    assert len(tokens) > 1
    detokenizer = Detokenizer(tokenizer)
    assert [detokenizer.push(token) for token in tokens] == [*[""] * (len(tokens) - 1), "🙂"]
    assert tokenizer.split_words(tokens[:-1]) == []
    assert tokenizer.split_words(tokens) == [("🙂", tuple(tokens))]
