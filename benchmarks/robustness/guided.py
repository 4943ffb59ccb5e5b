"""Coverage-guided fuzzing with atheris; stops at the first fault.

    python -m benchmarks guided --runs 20000

One run is one client's conversation with the native dialect and its decoders, in this process. A
fault is printed, and its input is saved as ``crash-…``; pass that file as an argument to
reproduce it.
"""

from __future__ import annotations

import argparse
import logging
import sys

import atheris

with atheris.instrument_imports(include=["streamwhisper"]):
    from benchmarks.robustness.strategies import containers, drive

STARTS = ('{"type":"start"}', '{"type":"start","encoding":"container"}')


def one(data: bytes) -> None:
    """One conversation; the bytes decide what is said."""
    source = atheris.FuzzedDataProvider(data)
    kind = source.ConsumeIntInRange(0, 2)
    said: list[str | bytes] = list(STARTS[kind : kind + 1])
    if kind == 1:
        whole = bytearray(source.PickValueInList(list(containers())))
        for _ in range(source.ConsumeIntInRange(0, 8)):
            at = source.ConsumeIntInRange(0, len(whole) - 1)
            whole[at : at + source.ConsumeIntInRange(0, 8)] = source.ConsumeBytes(8)
        said.append(bytes(whole))
    while source.remaining_bytes():
        size = source.ConsumeIntInRange(0, 200)
        text = source.ConsumeBool()
        said.append(source.ConsumeUnicode(size) if text else source.ConsumeBytes(size))
    drive(said)


def main() -> None:
    """Fuzz; does not return."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000, help="conversations")
    parser.add_argument("files", nargs="*", help="conversations that caused a fault before")
    flags = parser.parse_args()
    logging.disable()  # every damaged packet would be told of
    options = [f"-runs={flags.runs}", "-max_len=2000", "-rss_limit_mb=0"]
    atheris.Setup([sys.argv[0], *options, *flags.files], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
