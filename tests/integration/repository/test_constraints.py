"""constraints.txt resolves for every supported system, Python and build of torch.

Nothing is installed: only the metadata of packages is downloaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.index

CONSTRAINTS = ROOT / "constraints.txt"
TORCH = "2.13.0"
EXTRAS = ["cluster", "dictation", "rest", "tls", "zeroconf"]
SYSTEMS = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def uv() -> str:
    """The path of uv, if the package index answers it."""
    found = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("uv is not installed; run: pip install uv")
    probe = [found, "pip", "compile", "-q", "--no-deps", "-"]
    try:
        ended = subprocess.run(
            probe, input="six", capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the package index does not answer")
    if ended.returncode:
        pytest.skip(f"the package index cannot be reached: {ended.stderr.strip()[-200:]}")
    return found


def resolve(uv: str, system: str, python: str, *flags: str) -> dict[str, str]:
    """Resolve the package and its extras from wheels; return the version of each package."""
    command = [uv, "pip", "compile", "-q", "--no-annotate", "--no-header", "--strip-extras"]
    command += ["--only-binary", ":all:", "-c", str(CONSTRAINTS), *flags]
    command += ["--python-platform", SYSTEMS[system], "--python-version", python]
    command += [flag for extra in EXTRAS for flag in ("--extra", extra)]
    ended = subprocess.run(
        [*command, str(ROOT / "pyproject.toml")],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        # av has no wheels for older versions of macOS.
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"},
    )
    assert ended.returncode == 0, ended.stderr
    return dict(PIN.findall(ended.stdout))


@pytest.fixture(scope="module")
def resolved(uv: str) -> dict[tuple[str, str], Future[dict[str, str]]]:
    """The resolution for each system and Python: at once, as each mostly waits for the index."""
    with ThreadPoolExecutor(len(PYTHONS) * len(SYSTEMS)) as pool:
        return {
            (system, python): pool.submit(resolve, uv, system, python)
            for system in SYSTEMS
            for python in PYTHONS
        }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_it_resolves_everywhere(
    resolved: dict[tuple[str, str], Future[dict[str, str]]], system: str, python: str
) -> None:
    versions = resolved[system, python].result()
    assert versions["torch"] == TORCH
    pinned = dict(PIN.findall(CONSTRAINTS.read_text(encoding="utf-8")))
    own = {name for name in versions if name.startswith(("cuda-", "nvidia-"))}
    assert {name for name, version in versions.items() if pinned.get(name) != version} == own
    assert bool(own) == system.startswith("linux")


@pytest.mark.parametrize("system", ["linux-x86_64", "linux-aarch64"])
def test_a_cpu_build_of_torch_brings_no_cuda(uv: str, system: str, tmp_path: Path) -> None:
    """CPU builds have a local version and do without the packages that CUDA builds require."""
    cpu = f"{TORCH}+cpu"
    with zipfile.ZipFile(tmp_path / f"torch-{cpu}-py3-none-any.whl", "w") as wheel:
        about = f"torch-{cpu}.dist-info"
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {cpu}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    versions = resolve(uv, system, "3.12", "--find-links", str(tmp_path))
    assert versions["torch"] == cpu
    assert not [name for name in versions if name.startswith(("cuda-", "nvidia-", "triton"))]


def test_each_package_is_pinned_once() -> None:
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins == sorted(pins)
    names = [match[1] for line in pins if (match := PIN.fullmatch(line))]
    assert len(names) == len(pins) == len(set(names))
    assert not [name for name in names if name.startswith(("cuda-", "nvidia-"))]
