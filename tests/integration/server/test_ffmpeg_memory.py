from __future__ import annotations

import subprocess
import sys

# In a process of its own, since the limit holds for the whole process.
PROGRAM = """
import contextlib, io, resource, sys
from benchmarks.robustness.bombs import mp4_bomb
from streamwhisper.audio.container import decode_container
from streamwhisper.audio.ffmpeg import limit_allocations
from streamwhisper.errors import AudioFormatError

assert limit_allocations(64 * 1024 * 1024)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with contextlib.suppress(AudioFormatError):  # it may also count as an empty recording
    assert not list(decode_container(io.BytesIO(mp4_bomb(60_000_000)), 16_000, live=True))
unit = 1024 if sys.platform == "darwin" else 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // unit // 1024)
"""


def test_an_index_of_sixty_million_entries_in_600_bytes_takes_no_memory():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) < 70  # MB; without the limit, 2,100
