"""Names to verified files: a real server, real packages, real processes, no real network."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwhisper.checkpoints.catalog import KNOWN_MODELS, KnownModel
from streamwhisper.checkpoints.hub import HubOptions, list_models, remove, resolve
from streamwhisper.checkpoints.model_folder import WEIGHTS, weight_files
from streamwhisper.errors import ModelDownloadError, UnknownModelError
from tests.support.examples import examples
from tests.support.file_server import (
    CONTENT,
    Diary,
    FileServer,
    no_proxies_and_no_login,
    sha256,
)
from tests.support.hub import made_up_model, options_for


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    no_proxies_and_no_login(monkeypatch)


# --- OpenAI's address ----------------------------------------------------------------------


def test_a_model_is_fetched_once_and_then_served_from_the_cache(
    server: FileServer, tmp_path: Path
) -> None:
    options, diary = options_for(tmp_path, server.url), Diary()
    file = resolve("tiny.en", options=options, progress=diary)
    assert file == tmp_path / "cache" / "tiny.en.pt"
    assert file.read_bytes() == CONTENT
    assert diary.advances[-1] == (len(CONTENT), len(CONTENT))
    assert resolve("tiny.en", options=options) == file
    assert len(server.requests) == 1
    assert sorted(path.name for path in file.parent.iterdir() if path.suffix != ".lock") == [
        "tiny.en.pt",
        "tiny.en.pt.stamp",
    ]


@settings(max_examples=examples(15))
@given(cuts=st.lists(st.integers(1, len(CONTENT) // 4), max_size=3))
def test_wherever_the_connection_is_cut_the_file_comes_out_whole(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with FileServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        server.cuts = list(cuts)
        file = resolve("tiny.en", options=options_for(tmp_path_factory.mktemp("c"), server.url))
        server.shutdown()
        thread.join()
    assert file.read_bytes() == CONTENT
    begun = [int(r[2].removeprefix("bytes=").rstrip("-")) for r in server.requests if r[2]]
    assert begun == [sum(cuts[: n + 1]) for n in range(len(cuts))]


def test_a_later_call_goes_on_where_an_earlier_one_was_cut_off(
    server: FileServer, tmp_path: Path
) -> None:
    options = options_for(tmp_path, server.url)
    server.cuts = [1000, 0]  # the second try brings nothing, so the first call gives up
    with pytest.raises(ModelDownloadError, match="bytes are missing"):
        resolve("tiny.en", options=options)
    file = resolve("tiny.en", options=options)
    assert file.read_bytes() == CONTENT
    assert server.requests[-1][2] == "bytes=1000-"


def test_a_server_without_ranges_serves_from_the_beginning(
    server: FileServer, tmp_path: Path
) -> None:
    server.cuts, server.ranges = [1000], False
    file = resolve("tiny.en", options=options_for(tmp_path, server.url))
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"not the beginning of it", CONTENT, CONTENT + b"more"])
def test_whatever_part_was_left_behind_the_file_comes_out_whole(
    server: FileServer, tmp_path: Path, left: bytes
) -> None:
    options = options_for(tmp_path, server.url)
    options.cache_dir.mkdir()
    (options.cache_dir / "tiny.en.pt.part").write_bytes(left)
    assert resolve("tiny.en", options=options).read_bytes() == CONTENT


def test_a_file_of_another_hash_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    server.content = b"something else"
    options = options_for(tmp_path, server.url)
    with pytest.raises(ModelDownloadError, match=sha256(CONTENT)) as raised:
        resolve("tiny.en", options=options)
    assert sha256(b"something else") in str(raised.value)
    assert [path.name for path in options.cache_dir.iterdir() if path.suffix != ".lock"] == []


# --- the cache -----------------------------------------------------------------------------


def damage(file: Path, *, keep_time: bool = False) -> None:
    """Change one byte; the time of change moves by a known step, or not at all."""
    before = file.stat()
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    moved = 0 if keep_time else 1_000_000_000
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + moved))


def test_a_corrupt_file_is_found_by_its_hash_and_fetched_again(
    server: FileServer, tmp_path: Path
) -> None:
    options, diary = options_for(tmp_path, server.url), Diary()
    file = resolve("tiny.en", options=options)
    damage(file)
    assert resolve("tiny.en", options=options, progress=diary) == file
    assert file.read_bytes() == CONTENT
    assert f"{file} is corrupt" in diary.messages[0]
    assert len(server.requests) == 2


def test_a_corrupt_file_is_neither_used_nor_deleted_while_offline(
    server: FileServer, tmp_path: Path
) -> None:
    file = resolve("tiny.en", options=options_for(tmp_path, server.url))
    damage(file)
    with pytest.raises(ModelDownloadError, match="corrupt"):
        resolve("tiny.en", options=options_for(tmp_path, server.url, offline=True))
    assert file.exists()
    assert len(server.requests) == 1


def test_a_file_that_fits_its_stamp_is_not_read_again(server: FileServer, tmp_path: Path) -> None:
    options = options_for(tmp_path, server.url)
    file = resolve("tiny.en", options=options)
    damage(file, keep_time=True)  # only reading it all could tell
    assert resolve("tiny.en", options=options) == file
    assert len(server.requests) == 1


@pytest.mark.parametrize("stamp", [None, "", "[]", '{"sha256": 1}', "not json"])
def test_a_file_without_a_readable_stamp_is_hashed_and_stamped(
    server: FileServer, tmp_path: Path, stamp: str | None
) -> None:
    options = options_for(tmp_path, server.url, offline=True)
    options.cache_dir.mkdir()
    file = options.cache_dir / "tiny.en.pt"
    file.write_bytes(CONTENT)
    beside = file.with_name("tiny.en.pt.stamp")
    if stamp is not None:
        beside.write_text(stamp)
    assert resolve("tiny.en", options=options) == file
    assert json.loads(beside.read_text())["sha256"] == sha256(CONTENT)
    assert server.requests == []


def test_offline_asks_nobody(server: FileServer, tmp_path: Path) -> None:
    options = options_for(tmp_path, server.url, offline=True)
    with pytest.raises(ModelDownloadError, match=r"not in the cache .*OFFLINE is set"):
        resolve("tiny.en", options=options)
    assert server.requests == []


def test_a_cache_that_cannot_be_written_to_is_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ModelDownloadError, match="STREAMWHISPER_CACHE"):
        resolve("tiny.en", options=options_for(tmp_path, server.url))


# --- several sources -----------------------------------------------------------------------


def test_sources_are_asked_in_the_order_given(
    server: FileServer, tmp_path: Path, dead_url: str
) -> None:
    options = options_for(tmp_path, dead_url, server.url)
    assert [file.name for file in weight_files(resolve("tiny.en", options=options))] == [WEIGHTS]
    only = options_for(tmp_path / "other", server.url, server.url, sources=("huggingface",))
    assert resolve("tiny.en", options=only).name == "tiny.en"
    got = {path for method, path, *_ in server.requests if method == "GET"}
    assert got == {"/somebody/tiny.en/resolve/main/model.safetensors"}


# --- packages ------------------------------------------------------------------------------


# --- several processes ---------------------------------------------------------------------


# --- names, lists, removal -----------------------------------------------------------------


def test_a_path_to_a_file_is_returned_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.pt"
    file.write_bytes(b"anything")
    assert resolve(str(file), options=HubOptions(cache_dir=tmp_path / "cache")) == file
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["./nothing.pt", "nothing.safetensors", "some/where/x.bin"])
def test_a_path_to_nothing_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownModelError, match="does not exist"):
        resolve(name, options=HubOptions(cache_dir=tmp_path))


def test_a_folder_without_weights_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="is a folder"):
        resolve(str(tmp_path), options=HubOptions(cache_dir=tmp_path))


@pytest.mark.parametrize("name", ["tinyen", "", "a/b/c", "../tiny.en/x", "a b/c", "-x/y"])
def test_an_unknown_name_is_refused_before_anybody_is_asked(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownModelError):
        resolve(name, options=HubOptions(cache_dir=tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()


def test_an_alias_and_its_model_share_a_file(server: FileServer, tmp_path: Path) -> None:
    model = made_up_model(server.url)
    turbo = KnownModel(
        "large-v3-turbo", model.dims, (), model.openai_url, model.openai_sha256, "no/no", ()
    )
    options = options_for(tmp_path, server.url, catalog={"large-v3-turbo": turbo})
    assert resolve("turbo", options=options) == resolve("large-v3-turbo", options=options)
    assert len(server.requests) == 1


def test_listing_tells_what_is_cached(server: FileServer, tmp_path: Path) -> None:
    options = options_for(tmp_path, server.url)
    (before,) = list_models(options)
    assert (before.name, before.known, before.cached) == ("tiny.en", True, False)
    file = resolve("tiny.en", options=options)
    (after,) = list_models(options)
    assert (after.path, after.size, after.source) == (file, len(CONTENT), "openai")
    assert [status.name for status in list_models(HubOptions(cache_dir=tmp_path / "none"))] == [
        *KNOWN_MODELS
    ]


def test_removing_leaves_nothing_of_a_model(server: FileServer, tmp_path: Path) -> None:
    options = options_for(tmp_path, server.url)
    file = resolve("tiny.en", options=options)
    part = file.with_name("tiny.en.pt.part")
    part.write_bytes(b"unfinished")
    assert remove("tiny.en", options) == [file, part]
    assert [path for path in options.cache_dir.iterdir() if path.suffix != ".lock"] == []
    assert remove("tiny.en", options) == []
    assert remove("never/fetched", options) == []
    with pytest.raises(UnknownModelError):
        remove("tinyen", options)


@pytest.mark.parametrize(
    ("value", "offline"),
    [(None, False), ("", False), ("0", False), ("no", False), ("1", True), ("true", True)],
)
def test_the_environment_sets_offline_and_the_cache_folder(
    tmp_path: Path, value: str | None, offline: bool
) -> None:
    environment = {"STREAMWHISPER_CACHE": str(tmp_path)}
    if value is not None:
        environment["STREAMWHISPER_OFFLINE"] = value
    options = HubOptions.from_environment(environment)
    assert (options.offline, options.cache_dir) == (offline, tmp_path)
    assert HubOptions.from_environment({}) == HubOptions()
