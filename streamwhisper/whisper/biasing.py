"""Names and terms to expect: listed words are preferred where the sound allows it.

The tokens of every entry make a trie. Where a text may go on with an entry's next token, that
token's logit is raised; how far is bounded, so that a word that is clearly heard stays what it is.
Whether the text goes on at all is never a matter of the vocabulary: where the model would end it,
or write a timestamp, nothing is raised, and the less so the likelier it is that nobody speaks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from streamwhisper.whisper.tokenizer import Tokenizer, unspaced

__all__ = ["BiasVocabulary", "get_bias_vocabulary"]

START_BONUS = 2.0
"""For the first token of an entry: it may be the first of many other words as well."""
NEXT_BONUS = 6.0
"""For the tokens that follow."""

BROKEN = "\ufffd"
"""Part of a character."""

_Node = dict[int, "_Node"]


class BiasVocabulary:
    """A trie of tokens; immutable, safe to share by threads."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        entries: Sequence[str],
        *,
        start: float = START_BONUS,
        following: float = NEXT_BONUS,
    ) -> None:
        """Spell the entries.

        Args:
            entries: words or phrases, as they are to be written.
            start: what the logit of an entry's first token is raised by.
            following: the same for each token after it.
        """
        self._tokenizer = tokenizer
        self._start, self._following = start, following
        self._anywhere: _Node = {}  # what begins a word wherever it stands
        self._tight: _Node = {}  # what begins one where the last has ended
        self._depth = 0
        for word in filter(None, (" ".join(entry.split()) for entry in entries)):
            self._add(self._anywhere, f" {word}")
            self._add(self._anywhere if unspaced(word[0]) else self._tight, word)
        self._starts = tuple(
            torch.tensor(sorted(tries), dtype=torch.long)
            for tries in (self._anywhere, self._anywhere | self._tight)
        )

    def favour(self, logits: Tensor, tokens: Sequence[int], no_speech: float) -> Tensor:
        """Raise entries in ``logits [n_vocab]`` for the token after `tokens`.

        Args:
            logits: filtered; they are not changed.
            tokens: of the text so far, with its prefix.
            no_speech: the probability that nobody speaks.
        """
        if int(logits.argmax()) >= self._tokenizer.eot:
            return logits
        raised = logits.clone()
        share = 1.0 - no_speech
        starts = self._starts[self._begins_word(tokens)].to(logits.device)
        raised[starts] += share * self._start
        for token in self.following(tokens):
            raised[token] += share * self._following
        return raised

    def following(self, tokens: Sequence[int]) -> set[int]:
        """The tokens that continue the entries that the end of `tokens` has begun."""
        return {
            token
            for begin in range(max(0, len(tokens) - self._depth + 1), len(tokens))
            for trie in self._tries(tokens[:begin])
            for token in _walk(trie, tokens[begin:])
        }

    def _tries(self, before: Sequence[int]) -> Iterator[_Node]:
        """What may begin after these tokens."""
        yield self._anywhere
        if self._begins_word(before):
            yield self._tight

    def _begins_word(self, before: Sequence[int]) -> bool:
        """Whether what follows `before` begins a word even without a space."""
        last = self._tokenizer.decode(before[-1:])[-1:]
        return not last.isalnum() and last != BROKEN

    def _add(self, trie: _Node, text: str) -> None:
        tokens = self._tokenizer.encode(text)
        self._depth = max(self._depth, len(tokens))
        for token in tokens:
            trie = trie.setdefault(token, {})


def _walk(trie: _Node, tokens: Sequence[int]) -> _Node:
    """Where `tokens` lead; an empty node where no entry begins like that."""
    for token in tokens:
        if token not in trie:
            return {}
        trie = trie[token]
    return trie


@lru_cache(maxsize=64)
def get_bias_vocabulary(tokenizer: Tokenizer, entries: tuple[str, ...]) -> BiasVocabulary:
    """The vocabulary of these entries, spelt once."""
    return BiasVocabulary(tokenizer, entries)
