"""Languages of Whisper, in the order of their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from streamwhisper.errors import RecognitionError

__all__ = ["LANGUAGES", "UNSPACED_LANGUAGES", "language_code"]

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
"""English names by language code. Only large-v3 models support Cantonese."""

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages that are written without spaces between words."""

_CODES = {name.lower(): code for code, name in LANGUAGES.items()}
_OTHER_NAMES = {
    "castilian": "es",
    "farsi": "fa",
    "fil": "tl",
    "filipino": "tl",
    "flemish": "nl",
    "haitian": "ht",
    "iw": "he",
    "jv": "jw",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "myanmar": "my",
    "nb": "no",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
}


def language_code(language: str) -> str:
    """Return Whisper's code for a language given by code, by tag or by English name.

    Regions and scripts are ignored: ``en``, ``EN``, ``en-US``, ``en_GB`` and ``English`` are all
    ``en``.

    Raises:
        RecognitionError: Whisper does not support the language.
    """
    wanted = language.strip().lower()
    for name in (wanted, wanted.replace("_", "-").partition("-")[0]):
        code = _CODES.get(name, _OTHER_NAMES.get(name, name))
        if code in LANGUAGES:
            return code
    raise RecognitionError(
        f"unknown language {language!r}; expected a code such as 'en', 'de' or 'zh' or an "
        "English name such as 'German'"
    )
