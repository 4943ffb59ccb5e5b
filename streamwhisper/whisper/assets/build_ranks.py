"""Build a vocabulary (``*.tiktoken``) from the ``tokenizer.json`` that travels with a model.

Usage: python build_ranks.py path/to/tokenizer.json multilingual.tiktoken

In ``tokenizer.json`` each token is written with one printable character for each byte, as in
GPT-2: printable bytes stand for themselves, the others for the characters from U+0100 on. The
rank of a token is its id; the special tokens, which follow the last rank, are left out.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

__all__ = ["build_ranks"]


def build_ranks(tokenizer_json: Path) -> bytes:
    """Return the lines of a vocabulary: each token's bytes in base64, and its rank."""
    tokenizer = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    special = {token["content"] for token in tokenizer["added_tokens"] if token["content"]}
    ranks = {rank: text for text, rank in tokenizer["model"]["vocab"].items()}
    tokens = [ranks[rank] for rank in range(len(ranks))]
    while tokens[-1] in special:
        tokens.pop()
    lines = (
        base64.b64encode(bytes(map(_BYTES.__getitem__, token))) + b" %d\n" % rank
        for rank, token in enumerate(tokens)
    )
    return b"".join(lines)


def _bytes_by_character() -> dict[str, int]:
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(0x100) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {
        chr(0x100 + n): byte for n, byte in enumerate(others)
    }


_BYTES = _bytes_by_character()


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_bytes(build_ranks(source))
