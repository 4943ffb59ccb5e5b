"""Files and declarations of a model folder in Hugging Face's layout.

``config.json`` has the sizes, ``generation_config.json`` the alignment heads, and
``added_tokens.json`` or ``tokenizer.json`` identify the vocabulary. The weights are in
``model.safetensors``, or in the shards that ``model.safetensors.index.json`` names. Folders of
CTranslate2 (``model.bin``, with alignment heads in ``config.json``) are supported as well. Does not
import torch. Source of the fields: ``configuration_whisper.py`` of Hugging Face's transformers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from streamwhisper.checkpoints.catalog import AlignmentHeads
from streamwhisper.errors import CheckpointError, ModelError

__all__ = [
    "ADDED_TOKENS",
    "CONFIG",
    "GENERATION_CONFIG",
    "INDEX",
    "TOKENIZER",
    "WEIGHTS",
    "declared_heads",
    "declared_sizes",
    "declared_vocabulary",
    "folder_of",
    "read_json",
    "refuse_to_overwrite",
    "shard_names",
    "weight_files",
]

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
ADDED_TOKENS = "added_tokens.json"
TOKENIZER = "tokenizer.json"
CTRANSLATE2 = "model.bin"
_ADAPTER = "adapter_config.json"

# Hugging Face's names of the sizes, and OpenAI's.
_SIZES = {
    "num_mel_bins": ("n_mels",),
    "max_source_positions": ("n_audio_ctx",),
    "d_model": ("n_audio_state", "n_text_state"),
    "encoder_attention_heads": ("n_audio_head",),
    "encoder_layers": ("n_audio_layer",),
    "vocab_size": ("n_vocab",),
    "max_target_positions": ("n_text_ctx",),
    "decoder_attention_heads": ("n_text_head",),
    "decoder_layers": ("n_text_layer",),
}
# Last token before the timestamps, and the number of tokens from it on.
_LAST_WORD = "<|notimestamps|>"
_FROM_LAST_WORD = 1502
# Never a path: an index is untrusted, and its files are downloaded and read.
_SHARD = re.compile(r"[A-Za-z0-9][\w.-]*\.safetensors")


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the weight files of the model in `folder`; all of them exist.

    Raises:
        CheckpointError: the folder has no weights, or shards are missing.
    """
    for name in (WEIGHTS, INDEX, CTRANSLATE2):
        if (folder / name).is_file():
            break
    else:
        hint = "; it is an adapter: load a model, and pass this folder as its adapter"
        raise CheckpointError(
            f"{folder} is a folder without a model: expected {WEIGHTS}, {INDEX} or {CTRANSLATE2}"
            + (hint if (folder / _ADAPTER).is_file() else "")
        )
    if name != INDEX:
        return (folder / name,)
    shards = [folder / shard for shard in shard_names(folder / INDEX)]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise CheckpointError(
            f"{folder} is incomplete: {', '.join(missing)} of {len(shards)} shards in {INDEX} "
            "missing. Download the whole folder"
        )
    return tuple(shards)


def refuse_to_overwrite(folder: Path, *, force: bool) -> None:
    """Check that a model can be written to `folder`.

    Raises:
        ModelError: `folder` is a file, or contains files and `force` is not set.
    """
    if folder.exists() and not folder.is_dir():
        raise ModelError(f"{folder} is a file; expected a folder or a new path")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise ModelError(
            f"{folder} already contains files; choose another folder, or replace them with --force"
        )


def shard_names(index: Path) -> tuple[str, ...]:
    """Return the sorted file names in a ``model.safetensors.index.json``.

    Raises:
        CheckpointError: the file is not an index, or names files outside its folder.
    """
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise CheckpointError(f"{index} has no 'weight_map'; expected file names by tensor name")
    names = set(map(str, where.values()))
    for name in names:
        if not _SHARD.fullmatch(name):
            raise CheckpointError(
                f"{index} names the file {name!r}; expected names such as "
                "'model-00001-of-00002.safetensors', without folders"
            )
    return tuple(sorted(names))


def folder_of(path: Path) -> Path | None:
    """Return the folder whose declarations belong to the weights at `path`, or None."""
    if path.is_dir():
        return path
    return path.parent if path.name in (WEIGHTS, CTRANSLATE2) else None


def declared_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes in the folder's ``config.json``, under OpenAI's names; maybe not all.

    Raises:
        CheckpointError: the file cannot be read, or does not declare a Whisper model.
    """
    path = folder / CONFIG
    if not path.is_file():
        return {}
    config = read_json(path)
    if config.get("model_type", "whisper") != "whisper":
        raise CheckpointError(
            f"{path} declares a model of type {config['model_type']!r}; expected 'whisper'"
        )
    sizes: dict[str, int] = {}
    for field, names in _SIZES.items():
        size = config.get(field)
        if size is None:
            continue
        if type(size) is not int or size < 1:
            raise CheckpointError(f"{path}: {field!r} is {size!r}; expected a positive integer")
        sizes |= dict.fromkeys(names, size)
    return sizes


def declared_heads(folder: Path) -> AlignmentHeads | None:
    """Return the declared alignment heads as (decoder layer, head) pairs, or None.

    Raises:
        CheckpointError: the file cannot be read, or does not contain pairs.
    """
    for name in (GENERATION_CONFIG, CONFIG):
        path = folder / name
        pairs = read_json(path).get("alignment_heads") if path.is_file() else None
        if not pairs:
            continue
        if not isinstance(pairs, list) or not all(map(_is_pair, pairs)):
            raise CheckpointError(
                f"{path}: 'alignment_heads' is {pairs!r}; expected pairs [layer, head]"
            )
        return tuple((layer, head) for layer, head in pairs)
    return None


def declared_vocabulary(folder: Path) -> int | None:
    """Return the size of the folder's Whisper vocabulary, or None if it is not declared.

    With added tokens or padding, a model has more embeddings.

    Raises:
        CheckpointError: a file cannot be read.
    """
    added = folder / ADDED_TOKENS
    places = read_json(added) if added.is_file() else {}
    whole = folder / TOKENIZER
    if _LAST_WORD not in places and whole.is_file():
        entries = read_json(whole).get("added_tokens")
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                places[str(entry.get("content"))] = entry.get("id")
    declared = folder / GENERATION_CONFIG
    if _LAST_WORD not in places and declared.is_file():
        places[_LAST_WORD] = read_json(declared).get("no_timestamps_token_id")
    place = places.get(_LAST_WORD)
    return place + _FROM_LAST_WORD if type(place) is int and place > 0 else None


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        CheckpointError: the file cannot be read, or is not a JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} contains {type(found).__name__}; expected a JSON object")
    return found


def _is_pair(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(n) is int and n >= 0 for n in value)
    )
