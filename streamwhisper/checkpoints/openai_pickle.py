"""Reader of Whisper weights in OpenAI's ``.pt``, a pickle of plain tensors.

A pickle can run code; ``weights_only`` rejects everything except tensors and plain values.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from streamwhisper.checkpoints.mapped_file import MappedFile
from streamwhisper.errors import CheckpointError

__all__ = ["is_pickled", "read_pickled"]

_ZIP = b"PK\x03\x04"
_PICKLE = b"\x80"
_NUMBERS = re.compile(r"[^/]+/data/\d+")
# Fixed part of a zip entry; ends with the lengths of the variable parts.
_ENTRY_BYTES, _LENGTHS_AT = 30, 26
# Exceptions of torch.load for files that are damaged, foreign or contain forbidden objects.
_LOAD_ERRORS = (
    RuntimeError,
    pickle.UnpicklingError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
)


def is_pickled(start: bytes) -> bool:
    """Return whether a file that starts with these bytes can be from ``torch.save``."""
    return start.startswith((_ZIP, _PICKLE))


def read_pickled(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of the ``model_state_dict`` in `path`, on the CPU.

    Tensors in a zip archive, the format since torch 1.6, are mapped and read on first access.

    Raises:
        CheckpointError: the file is damaged, or is not an OpenAI checkpoint.
    """
    try:
        mapped = zipfile.is_zipfile(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except _LOAD_ERRORS as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"cannot read {path} as an OpenAI checkpoint of plain tensors: {reason}"
        ) from error
    state = loaded.get("model_state_dict") if isinstance(loaded, Mapping) else None
    if not isinstance(state, Mapping) or not all(
        isinstance(tensor, torch.Tensor) for tensor in state.values()
    ):
        raise CheckpointError(
            f"{path} contains {type(loaded).__name__} without 'model_state_dict'; expected an "
            "OpenAI Whisper checkpoint with 'dims' and 'model_state_dict'"
        )
    return _each_alone(dict(state), path) if mapped else dict(state)


def _each_alone(state: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors so that each can be freed separately; see `MappedFile`.

    torch maps the file as one piece, which stays until the last tensor is dropped. The positions
    of the tensors are read from the archive; if they do not match, torch's mapping is used.
    """
    starts = {name: tensor.untyped_storage().data_ptr() for name, tensor in state.items()}
    places = _places(path)
    if not places or len({*starts.values()}) != len(places) or len(state) != len(places):
        return state
    shift = min(starts.values()) - min(places)
    whole = all(tensor.is_contiguous() and not tensor.storage_offset() for tensor in state.values())
    if not whole or {start - shift for start in starts.values()} != places:
        return state
    mapped = MappedFile(path)
    return {
        name: mapped.tensor(starts[name] - shift, tensor.dtype, tuple(tensor.shape))
        for name, tensor in state.items()
    }


def _places(path: Path) -> set[int]:
    """Return the byte offsets of the tensors in an archive; none if it is compressed."""
    places = set()
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            for entry in archive.infolist():
                if not _NUMBERS.fullmatch(entry.filename):
                    continue
                if entry.compress_type != zipfile.ZIP_STORED:
                    return set()
                file.seek(entry.header_offset + _LENGTHS_AT)
                lengths = file.read(4)
                name, extra = lengths[:2], lengths[2:]
                following = int.from_bytes(name, "little") + int.from_bytes(extra, "little")
                places.add(entry.header_offset + _ENTRY_BYTES + following)
    except (OSError, ValueError, zipfile.BadZipFile):
        return set()
    return places
