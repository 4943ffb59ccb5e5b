"""Search for the text of whole windows: greedy, by beam, or by sampling at a temperature.

Matches openai-whisper's ``decode`` ("Robust Speech Recognition via Large-Scale Weak Supervision",
Radford et al., 2022). Windows are searched in one batch. All candidate texts of a window share its
audio and their common beginning: they are branches of a tree in one cache, and a mask selects the
tokens that each of them attends to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from streamwhisper.audio.constants import POSITIONS_PER_SECOND
from streamwhisper.errors import RecognitionError, check_fields
from streamwhisper.recognition import Task
from streamwhisper.whisper import guards
from streamwhisper.whisper.beam import Beam, Branch, Strategy, best
from streamwhisper.whisper.biasing import BiasVocabulary
from streamwhisper.whisper.decoding import context_tokens
from streamwhisper.whisper.kv_cache import TreeBranches
from streamwhisper.whisper.logit_filters import DECLARED, LogitFilters
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.repetition import RepetitionOptions, discourage_repetition
from streamwhisper.whisper.sampling import Sampler
from streamwhisper.whisper.tail import EncodedAudio
from streamwhisper.whisper.tokenizer import Tokenizer

__all__ = ["Output", "SearchOptions", "SearchResult", "SearchTask", "search", "text_tokens"]

Output = Callable[[Tensor], Tensor]
"""Maps hidden states ``[n, D]`` to logits ``[n, n_vocab]``; `OutputLayer` or `decoder.logits`."""
NON_SPEECH = -1
"""Stands for all non-speech tokens among the tokens to suppress."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options of a search.

    Attributes:
        beam_size: width of the beam at temperature 0; None searches greedily.
        best_of: number of texts drawn at other temperatures; the most likely one is returned. None
            draws one.
        patience: the beam ends once ``beam_size * patience`` texts have ended; None is 1.
        length_penalty: exponent of the length penalty, 0 to 1; None compares texts by their mean
            log probability.
        timestamps: whether segments get timestamp tokens.
        max_initial_timestamp: latest first timestamp, in seconds; None or 0 allows any, -1 takes
            the value that the model declares (usually 1 s).
        suppress_tokens: tokens to suppress; -1 stands for the model's non-speech tokens. Unless
            empty, special tokens are suppressed as well.
        suppress_blank: whether to suppress empty texts and texts that begin with a blank.
        max_tokens: maximum number of new tokens; None is half of the text context.
        repetition: options against repetition.
    """

    beam_size: int | None = None
    best_of: int | None = None
    patience: float | None = None
    length_penalty: float | None = None
    timestamps: bool = True
    max_initial_timestamp: float | None = DECLARED
    suppress_tokens: tuple[int, ...] | None = (NON_SPEECH,)
    suppress_blank: bool = True
    max_tokens: int | None = None
    repetition: RepetitionOptions = field(default_factory=RepetitionOptions)

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of range."""
        counts = [(name, getattr(self, name)) for name in ("beam_size", "best_of", "max_tokens")]
        patience, penalty, latest = self.patience, self.length_penalty, self.max_initial_timestamp
        check_fields(
            self,
            *((name, count is None or count >= 1, "1 or more, or None") for name, count in counts),
            ("patience", patience is None or patience > 0, "more than 0, or None"),
            (
                "patience",
                patience is None or self.beam_size is not None,
                "None without a beam_size",
            ),
            ("length_penalty", penalty is None or 0 <= penalty <= 1, "0 to 1, or None"),
            (
                "max_initial_timestamp",
                latest is None or latest == DECLARED or latest >= 0,
                "seconds, None, or -1",
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class SearchTask:
    """One window to search.

    Attributes:
        audio: encoded window.
        language: language code; English-only models ignore it.
        task: transcribe, or translate into English.
        prompt: tokens of the text before the window; cut at the front to half of the text context.
        prefix: tokens that the text begins with; they are not part of the result.
        seed: seed of sampling.
        vocabulary: words to prefer when the audio is ambiguous.
    """

    audio: EncodedAudio
    language: str = "en"
    task: Task = "transcribe"
    prompt: tuple[int, ...] = ()
    prefix: tuple[int, ...] = ()
    seed: int = 0
    vocabulary: BiasVocabulary | None = None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Text of a search, with its scores.

    Attributes:
        tokens: tokens after the prefix without end-of-text; may include timestamp tokens.
        text: text of the tokens, stripped.
        log_probability: mean log probability of the tokens and the end-of-text.
        no_speech_probability: probability of no speech at the start-of-transcript token.
        temperature: temperature of the search.
        compression_ratio: compression ratio of the text with zlib.
        language: language code of the task.
    """

    tokens: tuple[int, ...]
    text: str
    log_probability: float
    no_speech_probability: float
    temperature: float
    compression_ratio: float
    language: str


def text_tokens(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """Return the tokens of a prompt or prefix given as text."""
    return tuple(tokenizer.encode(" " + text.strip()))


@torch.inference_mode()
def search(
    model: Whisper,
    output: Output,
    tokenizer: Tokenizer,
    tasks: Sequence[SearchTask],
    options: SearchOptions | None = None,
    temperature: float = 0.0,
    complete: Callable[[int], None] | None = None,
) -> list[SearchResult]:
    """Search the text of each task in one batch; a result does not depend on the other tasks.

    Args:
        model: the network.
        output: output layer of the model.
        tokenizer: tokenizer of the model.
        tasks: windows to search.
        options: options of all searches.
        temperature: 0 searches for the most likely text; higher values draw tokens.
        complete: called with the index of each task when its text is complete.

    Raises:
        RecognitionError: a prefix leaves no room in the model's text context.
    """
    if not tasks:
        return []
    options = options or SearchOptions()
    rules = _rules(model, tokenizer, options)
    searches = [_Search(model, rules, options, task, temperature) for task in tasks]
    hidden, _ = model.decoder([row.start for row in searches], [row.cache for row in searches])
    wanted = [states[[row.sot, -1]] for row, states in zip(searches, hidden, strict=True)]
    every = output(torch.cat(wanted))
    for row, logits in zip(searches, torch.split(every, 2), strict=True):
        row.begin(logits[0])
        row.write(logits[1:])
    branching = searches[0].strategy.width > 1
    with model.steps([row.cache for row in searches], branching=branching) as step:
        going = set(range(len(searches)))
        while active := [row for row in searches if not row.over]:
            hidden, _ = step(
                [row.tips for row in active],
                [row.cache for row in active],
                [row.grow() for row in active],
            )
            lengths = [len(states) for states in hidden]
            every = output(torch.cat(hidden))
            for row, logits in zip(active, torch.split(every, lengths), strict=True):
                row.write(logits)
            for index in [index for index in going if searches[index].over]:
                going.discard(index)
                if complete is not None:
                    complete(index)
    return [row.result() for row in searches]


class _Search:
    """State of one task in `search`."""

    def __init__(
        self,
        model: Whisper,
        rules: LogitFilters,
        options: SearchOptions,
        task: SearchTask,
        temperature: float,
    ) -> None:
        n_context = model.dims.n_text_ctx
        most = options.max_tokens or n_context // 2
        context = context_tokens(
            rules.tokenizer,
            task.prompt,
            task.language,
            task.task,
            timestamps=options.timestamps,
            most=n_context // 2 - 1,
        )
        self.prefix = task.prefix[-max(0, n_context // 2 - most) :]
        self.start: list[int] = [*context, *self.prefix]
        self.sot = context.index(rules.tokenizer.sot)
        # The decoder never reads the last token, so the text may have one more.
        self.limit = min(most, n_context + 1 - len(self.start))
        if self.limit < 1:
            raise RecognitionError(
                f"prompt ({len(context)} tokens) and prefix ({len(self.prefix)}) fill the text "
                f"context of {n_context} tokens; use a shorter prompt or prefix"
            )
        eot = rules.tokenizer.eot
        self.strategy: Strategy
        if options.beam_size is not None and not temperature:
            self.strategy = Beam(eot, options.beam_size, options.patience or 1.0)
        else:
            self.strategy = Sampler(eot, options.best_of or 1, temperature, task.seed)
        audio = task.audio
        self.cache = model.decoder_cache(
            audio.cross_attention,
            audio.audible,
            audio.bias,
            len(self.start) + self.limit * self.strategy.width,
            aligned=False,
        )
        self.rules, self.options, self.task = rules, options, task
        self.temperature = temperature
        self.branches = [Branch()]
        self.written = 0
        self.no_speech = 0.0
        self._mask: Tensor | None = None

    @property
    def over(self) -> bool:
        """True once the text is complete."""
        return self.written >= self.limit or self.strategy.over(self.branches)

    @property
    def tips(self) -> list[int]:
        """Last token of each branch."""
        return [branch.tokens[-1] for branch in self.branches]

    def begin(self, logits: Tensor) -> None:
        """Process the logits ``[n_vocab]`` at the start-of-transcript token."""
        self.no_speech = float(logits.softmax(dim=-1)[self.rules.tokenizer.no_speech])

    def write(self, logits: Tensor) -> None:
        """Append one token by the logits of each branch, ``[len(branches), n_vocab]``."""
        rows = [
            self._filtered(row, branch) for branch, row in zip(self.branches, logits, strict=True)
        ]
        chances = torch.stack(rows).log_softmax(dim=-1)
        self.branches = self.strategy.step(self.branches, chances)
        self.written += 1

    def grow(self) -> TreeBranches | None:
        """Return the tree of the next tokens; None for one that follows all held tokens."""
        if self.strategy.width == 1:
            return None
        held, count = self.cache.length, len(self.branches)
        position = len(self.start) + self.written - 1
        device = self.cache.self_attention[0][0].device
        before = self._mask
        if before is None:
            before = torch.ones(1, held, dtype=torch.bool, device=device)
        sources = [branch.source for branch in self.branches]
        own = torch.eye(count, dtype=torch.bool, device=device)
        self._mask = torch.cat((before[sources], own), dim=1)
        return TreeBranches(position, self._mask)

    def result(self) -> SearchResult:
        """Return the best text."""
        chosen = best(self.strategy.results(self.branches), self.options.length_penalty)
        text = self.rules.tokenizer.decode(chosen.tokens).strip()
        return SearchResult(
            chosen.tokens,
            text,
            chosen.score / (len(chosen.tokens) + 1),
            self.no_speech,
            self.temperature,
            guards.compression_ratio(text),
            self.task.language,
        )

    def _filtered(self, logits: Tensor, branch: Branch) -> Tensor:
        """Apply filters, repetition options and vocabulary to ``logits [n_vocab]``."""
        options, eot = self.options, self.rules.tokenizer.eot
        text = [token for token in (*self.prefix, *branch.tokens) if token < eot]
        discourage_repetition(logits, text, options.repetition)
        first = options.suppress_blank and not branch.tokens
        logits = self.rules.apply(logits, branch.tokens, first=first, times=options.timestamps)
        if self.task.vocabulary is None:
            return logits
        return self.task.vocabulary.favour(logits, text, self.no_speech)


def _rules(model: Whisper, tokenizer: Tokenizer, options: SearchOptions) -> LogitFilters:
    """Return the logit filters; special tokens are suppressed as in the reference."""
    never = set(options.suppress_tokens or ())
    if NON_SPEECH in never:
        never = never - {NON_SPEECH} | set(tokenizer.non_speech_tokens)
    if options.suppress_tokens:
        special = ("transcribe", "translate", "sot", "sot_prev", "sot_lm", "no_speech")
        never |= {getattr(tokenizer, name) for name in special}
    wrong = [token for token in never if not 0 <= token < tokenizer.n_vocab]
    if wrong:
        raise RecognitionError(
            f"suppress_tokens has {wrong[0]}; expected tokens from 0 to {tokenizer.n_vocab - 1}, "
            "or -1 for all non-speech tokens"
        )
    latest = options.max_initial_timestamp
    steps = round(latest * POSITIONS_PER_SECOND) if latest else None
    return LogitFilters(
        tokenizer,
        tokenizer.n_vocab,
        model.device,
        never=sorted(never),
        latest_start=DECLARED if latest == DECLARED else steps,
    )
