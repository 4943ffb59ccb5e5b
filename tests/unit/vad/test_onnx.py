from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwhisper.vad.onnx import read_initializers


def varint(value: int) -> bytes:
    if value < 0x80:
        return bytes([value])
    return bytes([value & 0x7F | 0x80]) + varint(value >> 7)


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, array: np.ndarray, *, packed: bool) -> bytes:
    dims = (
        field(1, b"".join(map(varint, array.shape)))
        if packed
        else b"".join(field(1, size) for size in array.shape)
    )
    kind = {"float32": 1, "int64": 7}[str(array.dtype)]
    return dims + field(2, kind) + field(8, name.encode()) + field(9, array.tobytes())


def model(*tensors: bytes) -> bytes:
    graph = field(2, b"graph") + b"".join(field(5, t) for t in tensors)
    return field(1, 8) + field(2, b"maker") + field(7, graph)


shapes = st.lists(st.integers(1, 200), min_size=1, max_size=2).map(tuple)


@given(st.dictionaries(st.text(min_size=1), shapes, max_size=4), st.booleans())
def test_arrays_are_read_back_by_name(tmp_path_factory, arrays, packed):
    stored = {n: np.arange(np.prod(s), dtype=np.float32).reshape(s) for n, s in arrays.items()}
    path = tmp_path_factory.getbasetemp() / "arrays.onnx"
    path.write_bytes(model(*(tensor(n, a, packed=packed) for n, a in stored.items())))
    found = read_initializers(path)
    assert found.keys() == stored.keys()
    for name, array in stored.items():
        np.testing.assert_array_equal(found[name], array)


def test_arrays_of_other_types_are_left_out(tmp_path):
    path = tmp_path / "integers.onnx"
    path.write_bytes(model(tensor("count", np.arange(3), packed=True)))
    assert read_initializers(path) == {}


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_file_that_was_cut_short_is_an_error(tmp_path, cut):
    path = tmp_path / "cut.onnx"
    path.write_bytes(model(tensor("x", np.zeros(50, np.float32), packed=True))[:-cut])
    with pytest.raises(ValueError, match="ends in the middle"):
        read_initializers(path)


def test_what_is_no_protocol_buffer_is_an_error(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_bytes(b"\x0f" * 100)
    with pytest.raises(ValueError, match="wire type 7"):
        read_initializers(path)
