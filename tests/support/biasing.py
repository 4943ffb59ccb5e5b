"""Names that a vocabulary lists, and their tokenizer."""

from __future__ import annotations

from streamwhisper.whisper.tokenizer import get_tokenizer

TOKENIZER = get_tokenizer(51864)
NAMES = ("Fitzooth", "Montfichet", "Robin Hood", "Warrenton", "Gamewell")
