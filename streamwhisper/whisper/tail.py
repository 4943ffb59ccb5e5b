"""The silent tail: encode only the sound that exists.

Whisper was trained on windows padded with silence to 30 s. The keys and values of that padding
hardly depend on the sound before it, so they are computed once, on a window of pure silence, and
appended to those of the sound in every layer; the decoder sees all positions, as trained.

The tail is thinned: neighbouring silent positions are much alike, so a few of them are averaged
into one, whose attention score is raised by the logarithm of how many it stands for.

Sound that lies well behind the edge is as little moved by what is said now: `EncodedPrefix` keeps
the keys and values of those positions, and a later, longer window with the same start computes
only the rest. Where the linear layers are in 8 bits they are kept in half precision, which is far
finer.

The padding's value depends on how loud the window is (log-mel frames are clamped at 8 below the
window's maximum), so there is one tail for each quantised floor. The joint matters: some real
padding follows the sound before the tail takes over.
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
"""How far below the window's maximum frames are clamped, on the same scale."""
ALIGNMENT = 8
"""Numbers; sixteen bytes in half precision."""
CONVOLUTION_REACH = 2
"""Frames past a position that its convolutions still see."""


@dataclass(frozen=True, slots=True)
class TailOptions:
    """How sound and silence are joined; the figures behind them are in benchmarks/RESULTS.md.

    Attributes:
        joint_frames: real padding, in 10 ms frames, between the sound and the cached tail.
        thinning: how many silent positions one of the tail's stands for.
        step: the floor is quantised to multiples of this.
        capacity: tails kept; the least recently used one is dropped.
        settling_frames: sound that must follow a position before it is prefix.
    """

    joint_frames: int = 32
    thinning: int = 8
    step: float = 0.5
    capacity: int = 4
    settling_frames: int = FRAMES_PER_SECOND


@dataclass(frozen=True, slots=True, eq=False)
class SilentTail:
    """Pure silence at one floor, encoded: one pair of keys and values for each layer."""

    self_attention: list[KeyValues]
    cross_attention: list[KeyValues]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedAudio:
    """What the decoder needs of one window.

    Attributes:
        cross_attention: keys and values for each decoder layer.
        audible: positions that hold sound; the rest is padding.
        bias: added to the attention scores of all positions; None for none.
        prefix: what a longer window with the same start may take over.
        slot: its place among those that were encoded batched.
    """

    cross_attention: list[KeyValues]
    audible: int
    bias: Tensor | None = None
    prefix: EncodedPrefix | None = None
    slot: BatchSlot | None = None


class SilentTails:
    """Tails of one model, built on first use; a bounded cache, safe to share by threads."""

    def __init__(
        self, model: Whisper, options: TailOptions | None = None, *, batched: bool | None = None
    ) -> None:
        """Prepare them.

        Args:
            batched: encode the windows of a batch as one tensor, and keep nothing of them; None
                does so on a GPU, where to start an operation costs more than to compute.
        """
        self.model = model
        self.options = options or TailOptions()
        self.batched = model.device.type == "cuda" if batched is None else batched
        self.prefix_dtype: torch.dtype = torch.float16 if is_quantized(model) else model.dtype
        self._tails: OrderedDict[int, SilentTail] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, *floors: float) -> None:
        """Build tails ahead of time, so that the first words need not wait for them."""
        for floor in floors:
            self.at(floor)

    def at(self, floor: float) -> SilentTail:
        """The tail for a window whose padding has the value `floor`."""
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
    """The value of the padding that follows a clamped and scaled window."""
    return max(LOWEST_FLOOR, float(mel.max()) - CLAMP)


@torch.inference_mode()
def encode(
    tails: SilentTails,
    mels: Sequence[Tensor],
    prefixes: Sequence[EncodedPrefix | None] | None = None,
    *,
    keep: bool = True,
) -> list[EncodedAudio]:
    """Encode windows ``[n_mels, n_frames]`` (at most 30 s each), each with its silent tail.

    Args:
        prefix: for each window what an earlier, shorter one with the same start has left.
        keep: whether a longer window will come that takes over what this one leaves.
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
    """Every window whole, padded to the longest; what pads the others is masked."""
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
    """A window with the joint behind it, and what its tail adds to the cross-attention."""
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
    """The row without what is prefix already."""
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
    """Encode windows as trained, padded to 30 s: slow, and the yardstick."""
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
    """Average each `thinning` neighbouring positions; a shorter rest at the end is left out."""
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
