"""Languages of Whisper, and the one parser of the ways in which clients name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from streamwhisper.errors import UnknownLanguageError

__all__ = [
    "LANGUAGES",
    "SCRIPTED_LANGUAGES",
    "Language",
    "echo_start",
    "language_code",
    "language_name",
    "normalize_language",
    "parse_language",
]

_TABLE = """
en English, zh Chinese, de German, es Spanish, ru Russian, ko Korean, fr French, ja Japanese,
pt Portuguese, tr Turkish, pl Polish, ca Catalan, nl Dutch, ar Arabic, sv Swedish, it Italian,
id Indonesian, hi Hindi, fi Finnish, vi Vietnamese, he Hebrew, uk Ukrainian, el Greek, ms Malay,
cs Czech, ro Romanian, da Danish, hu Hungarian, ta Tamil, no Norwegian, th Thai, ur Urdu,
hr Croatian, bg Bulgarian, lt Lithuanian, la Latin, mi Maori, ml Malayalam, cy Welsh, sk Slovak,
te Telugu, fa Persian, lv Latvian, bn Bengali, sr Serbian, az Azerbaijani, sl Slovenian,
kn Kannada, et Estonian, mk Macedonian, br Breton, eu Basque, is Icelandic, hy Armenian,
ne Nepali, mn Mongolian, bs Bosnian, kk Kazakh, sq Albanian, sw Swahili, gl Galician, mr Marathi,
pa Punjabi, si Sinhala, km Khmer, sn Shona, yo Yoruba, so Somali, af Afrikaans, oc Occitan,
ka Georgian, be Belarusian, tg Tajik, sd Sindhi, gu Gujarati, am Amharic, yi Yiddish, lo Lao,
uz Uzbek, fo Faroese, ht Haitian Creole, ps Pashto, tk Turkmen, nn Nynorsk, mt Maltese,
sa Sanskrit, lb Luxembourgish, my Burmese, bo Tibetan, tl Tagalog, mg Malagasy, as Assamese,
tt Tatar, haw Hawaiian, ln Lingala, ha Hausa, ba Bashkir, jw Javanese, su Sundanese, yue Cantonese
"""

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {code: name for code, _, name in (entry.strip().partition(" ") for entry in _TABLE.split(","))}
)
"""English names by language code, in the order of the tokens. Only large-v3 knows Cantonese."""

_CODES = {name.lower(): code for code, name in LANGUAGES.items()}
# Other names and codes that clients send, most of them of ISO 639-1, 639-2 and 639-3.
_OTHER = """
castilian es, farsi fa, filipino tl, flemish nl, haitian ht, letzeburgesch lb, mandarin zh,
moldavian ro, moldovan ro, myanmar my, panjabi pa, pushto ps, sinhalese si, valencian ca,
fil tl, in id, iw he, ji yi, jv jw, mo ro, nb no, cmn zh, zsm ms, arb ar, pes fa, prs fa, swh sw,
eng en, zho zh, chi zh, deu de, ger de, spa es, rus ru, kor ko, fra fr, fre fr, jpn ja, por pt,
tur tr, pol pl, cat ca, nld nl, dut nl, ara ar, swe sv, ita it, ind id, hin hi, fin fi, vie vi,
heb he, ukr uk, ell el, gre el, msa ms, may ms, ces cs, cze cs, ron ro, rum ro, dan da, hun hu,
tam ta, nor no, nob no, tha th, urd ur, hrv hr, bul bg, lit lt, lat la, mri mi, mao mi, mal ml,
cym cy, wel cy, slk sk, slo sk, tel te, fas fa, per fa, lav lv, lvs lv, ben bn, srp sr, aze az,
azj az, slv sl, kan kn, est et, ekk et, mkd mk, mac mk, bre br, eus eu, baq eu, isl is, ice is,
hye hy, arm hy, nep ne, npi ne, mon mn, khk mn, bos bs, kaz kk, sqi sq, alb sq, swa sw, glg gl,
mar mr, pan pa, sin si, khm km, sna sn, yor yo, som so, afr af, oci oc, kat ka, geo ka, bel be,
tgk tg, snd sd, guj gu, amh am, yid yi, lao lo, uzb uz, uzn uz, fao fo, hat ht, pus ps, tuk tk,
zh-yue yue, zh-cmn zh, nno nn, mlt mt, san sa, ltz lb, mya my, bur my, bod bo,
tib bo, tgl tl, mlg mg, asm as, tat tt, lin ln, hau ha,
bak ba, jav jw, sun su
"""
_ALIASES = dict(entry.strip().split(" ") for entry in _OTHER.split(","))
_DETECTED = frozenset({"", "auto", "detect", "mul", "multi", "und"})
_SCRIPTS = {
    **dict.fromkeys(("hans", "cn", "sg", "my", "simplified"), "Hans"),
    **dict.fromkeys(("hant", "tw", "hk", "mo", "traditional"), "Hant"),
    **dict.fromkeys(("latn", "latin"), "Latn"),
    **dict.fromkeys(("cyrl", "cyrillic"), "Cyrl"),
}
"""Script by script code or region of a tag, by POSIX modifier, and by word."""
_PROMPTS = {
    ("zh", "Hans"): "以下是普通话的句子。",
    ("zh", "Hant"): "以下是普通話的句子。",
    ("yue", "Hant"): "以下係廣東話嘅句子。",
    ("sr", "Latn"): "Ovo je rečenica na srpskom jeziku.",
    ("sr", "Cyrl"): "Ово је реченица на српском језику.",  # noqa: RUF001
}
"""Text in each script; the decoder continues in the script of its prompt."""
SCRIPTED_LANGUAGES = frozenset(code for code, _ in _PROMPTS)
"""Languages whose script is set with a prompt."""
_USUAL_SCRIPTS = {"zh": "Hans", "yue": "Hant"}
_TAG = re.compile(r"[A-Za-z]{2,3}([-_]\w+)*")
_MOST_OF_IT = 0.6  # share of a prompt that nobody says by chance
_HAN = re.compile(r"[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Language:
    """A language, and the script in which it is written.

    Attributes:
        code: Whisper's language code, e.g. ``"zh"``.
        script: ISO 15924 code, e.g. ``"Hant"``, if the client chose one that can be chosen.
    """

    code: str
    script: str = ""

    def __str__(self) -> str:
        """Return the tag, e.g. ``"zh-Hant"``."""
        return f"{self.code}-{self.script}" if self.script else self.code

    def prompt(self, own: str = "") -> str:
        """Return the decoder's prompt: text in the language's script, then the prompt `own`.

        Without a chosen script, Chinese is written in simplified characters and Cantonese in
        traditional ones, unless `own` has Chinese characters, whose script is kept then.
        """
        if self.script:
            return _PROMPTS[self.code, self.script] + own
        usual = _PROMPTS.get((self.code, _USUAL_SCRIPTS.get(self.code, "")), "")
        return own if _HAN.search(own) else usual + own


def parse_language(value: str, known: Collection[str] = LANGUAGES) -> Language | None:
    """Return the language that a client names; None: it is to be detected.

    Accepts codes (``en``, ``eng``), tags (``en-US``, ``zh-Hant-TW``), POSIX locales
    (``en_GB.UTF-8``) and English names (``English``). ``auto``, ``multi`` and an empty value ask
    for detection.

    Args:
        value: the value.
        known: codes of the model's languages.

    Raises:
        UnknownLanguageError: no known language has this name.
    """
    wanted = " ".join(value.lower().split())
    if wanted in _DETECTED:
        return None
    base, _, modifier = wanted.partition("@")
    subtags = base.partition(".")[0].replace("_", "-").split("-")
    words = re.findall(r"[^\W_]+", wanted)
    named = " ".join(word for word in words if word not in _SCRIPTS)
    hints = [*subtags[1:], modifier, *words]
    for name in (wanted, "-".join(subtags[:2]), subtags[0], named):
        code = name if name in known else _CODES.get(name, _ALIASES.get(name, name))
        if code in known:
            scripts = (_SCRIPTS.get(hint, "") for hint in hints)
            return Language(code, next((s for s in scripts if (code, s) in _PROMPTS), ""))
    raise _unknown(value)


def echo_start(pieces: Sequence[str], language: str) -> int:
    """Return where the text repeats the prompt of its script at its end.

    Where nobody speaks, a decoder may write its prompt again.

    Args:
        pieces: the text in pieces, e.g. words.
        language: language code of the text.

    Returns:
        the number of pieces before the repetition; all of them if there is none.
    """
    prompts = [_letters(text) for (code, _), text in _PROMPTS.items() if code == language]
    for first in range(len(pieces)) if prompts else ():
        end = _letters("".join(pieces[first:]))
        begins = bool(_letters(pieces[first]))  # punctuation belongs to the text before it
        if begins and any(_repeats(prompt, end) for prompt in prompts):
            return first
    return len(pieces)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).lower()


def _repeats(prompt: str, text: str) -> bool:
    rest = text.replace(prompt, "")
    return rest in prompt and len(text) > _MOST_OF_IT * len(prompt)


def language_code(language: str) -> str:
    """Return Whisper's code for a language given by code, by tag or by English name.

    Regions and scripts are ignored: ``en``, ``EN``, ``en-US``, ``en_GB`` and ``English`` are all
    ``en``.

    Raises:
        UnknownLanguageError: Whisper does not support the language.
    """
    found = parse_language(language)
    if found is None:
        raise _unknown(language)
    return found.code


def normalize_language(value: str) -> str:
    """Return the tag of a language that a caller names; an empty one: it is to be detected.

    The tag of a language that Whisper does not know is returned as it is: a fine-tuned model may
    know it.

    Raises:
        UnknownLanguageError: the name is neither known nor a tag.
    """
    try:
        return str(parse_language(value) or "")
    except UnknownLanguageError:
        if _TAG.fullmatch(value.strip()):
            return value.strip()
        raise


def language_name(code: str) -> str:
    """Return the English name and the code of a language: ``"Cantonese (yue)"``."""
    return f"{LANGUAGES[code]} ({code})" if code in LANGUAGES else repr(code)


def _unknown(value: str) -> UnknownLanguageError:
    return UnknownLanguageError(
        f"unknown language {value[:40]!r}; expected a code such as 'en', 'de' or 'zh' or an "
        "English name such as 'German'"
    )
