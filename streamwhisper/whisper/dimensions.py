"""Sizes of a Whisper network."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelDimensions"]


@dataclass(frozen=True, slots=True)
class ModelDimensions:
    """Sizes of a Whisper model, under OpenAI's names.

    Attributes:
        n_mels: mel bins of the front end.
        n_audio_ctx: encoder positions, 20 ms each.
        n_vocab: number of tokens, including special ones.
        n_text_ctx: maximum number of tokens in the decoder's context.
    """

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int

    @property
    def multilingual(self) -> bool:
        """True if the vocabulary has language tokens, so 51865 tokens or more."""
        return self.n_vocab >= 51865
