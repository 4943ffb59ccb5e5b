"""Settled sound: what is held never changes, however its store is shared and extended."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.whisper.encoded_prefix import STEP, EncodedPrefix, extended
from streamwhisper.whisper.kv_cache import KeyValues
from tests.support.examples import examples

LENGTHS = st.lists(st.integers(1, STEP), min_size=1, max_size=6)


def layers(count: int, positions: int, seed: int) -> list[KeyValues]:
    """Random ``[1, 2, positions, 3]`` for each layer, transposed as the network leaves them."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(1, positions, 2, 3, generator=generator).transpose(1, 2),
            torch.randn(1, positions, 2, 3, generator=generator).transpose(1, 2),
        )
        for _ in range(count)
    ]


def longer(
    held: EncodedPrefix | None, positions: int, seed: int, dtype: torch.dtype = torch.float32
) -> EncodedPrefix:
    """Two encoder and three decoder layers; more was computed than is taken."""
    own, cross = layers(2, positions + 5, seed), layers(3, positions + 5, seed + 1000)
    return extended(held, own, cross, positions, dtype)


def content(sound: EncodedPrefix) -> list[torch.Tensor]:
    every = (*sound.self_attention, *sound.cross_attention)
    return [tensor.clone() for keys_values in every for tensor in keys_values]


@settings(max_examples=examples(40))
@given(lengths=LENGTHS, others=st.lists(st.integers(0, 5), max_size=3))
def test_what_is_held_stays_as_it_was_whatever_is_put_behind_it(
    lengths: list[int], others: list[int]
) -> None:
    """By its window or by another that began with it."""
    held: list[EncodedPrefix] = []
    for seed, length in enumerate(lengths):
        held.append(longer(held[-1] if held else None, length, seed))
    before = [content(sound) for sound in held]
    for index in others:
        first = held[min(index, len(held) - 1)]
        other = longer(first, 7, seed=100 + index)
        start = [tensor[:, :, : first.positions] for tensor in content(other)]
        assert all(map(torch.equal, start, content(first)))
    for sound, expected in zip(held, before, strict=True):
        assert all(map(torch.equal, content(sound), expected))


@settings(max_examples=examples(20))
@given(lengths=LENGTHS)
def test_it_holds_every_position_in_its_place(lengths: list[int]) -> None:
    sound = None
    for seed, length in enumerate(lengths):
        sound = longer(sound, length, seed)
    assert sound is not None
    assert sound.positions == sum(lengths)
    pieces = [
        [keys[:, :, :length] for keys, _ in layers(2, length + 5, seed)]
        for seed, length in enumerate(lengths)
    ]
    for (keys, _), own in zip(sound.self_attention, zip(*pieces, strict=True), strict=True):
        assert torch.equal(keys, torch.cat(own, dim=2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_it_is_kept_in_the_type_asked_for(dtype: torch.dtype) -> None:
    sound = longer(None, 10, seed=0, dtype=dtype)
    for (keys, values), (own, others) in zip(sound.self_attention, layers(2, 15, 0), strict=True):
        assert torch.equal(keys, own[:, :, :10].to(dtype))
        assert torch.equal(values, others[:, :, :10].to(dtype))


def test_it_grows_in_place_and_holds_nothing_of_the_answer_alive() -> None:
    first = longer(None, 10, seed=0)
    second = longer(first, 10, seed=1)
    assert second.self_attention[0][0].data_ptr() == first.self_attention[0][0].data_ptr()
    stored = second.self_attention[0][0].untyped_storage().nbytes()
    assert stored == 2 * 2 * 2 * STEP * 3 * 4


def test_of_threads_that_extend_the_same_sound_each_gets_its_own() -> None:
    first = longer(None, 10, seed=0)
    found: dict[int, EncodedPrefix] = {}
    threads = [
        threading.Thread(target=lambda seed=seed: found.update({seed: longer(first, 5, seed)}))
        for seed in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, sound in found.items():
        assert torch.equal(
            sound.self_attention[0][0][:, :, 10:], layers(2, 10, seed)[0][0][:, :, :5]
        )
