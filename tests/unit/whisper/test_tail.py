"""The silent tail: near the padded encoder where it is used, the padded encoder where it is not."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from streamwhisper.whisper.dimensions import ModelDimensions
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.tail import (
    CLAMP,
    LOWEST_FLOOR,
    SilentTails,
    TailOptions,
    encode,
    padding_floor,
)
from tests.support.examples import examples
from tests.support.tails import encode_one, equal, pad_one, tensors

POSITIONS = 60
FRAMES = 2 * POSITIONS
SEEDS = st.integers(0, 2**32 - 1)
OPTIONS = st.builds(TailOptions, joint_frames=st.integers(0, 40), thinning=st.integers(1, 9))


@pytest.fixture(scope="module")
def small() -> Whisper:
    """Random weights and a window of 1.2 s: the arithmetic of positions without the work."""
    model = Whisper(
        ModelDimensions(
            n_mels=4,
            n_audio_ctx=POSITIONS,
            n_audio_state=8,
            n_audio_head=2,
            n_audio_layer=2,
            n_vocab=10,
            n_text_ctx=8,
            n_text_state=8,
            n_text_head=2,
            n_text_layer=3,
        )
    )
    generator = torch.Generator().manual_seed(0)
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.normal_(generator=generator)
    return model.requires_grad_(False).eval()


def random_mel(frames: int, seed: int = 0) -> Tensor:
    """Clamped and scaled: nothing is more than `CLAMP` below the maximum."""
    generator = torch.Generator().manual_seed(seed)
    mel = torch.rand(4, frames, generator=generator) * CLAMP
    return mel - torch.rand(1, generator=generator)


@settings(max_examples=examples(80))
@given(frames=st.integers(1, FRAMES), options=OPTIONS)
def test_the_tail_begins_where_sound_and_joint_end_and_is_thinned(
    small: Whisper, frames: int, options: TailOptions
) -> None:
    """All positions up to there, then one for each `thinning`, weighted by as much."""
    sound = encode_one(SilentTails(small, options), random_mel(frames))
    thinning = options.thinning
    own = math.ceil((frames + options.joint_frames) / 2 / thinning) * thinning
    assert sound.audible == max(1, frames // 2)
    if own >= POSITIONS:
        assert equal(sound, pad_one(small, random_mel(frames)))
        assert sound.bias is None
        return
    keys = own + (POSITIONS - own) // thinning
    assert {tensor.shape[2] for tensor in tensors(sound)} == {keys}
    if thinning == 1:
        assert keys == POSITIONS
        assert sound.bias is None
    else:
        assert sound.bias is not None
        assert sound.bias.shape == (1, keys)
        assert not sound.bias[:, :own].any()
        assert torch.allclose(sound.bias[:, own:], torch.tensor(float(thinning)).log())


@settings(max_examples=examples(30))
@given(frames=st.integers(1, FRAMES), joint=st.integers(0, 40))
def test_silence_encoded_with_an_unthinned_tail_equals_silence_encoded_whole(
    small: Whisper, frames: int, joint: int
) -> None:
    """Where the sound is silence itself, nothing is approximated: each part is in its place."""
    silence = torch.full((4, frames), LOWEST_FLOOR)
    tails = SilentTails(small, TailOptions(joint_frames=joint, thinning=1))
    found, expected = encode_one(tails, silence), pad_one(small, silence)
    for ours, theirs in zip(tensors(found), tensors(expected), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@settings(max_examples=examples(30))
@given(frames=st.integers(1, FRAMES), thinning=st.integers(1, 9), seed=SEEDS)
def test_a_joint_that_covers_the_rest_leaves_nothing_to_the_tail(
    small: Whisper, frames: int, thinning: int, seed: int
) -> None:
    mel = random_mel(frames, seed)
    options = TailOptions(joint_frames=FRAMES - frames, thinning=thinning)
    assert equal(encode_one(SilentTails(small, options), mel), pad_one(small, mel))


@settings(max_examples=examples(30))
@given(frames=st.lists(st.integers(1, FRAMES), min_size=1, max_size=5), options=OPTIONS, seed=SEEDS)
def test_windows_together_are_encoded_as_each_alone(
    small: Whisper, frames: list[int], options: TailOptions, seed: int
) -> None:
    """Of any lengths and floors, padded ones among them."""
    tails = SilentTails(small, options)
    mels = [random_mel(count, seed + index) for index, count in enumerate(frames)]
    for mel, sound in zip(mels, encode(tails, mels), strict=True):
        alone = encode_one(tails, mel)
        assert sound.audible == alone.audible
        for ours, theirs in zip(tensors(sound), tensors(alone), strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@settings(max_examples=examples(30))
@given(
    floors=st.lists(st.floats(LOWEST_FLOOR, 1), min_size=1, max_size=25),
    capacity=st.integers(1, 5),
)
def test_the_tails_last_used_are_kept_one_for_each_quantised_floor(
    small: Whisper, floors: list[float], capacity: int
) -> None:
    """A tail among the last `capacity` is the very same object; an older one is made anew."""
    tails = SilentTails(small, TailOptions(capacity=capacity))
    kept: dict[int, object] = {}
    dropped: list[object] = []
    for floor in floors:
        level = round(floor / tails.options.step)
        tail = tails.at(floor)
        if level in kept:
            assert tail is kept.pop(level)
        else:
            assert all(tail is not other for other in (*kept.values(), *dropped))
        kept[level] = tail
        if len(kept) > capacity:
            dropped.append(kept.pop(next(iter(kept))))


def test_sounds_of_one_floor_share_a_tail_and_other_floors_do_not(small: Whisper) -> None:
    tails = SilentTails(small)
    quiet, loud = tails.at(-1.5), tails.at(0.0)
    assert tails.at(-1.4) is quiet
    assert tails.at(0.2) is loud
    assert not torch.equal(quiet.cross_attention[0][0], loud.cross_attention[0][0])


def test_tails_made_ahead_of_time_are_used(small: Whisper) -> None:
    """Threads that ask for the same tail at once get the same one, too."""
    tails = SilentTails(small)
    tails.prepare(-0.5, -1.0)
    ready = {floor: tails.at(floor) for floor in (-0.5, -1.0)}
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.extend((tails.at(-0.5), tails.at(0.5))))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert {id(tail) for tail in found} == {id(ready[-0.5]), id(tails.at(0.5))}
    assert tails.at(-1.0) is ready[-1.0]


@settings(max_examples=examples(60))
@given(frames=st.integers(1, 8), shift=st.floats(-4, 4), seed=SEEDS)
def test_the_floor_lies_below_the_loudest_bin_by_the_clamp_and_never_below_digital_silence(
    frames: int, shift: float, seed: int
) -> None:
    mel = random_mel(frames, seed) + shift
    floor = padding_floor(mel)
    assert floor >= LOWEST_FLOOR
    assert floor == LOWEST_FLOOR or math.isclose(floor, float(mel.max()) - CLAMP)
    assert floor <= max(LOWEST_FLOOR, float(mel.min()) + 1e-6)


@settings(max_examples=examples(60))
@given(
    frames=st.integers(4, FRAMES),
    settling=st.integers(0, FRAMES),
    thinning=st.integers(1, 9),
    together=st.booleans(),
)
@example(frames=120, settling=0, thinning=1, together=False)  # nothing is left to encode
def test_settled_positions_of_the_same_window_leave_the_rest_as_it_was(
    small: Whisper, frames: int, settling: int, thinning: int, together: bool
) -> None:
    """What is taken over stands where it stood, and what is computed attends to it."""
    options = TailOptions(joint_frames=10, thinning=thinning, settling_frames=settling)
    tails, mel = SilentTails(small, options), random_mel(frames)
    whole = encode_one(tails, mel)
    if settling > frames - 2:
        assert whole.prefix is None
        return
    assert whole.prefix is not None
    assert whole.prefix.positions == (frames - settling) // 2
    mels, prefixes = [mel], [whole.prefix]
    if together:
        mels, prefixes = [random_mel(30, seed=1), mel], [None, whole.prefix]
    again = encode(tails, mels, prefixes)[-1]
    for one, other in zip(tensors(whole), tensors(again), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=1e-4)


def test_a_longer_window_settles_more(small: Whisper) -> None:
    """And keeps what was settled before as it was."""
    tails, mel = SilentTails(small, TailOptions(settling_frames=20)), random_mel(FRAMES)
    shorter = encode_one(tails, mel[:, :60]).prefix
    longer = encode(tails, [mel[:, :80]], [shorter])[0].prefix
    assert shorter is not None
    assert longer is not None
    assert (shorter.positions, longer.positions) == (20, 30)
    for one, other in zip(shorter.self_attention, longer.self_attention, strict=True):
        assert torch.equal(one[0], other[0][:, :, :20])
