"""Reading Whisper weights from OpenAI's ``.pt``: a pickle of plain tensors, and nothing else.

A pickle could run code; ``weights_only`` refuses all that is not a tensor or a plain value.
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
# Of an entry of a zip archive: its fixed part, which ends with the lengths of what follows it.
_ENTRY_BYTES, _LENGTHS_AT = 30, 26
# What torch.load raises on files that are damaged, foreign or hold forbidden objects.
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
    """Whether a file that starts with these bytes may be what ``torch.save`` writes."""
    return start.startswith((_ZIP, _PICKLE))


def read_pickled(path: Path) -> dict[str, torch.Tensor]:
    """Read `path` into the tensors of its ``model_state_dict``, on the CPU.

    In a zip archive, as torch writes them since 1.6, they are mapped: nothing is read before it
    is needed.

    Raises:
        CheckpointError: the file is damaged, or holds something else.
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
            f"{path} holds {type(loaded).__name__} without 'model_state_dict'; expected an "
            "OpenAI Whisper checkpoint with 'dims' and 'model_state_dict'"
        )
    return _each_alone(dict(state), path) if mapped else dict(state)


def _each_alone(state: dict[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """The same tensors, each of which can be let go by itself; see `MappedFile`.

    torch maps the file as one piece, which stays until the last tensor is dropped. Where each
    tensor lies follows from the archive; if the two do not agree, torch's mapping serves.
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
    """Where the numbers of each tensor begin in an archive; none where it is not plain."""
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
