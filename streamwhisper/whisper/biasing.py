"""Vocabulary biasing: listed words are preferred when the audio is ambiguous.

The tokens of all entries form a trie. Where an entry can continue the text, the logit of its next
token is raised by a bounded bonus, so clear audio still wins. The vocabulary never decides whether
the text continues: if the model would end it or write a timestamp, nothing is raised. The bonus
shrinks with the probability of no speech.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from streamwhisper.typography import unspaced
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["BiasVocabulary", "get_bias_vocabulary"]

START_BONUS = 2.0
"""Bonus of an entry's first token, which can begin many other words as well."""
NEXT_BONUS = 6.0
"""Bonus of each later token of an entry."""

MAX_NODES = 250_000
"""Maximum number of nodes of the vocabularies that are kept, about 60 MB."""

BROKEN = "\ufffd"
"""Replacement character, which stands for part of a character."""

_Node = dict[int, "_Node"]


class BiasVocabulary:
    """Trie of the tokens of all entries; immutable, thread-safe.

    Attributes:
        nodes: number of nodes, which determines the size in memory.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        entries: Sequence[str],
        *,
        start: float = START_BONUS,
        following: float = NEXT_BONUS,
    ) -> None:
        """Build the trie.

        Args:
            tokenizer: tokenizer of the model.
            entries: words or phrases in their correct spelling.
            start: bonus on the logit of an entry's first token.
            following: bonus on the logit of each later token.
        """
        self._tokenizer = tokenizer
        self._start, self._following = start, following
        self._anywhere: _Node = {}  # entries with a leading space
        self._tight: _Node = {}  # entries without one, after a sign
        self._depth = 0
        self.nodes = 0
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
            logits: filtered logits; they are not changed.
            tokens: text so far, including the prefix.
            no_speech: probability of no speech, 0 to 1.
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
        """Return the tokens that continue entries begun at the end of `tokens`."""
        return {
            token
            for begin in range(max(0, len(tokens) - self._depth + 1), len(tokens))
            for trie in self._tries(tokens[:begin])
            for token in _walk(trie, tokens[begin:])
        }

    def _tries(self, before: Sequence[int]) -> Iterator[_Node]:
        """Yield the tries of the entries that can begin after these tokens."""
        yield self._anywhere
        if self._begins_word(before):
            yield self._tight

    def _begins_word(self, before: Sequence[int]) -> bool:
        """Return whether a word can follow `before` without a space."""
        if not before:
            return True
        last = self._tokenizer.token_bytes(before[-1]).decode("utf-8", "replace")[-1:]
        return not last.isalnum() and last != BROKEN

    def _add(self, trie: _Node, text: str) -> None:
        tokens = self._tokenizer.encode(text)
        self._depth = max(self._depth, len(tokens))
        for token in tokens:
            if token not in trie:
                trie[token] = {}
                self.nodes += 1
            trie = trie[token]


def _walk(trie: _Node, tokens: Sequence[int]) -> _Node:
    """Return the node at `tokens`; an empty node if no entry begins with them."""
    for token in tokens:
        if token not in trie:
            return {}
        trie = trie[token]
    return trie


class VocabularyCache:
    """LRU cache of vocabularies, limited by their size; thread-safe."""

    def __init__(self, max_nodes: int) -> None:
        """Keep vocabularies of at most `max_nodes` nodes in total, but the last one in any case."""
        self._max_nodes = max_nodes
        self._kept: dict[tuple[Tokenizer, tuple[str, ...]], BiasVocabulary] = {}  # newest last
        self._lock = threading.Lock()

    def get(self, tokenizer: Tokenizer, entries: tuple[str, ...]) -> BiasVocabulary:
        """Return the vocabulary of these entries."""
        key = (tokenizer, entries)
        with self._lock:
            found = self._kept.pop(key, None)
            if found is None:
                found = BiasVocabulary(tokenizer, entries)
            self._kept[key] = found
            while len(self._kept) > 1 and self.nodes > self._max_nodes:
                del self._kept[next(iter(self._kept))]
        return found

    @property
    def nodes(self) -> int:
        """Number of nodes of all vocabularies kept."""
        return sum(vocabulary.nodes for vocabulary in self._kept.values())


_cache = VocabularyCache(MAX_NODES)


def get_bias_vocabulary(tokenizer: Tokenizer, entries: tuple[str, ...]) -> BiasVocabulary:
    """Return the vocabulary of these entries; equal arguments share one."""
    return _cache.get(tokenizer, entries)
