"""Reader for the stored arrays of an ONNX file, without an ONNX runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_initializers"]

_MODEL_GRAPH = 7
_GRAPH_INITIALIZER = 5
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 8, 9
_FLOAT = 1


def read_initializers(path: str | Path) -> dict[str, NDArray[np.float32]]:
    """Return the float32 initializers of the main graph, by name.

    The file is a protocol buffer (``onnx.proto``: ModelProto.graph.initializer); arrays of
    other types, or not stored as raw bytes, are skipped.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not an ONNX file.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    try:
        for number, graph in _fields(memoryview(Path(path).read_bytes())):
            if number == _MODEL_GRAPH and isinstance(graph, memoryview):
                for part, tensor in _fields(graph):
                    if part == _GRAPH_INITIALIZER and isinstance(tensor, memoryview):
                        arrays.update(_array(tensor))
    except IndexError as error:
        raise ValueError("it ends in the middle of a field") from error
    return arrays


def _array(tensor: memoryview) -> dict[str, NDArray[np.float32]]:
    """Return one TensorProto as a dictionary of one array; empty for other types."""
    shape: list[int] = []
    name, kind, raw = "", 0, None
    for number, value in _fields(tensor):
        if isinstance(value, int):
            if number == _TENSOR_DIMS:
                shape.append(value)
            elif number == _TENSOR_TYPE:
                kind = value
        elif number == _TENSOR_DIMS:  # packed
            shape.extend(_varints(value))
        elif number == _TENSOR_NAME:
            name = bytes(value).decode()
        elif number == _TENSOR_RAW:
            raw = value
    if kind != _FLOAT or raw is None:
        return {}
    return {name: np.frombuffer(raw, dtype="<f4").astype(np.float32).reshape(shape)}


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the fields of a message: its number, and an integer or bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}; expected a protocol buffer")
        if at + size > len(data):
            raise IndexError
        yield number, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return an integer in groups of seven bits, lowest first, and its end."""
    result = shift = 0
    while True:
        byte = data[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value
