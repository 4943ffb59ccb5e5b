"""Silent tail: cached keys and values of the padding, so that only real audio is encoded.

Whisper was trained on windows padded with silence to 30 s. The keys and values of that padding
hardly depend on the audio before it. They are computed once, on a window of pure silence, and
appended to those of the audio in every layer, so the decoder sees all positions, as in training.

The tail is thinned: neighbouring silent positions are similar, so a few of them are averaged into
one, and the logarithm of their number is added to its attention score.

Audio well before the end of a window hardly depends on the newest audio. `EncodedPrefix` keeps the
keys and values of those positions, and a later, longer window with the same start computes only
the rest. With 8-bit linear layers they are kept in half precision, which is far finer.

The value of the padding depends on the loudness of the window (log-mel frames are clamped at 8
below the window's maximum), so there is one tail for each quantized floor. Between the audio and
the tail lies some real padding, the joint; without it the text gets worse.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from streamwhisper.audio.constants import FRAMES_PER_POSITION, FRAMES_PER_SECOND
from streamwhisper.whisper.batched_encoder import encode_batched
from streamwhisper.whisper.encoded_prefix import EncodedPrefix, extended
from streamwhisper.whisper.kv_cache import BatchSlot, EncoderRow, KeyValues, joined
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.quantized import is_quantized

__all__ = [
    "EncodedAudio",
    "SilentTail",
    "SilentTails",
    "TailOptions",
    "encode",
    "encode_padded",
]

LOWEST_FLOOR = (-10.0 + 4.0) / 4.0
"""Digital silence, log10(1e-10), on the scale of clamped and scaled log-mel frames."""
CLAMP = 8.0 / 4.0
"""Distance from the window's maximum at which frames are clamped, on the same scale."""
ALIGNMENT = 8
"""Multiple of the row length of masks, in numbers; sixteen bytes in half precision."""
CONVOLUTION_REACH = 2
"""Frames after a position that its convolutions still see."""


@dataclass(frozen=True, slots=True)
class TailOptions:
    """Options of the silent tail; benchmarks/RESULTS.md has the measurements behind them.

    Attributes:
        joint_frames: real padding between the audio and the cached tail, in 10 ms frames.
        thinning: number of silent positions that are averaged into one.
        step: floors are rounded to multiples of this.
        capacity: maximum number of tails; the least recently used one is dropped.
        settling_frames: audio that must follow a position before it is cached, in 10 ms frames.
    """

    joint_frames: int = 32
    thinning: int = 8
    step: float = 0.5
    capacity: int = 4
    settling_frames: int = FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True, eq=False)
class SilentTail:
    """Encoded silence at one floor.

    Attributes:
        self_attention: keys and values for each encoder layer, ``[1, H, S, W]``.
        cross_attention: keys and values for each decoder layer, ``[1, H, S, W]``.
    """

    self_attention: list[KeyValues]
    cross_attention: list[KeyValues]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedAudio:
    """Encoded window, as the decoder takes it.

    Attributes:
        cross_attention: keys and values for each decoder layer, ``[1, H, S, W]``.
        audible: number of positions that hold audio; the rest is padding.
        bias: added to the cross-attention scores, ``[1, S]``; None adds nothing.
        prefix: cached beginning for a longer window with the same start; None if none is kept.
        slot: slot in the batch, if it was encoded in a padded batch.
    """

    cross_attention: list[KeyValues]
    audible: int
    bias: Tensor | None = None
    prefix: EncodedPrefix | None = None
    slot: BatchSlot | None = None


class SilentTails:
    """Cache of the silent tails of one model; bounded, filled on first use, thread-safe."""

    def __init__(
        self, model: Whisper, options: TailOptions | None = None, *, batched: bool | None = None
    ) -> None:
        """Start with an empty cache.

        Args:
            model: the network.
            options: joint, thinning and size of the cache.
            batched: encode the windows of a batch as one tensor, and keep no prefix; None does so
                on a GPU, where starting an operation costs more than computing it.
        """
        self.model = model
        self.options = options or TailOptions()
        self.batched = model.device.type == "cuda" if batched is None else batched
        self.prefix_dtype: torch.dtype = torch.float16 if is_quantized(model) else model.dtype
        self._tails: OrderedDict[int, SilentTail] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, *floors: float) -> None:
        """Build the tails of these floors ahead of time, so that no request waits for them."""
        for floor in floors:
            self.at(floor)

    def at(self, floor: float) -> SilentTail:
        """Return the tail for a window whose padding has the value `floor`."""
        level = round(floor / self.options.step)
        with self._lock:
            tail = self._tails.get(level)
            if tail is None:
                floor = max(LOWEST_FLOOR, level * self.options.step)
                tail = _encode_silence(self.model, floor, self.options.thinning)
                self._tails[level] = tail
                if len(self._tails) > self.options.capacity:
                    self._tails.popitem(last=False)
            self._tails.move_to_end(level)
            return tail


def padding_floor(mel: Tensor) -> float:
    """Return the value of the padding after a clamped and scaled window."""
    return max(LOWEST_FLOOR, float(mel.max()) - CLAMP)


@torch.inference_mode()
def encode(
    tails: SilentTails,
    mels: Sequence[Tensor],
    prefixes: Sequence[EncodedPrefix | None] | None = None,
    *,
    keep: bool = True,
) -> list[EncodedAudio]:
    """Encode windows, each with its silent tail.

    Args:
        tails: tails of the model.
        mels: clamped and scaled log-mel frames of each window, ``[n_mels, n_frames]``, at most
            30 s.
        prefixes: for each window, the prefix of an earlier, shorter one with the same start.
        keep: whether to return a prefix for a longer window.
    """
    if tails.batched:
        return _encode_batched(tails, mels)
    model = tails.model
    before = prefixes or [None] * len(mels)
    joins = [_join(tails, mel.to(model.device), own) for mel, own in zip(mels, before, strict=True)]
    encoded, layers = model.encoder([row for row, _ in joins])
    attention = model.cross_attention(encoded, [row.positions for row, _ in joins])
    encoded_rows = []
    for index, (mel, held, (row, silence)) in enumerate(zip(mels, before, joins, strict=True)):
        cached_cross = held.cross_attention if held else None
        cross = [
            joined(
                model.dtype,
                cached_cross[layer] if cached_cross else None,
                own,
                silence[layer] if silence else None,
            )
            for layer, own in enumerate(attention[index])
        ]
        positions = (mel.shape[-1] - tails.options.settling_frames) // FRAMES_PER_POSITION
        more = positions - (held.positions if held else 0)
        kept = held
        if keep and more > 0:
            own = [layer[index] for layer in layers]
            kept = extended(held, own, attention[index], more, tails.prefix_dtype)
        encoded_rows.append(EncodedAudio(cross, _audible(mel), row.bias, kept))
    return encoded_rows


def _encode_batched(tails: SilentTails, mels: Sequence[Tensor]) -> list[EncodedAudio]:
    """Encode the windows as one batch, padded to the longest; the padding is masked."""
    model, thinning = tails.model, tails.options.thinning
    n_audio_ctx, joint = model.dims.n_audio_ctx, tails.options.joint_frames
    groups = n_audio_ctx // thinning
    begins = [-(-(mel.shape[-1] + joint) // (FRAMES_PER_POSITION * thinning)) for mel in mels]
    lengths = [min(n_audio_ctx, begin * thinning) for begin in begins]
    longest = max(lengths)
    frames = min(
        n_audio_ctx * FRAMES_PER_POSITION, longest * FRAMES_PER_POSITION + CONVOLUTION_REACH
    )
    floors = [padding_floor(mel) for mel in mels]
    padded = torch.stack(
        [
            F.pad(mel, (0, frames - mel.shape[-1]), value=floor)
            for mel, floor in zip(mels, floors, strict=True)
        ]
    )
    width = longest + groups
    # Rows must begin where GPUs like to read.
    bias = torch.full((len(mels), -(-width // ALIGNMENT) * ALIGNMENT), -torch.inf)
    for row, (length, begin) in enumerate(zip(lengths, begins, strict=True)):
        bias[row, :length] = 0.0
        if length < n_audio_ctx:
            bias[row, longest + begin : width] = math.log(thinning)
    kept = [tails.at(floor) for floor in floors]
    kinds = list(dict.fromkeys(kept))
    encoded_rows = encode_batched(
        model,
        padded.to(model.device, model.dtype),
        longest,
        bias.to(model.device, model.dtype)[:, :width],
        [(tail.self_attention, tail.cross_attention) for tail in kinds],
        torch.tensor([kinds.index(tail) for tail in kept], device=model.device),
    )
    slots = [BatchSlot(encoded_rows, row, _audible(mel)) for row, mel in enumerate(mels)]
    return [
        EncodedAudio(
            encoded_rows.row(slot.row),
            slot.audible,
            encoded_rows.bias[slot.row : slot.row + 1],
            slot=slot,
        )
        for slot in slots
    ]


def _join(
    tails: SilentTails, mel: Tensor, prefix: EncodedPrefix | None
) -> tuple[EncoderRow, list[KeyValues] | None]:
    """Return a window with its joint and tail, and the tail's part of the cross-attention."""
    model, thinning = tails.model, tails.options.thinning
    floor = padding_floor(mel)
    groups = -(-(mel.shape[-1] + tails.options.joint_frames) // (FRAMES_PER_POSITION * thinning))
    positions = groups * thinning
    if positions >= model.dims.n_audio_ctx:
        return _after(prefix, _padded(model, mel)), None
    tail = tails.at(floor)
    padding = positions * FRAMES_PER_POSITION + CONVOLUTION_REACH - mel.shape[-1]
    padded = F.pad(mel, (0, padding), value=floor).to(model.dtype)
    silent = [_from(keys_values, groups) for keys_values in tail.self_attention]
    bias = _bias(positions, silent[0][0].shape[2], thinning, like=padded)
    silence = [_from(keys_values, groups) for keys_values in tail.cross_attention]
    return _after(prefix, EncoderRow(padded, positions, None, silent, bias)), silence


def _after(prefix: EncodedPrefix | None, row: EncoderRow) -> EncoderRow:
    """Return the part of the row after the prefix."""
    if prefix is None:
        return row
    first = prefix.positions
    mel = row.mel[:, first * FRAMES_PER_POSITION - CONVOLUTION_REACH :]
    return replace(row, mel=mel, positions=row.positions - first, before=prefix.self_attention)


def _padded(model: Whisper, mel: Tensor) -> EncoderRow:
    n_audio_ctx = model.dims.n_audio_ctx
    missing = n_audio_ctx * FRAMES_PER_POSITION - mel.shape[-1]
    padded = F.pad(mel, (0, missing), value=padding_floor(mel)).to(model.dtype)
    return EncoderRow(padded, n_audio_ctx)


@torch.inference_mode()
def encode_padded(model: Whisper, mels: Sequence[Tensor]) -> list[EncodedAudio]:
    """Encode windows as in training, padded to 30 s; slow, the reference for tests."""
    rows = [_padded(model, mel.to(model.device)) for mel in mels]
    encoded, _ = model.encoder(rows)
    attention = model.cross_attention(encoded, [row.positions for row in rows])
    return [EncodedAudio(own, _audible(mel)) for own, mel in zip(attention, mels, strict=True)]


@torch.inference_mode()
def _encode_silence(model: Whisper, floor: float, thinning: int) -> SilentTail:
    n_audio_ctx = model.dims.n_audio_ctx
    shape = (model.dims.n_mels, n_audio_ctx * FRAMES_PER_POSITION)
    silence = torch.full(shape, floor, device=model.device, dtype=model.dtype)
    encoded, layers = model.encoder([EncoderRow(silence, n_audio_ctx)])
    (attention,) = model.cross_attention(encoded, [n_audio_ctx])
    return SilentTail(
        [_thinned(own, thinning) for (own,) in layers],
        [_thinned(keys_values, thinning) for keys_values in attention],
    )


def _thinned(keys_values: KeyValues, thinning: int) -> KeyValues:
    """Average groups of `thinning` neighbouring positions; a shorter rest is left out."""
    batch, heads, positions, width = keys_values[0].shape
    groups = positions // thinning
    shape = (batch, heads, groups, thinning, width)
    keys, values = (
        tensor[:, :, : groups * thinning].reshape(shape).mean(dim=3) for tensor in keys_values
    )
    return keys, values


def _bias(positions: int, groups: int, thinning: int, like: Tensor) -> Tensor | None:
    if thinning == 1:
        return None
    bias = like.new_zeros(1, positions + groups)
    bias[:, positions:] = math.log(thinning)
    return bias


def _from(keys_values: KeyValues, position: int) -> KeyValues:
    return keys_values[0][:, :, position:], keys_values[1][:, :, position:]


def _audible(mel: Tensor) -> int:
    return max(1, mel.shape[-1] // FRAMES_PER_POSITION)
