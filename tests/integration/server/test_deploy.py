"""The files in deploy/ are what their readers expect."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from streamwhisper.server.access.keys import read_keys
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.app import DEFAULT_PORT, ServerOptions
from tests.support.paths import DEPLOY
from tests.support.serve_command import settings

UNIT = (DEPLOY / "streamwhisper.service").read_text(encoding="utf-8")
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a command that is there."""
    file = tmp_path / "streamwhisper.service"
    file.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", UNIT))
    return file


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_systemd_finds_no_fault_in_the_unit(unit):
    shown = systemd_analyze("verify", str(unit))
    assert (shown.returncode, shown.stderr) == (0, "")


def test_the_unit_is_shut_off_from_the_rest_of_the_machine(unit):
    shown = systemd_analyze("security", "--offline=true", "--threshold=20", str(unit))
    assert shown.returncode == 0, shown.stdout[-300:]


def test_systemd_waits_longer_than_the_server_takes_to_stop():
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(seconds) > Limits().drain_timeout + ServerOptions().commit_timeout


def test_the_linter_finds_no_fault_in_the_dockerfile():
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("no hadolint")
    shown = subprocess.run(
        [linter, str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stdout) == (0, "")


def test_the_image_runs_as_nobody_keeps_its_models_and_knows_how_it_is():
    instructions = re.findall(r"^([A-Z]+)\s+(.*)", DOCKERFILE, re.MULTILINE)
    last = dict(
        instructions[max(i for i, (name, _) in enumerate(instructions) if name == "FROM") :]
    )
    assert last["USER"].isdigit()
    assert int(last["USER"]) > 0
    assert last["VOLUME"] in DOCKERFILE.split("STREAMWHISPER_CACHE=")[1].split()[0]
    assert "HEALTHCHECK" in last
    assert last["CMD"] == '["serve"]'


def test_the_image_is_built_from_all_that_the_wheel_contains():
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    admitted = (DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for folder in wheel["only-include"]:
        assert f"!{folder}" in admitted
        assert f"COPY {folder} ./{folder}" in DOCKERFILE


def test_the_settings_and_the_keys_are_read_as_they_stand():
    file = DEPLOY / "serve.toml"
    found, sources = settings("--config", str(file))
    written = tomllib.loads(file.read_text(encoding="utf-8"))
    assert {name: found[name] for name in written} == written
    assert all(sources[name] == str(file) for name in written)
    [key] = read_keys(DEPLOY / "keys.toml", Quota())
    assert key.quota == Quota(sessions=2, session_seconds=7200)


CLUSTER_UNITS = ["streamwhisper-node.service", "streamwhisper-gateway.service"]


def test_systemd_finds_no_fault_in_the_units_of_a_cluster(tmp_path):
    """Both at once, as one names the other."""
    for name in CLUSTER_UNITS:
        text = (DEPLOY / name).read_text(encoding="utf-8")
        text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={sys.executable}", text)
        (tmp_path / name).write_text(text)
    shown = systemd_analyze("verify", *(str(tmp_path / name) for name in CLUSTER_UNITS))
    assert (shown.returncode, shown.stderr) == (0, "")


@pytest.mark.parametrize("name", CLUSTER_UNITS)
def test_the_units_of_a_cluster_are_shut_off_from_the_rest_of_the_machine(name):
    shown = systemd_analyze("security", "--offline=true", "--threshold=20", str(DEPLOY / name))
    assert shown.returncode == 0, shown.stdout[-300:]


def test_the_manifest_names_what_there_is():
    """Its application, its arguments, and the ports that are probed."""
    manifest = {
        document["kind"]: document
        for document in yaml.safe_load_all((DEPLOY / "rayservice.yaml").read_text(encoding="utf-8"))
    }
    spec = manifest["RayService"]["spec"]
    [application] = yaml.safe_load(spec["serveConfigV2"])["applications"]
    module, _, function = application["import_path"].partition(":")
    tree = ast.parse(source(module))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    known = fields_of(tree, "Scale") | fields_of(
        ast.parse(source("streamwhisper.cluster.worker")), "WorkerOptions"
    )
    assert set(application["args"]) <= known
    groups = spec["rayClusterConfig"]["workerGroupSpecs"]
    gateway = groups[1]["template"]["spec"]["containers"][1]
    assert application["name"] == f"streamwhisper.{gateway['command'][-1]}"
    assert gateway["ports"] == [{"containerPort": DEFAULT_PORT}]
    assert gateway["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": DEFAULT_PORT}


def source(module: str) -> str:
    """Of a module that needs Ray to be imported."""
    return (DEPLOY.parent / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


def fields_of(tree: ast.Module, name: str) -> set[str]:
    """The fields of a dataclass."""
    [found] = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
    return {
        node.target.id
        for node in found.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
