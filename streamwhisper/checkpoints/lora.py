"""Low-rank adapters (LoRA), merged into the weights on loading.

Follows "LoRA: Low-Rank Adaptation of Large Language Models" (Hu et al., 2021): a weight W
becomes W + s B A, with s = alpha / r, or alpha / sqrt(r) as in "A Rank Stabilization Scaling
Factor for Fine-Tuning with LoRA" (Kalajdzievski, 2023). The folder has the layout of Hugging Face's
PEFT: ``adapter_config.json`` and ``adapter_model.safetensors``, with Hugging Face's names of
Whisper's layers. Merged weights cost no time at inference.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from streamwhisper.checkpoints.checkpoint import Checkpoint, load_checkpoint
from streamwhisper.checkpoints.model_folder import read_json
from streamwhisper.checkpoints.safetensors_names import (
    huggingface_name,
    openai_name,
    read_safetensors,
)
from streamwhisper.errors import CheckpointError

__all__ = ["load_adapted", "merged"]

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_TENSOR = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")
_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
# Settings that change the formula, with the values that do not.
_PLAIN: Mapping[str, tuple[object, ...]] = {
    "use_dora": (None, False),
    "bias": (None, "none"),
    "lora_bias": (None, False),
    "modules_to_save": (None, []),
    "megatron_config": (None,),
    "layer_replication": (None, []),
    "trainable_token_indices": (None,),
    "use_qalora": (None, False),
    # Other initializations change the base weights.
    "init_lora_weights": (None, True, False, "gaussian", "eva", "orthogonal"),
}


@dataclass(frozen=True, slots=True)
class _Settings:
    """Settings of an adapter.

    Attributes:
        rank, alpha: values of all layers whose names match no pattern.
        rank_pattern, alpha_pattern: values by pattern, matched with the end of a layer's name.
        stabilised: divide alpha by the square root of the rank.
        transposed: the product of the two matrices is for weights ``[inputs, outputs]``.
    """

    rank: int
    alpha: float
    rank_pattern: Mapping[str, int]
    alpha_pattern: Mapping[str, float]
    stabilised: bool
    transposed: bool

    def scale(self, module: str) -> float:
        """Return the factor s of the layer `module`."""
        rank, alpha = self.rank_of(module), _matching(self.alpha_pattern, module, self.alpha)
        return alpha / (math.sqrt(rank) if self.stabilised else rank)

    def rank_of(self, module: str) -> int:
        """Return the rank r of the layer `module`."""
        return int(_matching(self.rank_pattern, module, self.rank))


def load_adapted(path: Path, adapter: Path | None) -> Checkpoint:
    """Read the checkpoint at `path`, and merge the adapter in a folder if given.

    Raises:
        CheckpointError: see `load_checkpoint` and `merged`.
    """
    checkpoint = load_checkpoint(path)
    return merged(checkpoint, adapter) if adapter else checkpoint


def merged(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """Return the checkpoint with the adapter in `folder` merged into its weights.

    Weights keep their types; the sum is computed in float32. The checkpoint is not changed.

    Raises:
        CheckpointError: the adapter cannot be read, is not plain LoRA, or does not fit.
    """
    settings = _settings(folder / CONFIG)
    state = dict(checkpoint.state)
    for module, a, b in _pairs(folder / WEIGHTS):
        name = openai_name(f"{module}.weight")
        weight = state.get(name)
        if weight is None or module.rpartition(".")[2] not in _TARGETS:
            raise CheckpointError(
                f"{folder} adapts {module!r}, which {checkpoint.name} lacks; expected layers "
                f"such as {huggingface_name('decoder.blocks.0.attn.query')!r}, ending in one of "
                f"{', '.join(_TARGETS)}"
            )
        rank, shapes = settings.rank_of(module), (list(a.shape), list(b.shape))
        outputs, inputs = reversed(weight.shape) if settings.transposed else weight.shape
        if shapes != ([rank, inputs], [outputs, rank]):
            raise CheckpointError(
                f"{folder} has matrices {shapes[0]} and {shapes[1]} for {module!r}; "
                f"{checkpoint.name} needs {[rank, inputs]} and {[outputs, rank]} with rank "
                f"{rank}; was it trained on another model?"
            )
        change = settings.scale(module) * (b.float() @ a.float())
        change = change.T if settings.transposed else change
        state[name] = (weight.float() + change).to(weight.dtype)
    return replace(checkpoint, state=state)


def _settings(path: Path) -> _Settings:
    config = read_json(path)
    if config.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{path} declares an adapter of type {config.get('peft_type')!r}; expected 'LORA'"
        )
    for field, plain in _PLAIN.items():
        if config.get(field) not in plain:
            raise CheckpointError(
                f"{path} sets {field!r} to {config[field]!r}, which cannot be merged; expected "
                "plain LoRA. Merge it with PEFT's merge_and_unload, and load the merged model"
            )
    rank, alpha = config.get("r"), config.get("lora_alpha")
    ranks, alphas = config.get("rank_pattern") or {}, config.get("alpha_pattern") or {}
    numbers: list[Any] = [rank, alpha, *_values(ranks, path), *_values(alphas, path)]
    if not all(isinstance(number, int | float) and number > 0 for number in numbers):
        raise CheckpointError(
            f"{path} has r = {rank!r}, lora_alpha = {alpha!r}, rank_pattern = {ranks!r}, "
            f"alpha_pattern = {alphas!r}; expected numbers above 0"
        )
    stabilised, transposed = config.get("use_rslora"), config.get("fan_in_fan_out")
    return _Settings(numbers[0], numbers[1], ranks, alphas, bool(stabilised), bool(transposed))


def _values(pattern: object, path: Path) -> list[object]:
    if not isinstance(pattern, dict):
        raise CheckpointError(f"{path} has the pattern {pattern!r}; expected names and numbers")
    for ending in pattern:
        try:
            re.compile(ending)
        except re.error as error:
            raise CheckpointError(
                f"{path} has the pattern {ending!r}: {error}; expected a regular expression"
            ) from error
    return list(pattern.values())


def _pairs(path: Path) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Yield each adapted layer's name, e.g. ``decoder.layers.0.fc1``, with its A and B."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in read_safetensors(path).items():
        match = _TENSOR.fullmatch(name)
        if match is None:
            raise CheckpointError(
                f"{path} has a tensor {name!r}; expected names that end in lora_A.weight or "
                "lora_B.weight"
            )
        module = match[1].removeprefix(_PREFIX).removeprefix("model.")
        found.setdefault(module, {})[match[2]] = tensor
    if not found:
        raise CheckpointError(f"{path} has no tensors; expected lora_A and lora_B of some layers")
    for module, pair in found.items():
        if len(pair) < 2:
            raise CheckpointError(
                f"{path} has only lora_{next(iter(pair))} for {module!r}; expected both matrices"
            )
        yield module, pair["A"], pair["B"]


def _matching(pattern: Mapping[str, float], module: str, usual: float) -> float:
    """Return the value of the first pattern that matches the end of a name, as in PEFT."""
    for ending, number in pattern.items():
        if re.fullmatch(rf"(.*\.)?({ending})", f"model.{module}"):
            return number
    return usual
