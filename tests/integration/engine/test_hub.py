"""Names to verified files: a real server, real packages, real processes, no real network."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.support.file_server import CONTENT, FileServer, no_proxies_and_no_login, sha256


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
    assert waits.wait(60)
    server.release.set()
    assert [process.wait(60) for process in running] == [0, 0]
    for thread in threads:
        thread.join()
    file = tmp_path / "cache" / "tiny.en.pt"
    assert [said[-1] for said in lines] == [f"file {file}"] * 2
    assert file.read_bytes() == CONTENT
    assert Counter(method for method, *_ in server.requests) == {"GET": 1}
