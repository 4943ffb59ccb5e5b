"""Reader of Whisper weights in CTranslate2's ``model.bin``.

The file (binary version 6, little-endian): u32 version; string name of the model's
specification; u32 revision; u32 count of variables; for each a string name, u8 rank, u32 per
dimension, u8 type, u32 bytes and the data; u32 count of aliases, each two strings. A string is
a u16 length, including the NUL, and the bytes. Equal variables are stored once; the others are
aliases. Source: ``model_spec.py`` of CTranslate2.
"""

from __future__ import annotations

import io
import math
import os
import re
import struct
from pathlib import Path

import numpy as np
import torch

from streamwhisper.errors import CheckpointError

__all__ = ["is_ctranslate2", "read_ctranslate2"]

_VERSION = 6
_SPECIFICATION = b"WhisperSpec\0"
_SIGNATURE = struct.pack("<IH", _VERSION, len(_SPECIFICATION)) + _SPECIFICATION
_EMBEDDINGS = "decoder/embeddings/weight"
_PROJECTION = "decoder/projection/weight"
_BFLOAT16 = 5
_TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2", _BFLOAT16: "<i2"}

# Parts of a variable's name inside a layer, and the tensor or stacked tensors that it holds.
_LAYER = {
    "self_attention/layer_norm": ("attn_ln",),
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "self_attention/linear_1": ("attn.out",),
    "attention/layer_norm": ("cross_attn_ln",),
    "attention/linear_0": ("cross_attn.query",),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
    "attention/linear_2": ("cross_attn.out",),
    "ffn/layer_norm": ("mlp_ln",),
    "ffn/linear_0": ("mlp.0",),
    "ffn/linear_1": ("mlp.2",),
}
_OUTSIDE_LAYERS = {
    "encoder/conv1/weight": "encoder.conv1.weight",
    "encoder/conv1/bias": "encoder.conv1.bias",
    "encoder/conv2/weight": "encoder.conv2.weight",
    "encoder/conv2/bias": "encoder.conv2.bias",
    "encoder/position_encodings/encodings": "encoder.positional_embedding",
    "encoder/layer_norm/gamma": "encoder.ln_post.weight",
    "encoder/layer_norm/beta": "encoder.ln_post.bias",
    _EMBEDDINGS: "decoder.token_embedding.weight",
    "decoder/position_encodings/encodings": "decoder.positional_embedding",
    "decoder/layer_norm/gamma": "decoder.ln.weight",
    "decoder/layer_norm/beta": "decoder.ln.bias",
}
_LAYER_NAME = re.compile(r"(encoder|decoder)/layer_(\d+)/(.+)/(weight|bias|gamma|beta)")
_LEAF = {"gamma": "weight", "beta": "bias"}


class _ModelReader:
    """Sequential reader of a file; reading past the end raises `CheckpointError`."""

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self.path = path
        self.size = os.fstat(file.fileno()).st_size
        self.offset = 0
        self._file = file

    def take(self, size: int) -> bytearray:
        end = self.offset + size
        if end > self.size:
            raise CheckpointError(
                f"{self.path} is cut short: it has {self.size} bytes; expected at least {end}. "
                "Download it again"
            )
        # Not mapped: mapped pages would stay in memory beside the converted weights.
        self.offset = end
        taken = bytearray(size)
        self._file.readinto(taken)
        return taken

    def unsigned(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def string(self) -> str:
        raw = self.take(self.unsigned(2))
        return raw.removesuffix(b"\0").decode("utf-8", "backslashreplace")


def is_ctranslate2(start: bytes) -> bool:
    """Return whether a file that starts with these bytes (at least 24) is CTranslate2's Whisper."""
    return start.startswith(_SIGNATURE)


def read_ctranslate2(path: Path) -> dict[str, torch.Tensor]:
    """Read `path` into tensors under OpenAI's names, in the types of the file.

    Integers of 8 and 16 bits have scales and are converted to float32.

    Raises:
        CheckpointError: the file is damaged, or is not a Whisper model.
    """
    with path.open("rb") as file:
        variables = _read_variables(_ModelReader(path, file))
    projection = variables.pop(_PROJECTION, None)
    embeddings = variables.get(_EMBEDDINGS)
    if projection is not None and (embeddings is None or not embeddings.equal(projection)):
        raise CheckpointError(
            f"{path} has an output projection that differs from its token embeddings"
        )
    # Variables of rank 0 are settings; scales belong to their weights.
    scales = {name: variables.pop(name) for name in [*variables] if name.endswith("_scale")}
    names = [name for name, variable in variables.items() if variable.ndim]
    state: dict[str, torch.Tensor] = {}
    for name in names:
        variable = variables.pop(name)  # frees the integers once they are converted
        targets = _openai_names(name)
        if not targets:
            raise CheckpointError(
                f"{path} has an unknown variable {name!r}; expected an "
                "unmodified conversion of a Whisper checkpoint"
            )
        if variable.shape[0] % len(targets):
            raise CheckpointError(
                f"{path}: {name!r} has shape {list(variable.shape)}, which does not split into "
                f"{len(targets)} equal parts"
            )
        tensor = _dequantised(name, variable, scales.get(f"{name}_scale"), path)
        parts = zip(targets, tensor.tensor_split(len(targets)), strict=True)
        # A bias on the keys adds a constant to all scores of a query, which softmax ignores.
        # Whisper has none, and the converter writes zeros.
        state.update((name, part) for name, part in parts if not name.endswith(".key.bias"))
    return state


def _openai_names(name: str) -> tuple[str, ...]:
    if name in _OUTSIDE_LAYERS:
        return (_OUTSIDE_LAYERS[name],)
    match = _LAYER_NAME.fullmatch(name)
    if match is None:
        return ()
    wing, layer, inside, leaf = match.groups()
    leaf = _LEAF.get(leaf, leaf)
    return tuple(f"{wing}.blocks.{layer}.{part}.{leaf}" for part in _LAYER.get(inside, ()))


def _read_variables(reader: _ModelReader) -> dict[str, torch.Tensor]:
    path = reader.path
    version, specification, _ = reader.unsigned(4), reader.string(), reader.unsigned(4)
    if (version, f"{specification}\0".encode()) != (_VERSION, _SPECIFICATION):
        raise CheckpointError(
            f"{path} is a CTranslate2 file of version {version} and kind {specification!r}; "
            f"expected version {_VERSION} and kind 'WhisperSpec'"
        )
    variables = {}
    for _ in range(reader.unsigned(4)):
        name = reader.string()
        shape = tuple(reader.unsigned(4) for _ in range(reader.unsigned(1)))
        kind, size = reader.unsigned(1), reader.unsigned(4)
        if kind not in _TYPES:
            raise CheckpointError(
                f"{path}: {name!r} has the unknown type {kind}; expected one of {sorted(_TYPES)}"
            )
        dtype = np.dtype(_TYPES[kind])
        if size != math.prod(shape) * dtype.itemsize:
            raise CheckpointError(
                f"{path}: {name!r} has {size} bytes for shape {list(shape)} of {dtype.name}; "
                f"expected {math.prod(shape) * dtype.itemsize}; the file is damaged"
            )
        tensor = torch.from_numpy(np.frombuffer(reader.take(size), dtype).reshape(shape))
        variables[name] = tensor.view(torch.bfloat16) if kind == _BFLOAT16 else tensor
    aliases = {}
    for _ in range(reader.unsigned(4)):
        alias = reader.string()
        aliases[alias] = reader.string()
    for alias, name in aliases.items():
        if name not in variables:
            raise CheckpointError(
                f"{path} is damaged: {alias!r} is an alias of {name!r}, which is missing"
            )
        variables[alias] = variables[name]
        if f"{name}_scale" in variables:
            variables[f"{alias}_scale"] = variables[f"{name}_scale"]
    if reader.offset != reader.size:
        raise CheckpointError(
            f"{path} is damaged: it has {reader.size - reader.offset} bytes after its end"
        )
    return variables


def _dequantised(
    name: str, variable: torch.Tensor, scale: torch.Tensor | None, path: Path
) -> torch.Tensor:
    """Undo ``round(weight * scale)``: one scale for each row, or one for all."""
    if variable.dtype.is_floating_point:
        return variable
    if scale is None or scale.numel() not in (1, variable.shape[0]):
        raise CheckpointError(
            f"{path}: {name!r} holds {variable.dtype} without a scale for each of its "
            f"{variable.shape[0]} rows; expected floating point, or integers with scales"
        )
    return variable.float() / scale.float().reshape(-1, *[1] * (variable.ndim - 1))
