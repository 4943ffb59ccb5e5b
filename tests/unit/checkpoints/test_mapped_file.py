"""Tensors that lie in a file."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

from streamwhisper.checkpoints.mapped_file import MappedFile

TYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("offset", [0, 3, 64, 5000])
def test_a_tensor_has_the_bytes_of_its_place(
    tmp_path: Path, dtype: torch.dtype, offset: int
) -> None:
    expected = torch.arange(-60, 60).to(dtype).view(5, 3, 8)
    file = tmp_path / "file"
    file.write_bytes(bytes(offset) + expected.view(torch.uint8).numpy().tobytes())
    assert torch.equal(MappedFile(file).tensor(offset, dtype, (5, 3, 8)), expected)


def test_a_tensor_that_is_dropped_takes_nothing_from_its_neighbours(tmp_path: Path) -> None:
    numbers = torch.arange(50_000, dtype=torch.int32)
    file = tmp_path / "file"
    file.write_bytes(numbers.numpy().tobytes())
    mapped = MappedFile(file)
    parts = [mapped.tensor(4 * n, torch.int32, (10_000,)) for n in range(0, 50_000, 10_000)]
    del mapped
    for part in parts:
        part += 1  # changed pages are private ones, which the file could not give back
    del parts[1], parts[2], part
    gc.collect()
    expected = [numbers[n : n + 10_000] + 1 for n in (0, 20_000, 40_000)]
    assert all(torch.equal(found, want) for found, want in zip(parts, expected, strict=True))


def test_what_is_changed_in_memory_does_not_change_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(100))
    MappedFile(file).tensor(0, torch.uint8, (100,)).fill_(7)
    assert file.read_bytes() == bytes(100)


def test_a_tensor_without_numbers_needs_no_bytes(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    assert MappedFile(file).tensor(1, torch.float32, (0, 4)).shape == (0, 4)


def test_nothing_is_read_past_the_end(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(10))
    with pytest.raises(ValueError, match=r"."):
        MappedFile(file).tensor(4, torch.float32, (2,))
