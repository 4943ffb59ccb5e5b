"""Repositories of the Hugging Face hub: single files, shards, what belongs to them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from streamwhisper.checkpoints.checkpoint import load_checkpoint
from streamwhisper.checkpoints.hub import HubOptions, list_models, remove, resolve
from streamwhisper.checkpoints.model_folder import weight_files
from streamwhisper.errors import CheckpointError, ModelDownloadError, UnknownModelError
from tests.support.file_server import (
    CONTENT,
    Diary,
    FileServer,
    no_proxies_and_no_login,
)
from tests.support.made_up import (
    EVERY_SIZE,
    assert_equal,
    config_of,
    made_up,
    shrunk,
    write_hugging_face,
)

REPO = "someone/whisper-mine"
DIMS = shrunk(EVERY_SIZE["distil-large-v3"])
SECOND = "model-00002-of-00003.safetensors"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    no_proxies_and_no_login(monkeypatch)


def options_for(tmp_path: Path, server: FileServer, *, offline: bool = False) -> HubOptions:
    return HubOptions(
        cache_dir=tmp_path / "cache", offline=offline, huggingface_endpoint=server.url, catalog={}
    )


def offer(server: FileServer, folder: Path) -> None:
    """Serve the files of `folder`, and no others."""
    server.files = {f"/{file.name}": file.read_bytes() for file in folder.iterdir()}
    server.files["/"] = server.files[""] = None


def offered_shards(server: FileServer, tmp_path: Path) -> dict[str, torch.Tensor]:
    """Serve made-up weights in three shards; return them."""
    state = made_up(DIMS)
    folder = write_hugging_face(
        tmp_path / "origin", state, shards=3, config=config_of(DIMS), heads=[(1, 0)]
    )
    (folder / "added_tokens.json").write_text('{"<|notimestamps|>": 50364}')
    (folder / "tokenizer.json").write_text("{}")  # not needed beside the other
    offer(server, folder)
    return state


def got(server: FileServer) -> list[str]:
    """The names of the files that were asked for, but for their facts alone."""
    return [path.rpartition("/")[2] for method, path, *_ in server.requests if method == "GET"]


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.unlink()
    file.write_bytes(content)


def test_a_repository_is_fetched_once_and_listed(server: FileServer, tmp_path: Path) -> None:
    options = options_for(tmp_path, server)
    folder = resolve(REPO, options=options)
    assert folder == options.cache_dir / "someone--whisper-mine"
    assert [file.read_bytes() for file in weight_files(folder)] == [CONTENT]
    count = len(server.requests)
    assert resolve(REPO, options=options) == folder
    assert len(server.requests) == count
    [mine] = list_models(options)
    assert (mine.name, mine.known, mine.cached) == (REPO, False, True)
    assert (mine.path, mine.size, mine.source) == (folder, len(CONTENT), "huggingface")


def test_shards_and_declarations_come_from_one_commit(server: FileServer, tmp_path: Path) -> None:
    state = offered_shards(server, tmp_path)
    diary = Diary()
    checkpoint = load_checkpoint(
        resolve(REPO, options=options_for(tmp_path, server), progress=diary)
    )
    assert_equal(checkpoint.state, state)
    assert (checkpoint.dims, checkpoint.alignment_heads) == (DIMS, ((1, 0),))
    assert f"downloading {SECOND} (2 of 3)" in diary.messages
    commits = {path.split("/")[4] for _, path, *_ in server.requests}
    assert commits == {"main", "0" * 40}
    first = next(n for n, (_, path, *_) in enumerate(server.requests) if "/main/" not in path)
    assert all("/main/" not in path for _, path, *_ in server.requests[first:])


def test_a_later_call_goes_on_with_the_shard_where_an_earlier_one_stopped(
    server: FileServer, tmp_path: Path
) -> None:
    state = offered_shards(server, tmp_path)
    options = options_for(tmp_path, server)
    content, server.files[f"/{SECOND}"] = server.files[f"/{SECOND}"], None
    with pytest.raises(ModelDownloadError, match="404"):
        resolve(REPO, options=options)
    assert not (options.cache_dir / "someone--whisper-mine").exists()
    assert list_models(options) == []
    assert content is not None
    (options.cache_dir / "someone--whisper-mine.part" / f"{SECOND}.part").write_bytes(content[:99])
    server.files[f"/{SECOND}"] = content
    server.requests.clear()
    assert_equal(load_checkpoint(resolve(REPO, options=options)).state, state)
    assert "model-00001-of-00003.safetensors" not in got(server)
    resumed = [wanted for _, path, wanted, _ in server.requests if path.endswith(SECOND) and wanted]
    assert resumed == ["bytes=99-"]


def test_a_damaged_shard_alone_is_fetched_again(server: FileServer, tmp_path: Path) -> None:
    state = offered_shards(server, tmp_path)
    options, diary = options_for(tmp_path, server), Diary()
    folder = resolve(REPO, options=options)
    spoil(folder / SECOND)
    server.requests.clear()
    with pytest.raises(ModelDownloadError, match=f"corrupt: {SECOND}"):
        resolve(REPO, options=options_for(tmp_path, server, offline=True))
    assert_equal(load_checkpoint(resolve(REPO, options=options, progress=diary)).state, state)
    assert SECOND in diary.messages[0]
    assert [name for name in got(server) if name.startswith("model-")] == [SECOND]


def test_a_shard_that_is_missing_from_the_cache_is_fetched_again(
    server: FileServer, tmp_path: Path
) -> None:
    state = offered_shards(server, tmp_path)
    options = options_for(tmp_path, server)
    (resolve(REPO, options=options) / SECOND).unlink()
    assert_equal(load_checkpoint(resolve(REPO, options=options)).state, state)


def test_what_an_earlier_commit_left_behind_is_deleted(server: FileServer, tmp_path: Path) -> None:
    offered_shards(server, tmp_path)
    options = options_for(tmp_path, server)
    left = options.cache_dir / "someone--whisper-mine.part"
    left.mkdir(parents=True)
    (left / "model-00001-of-00002.safetensors").write_bytes(b"old")
    names = {path.name for path in resolve(REPO, options=options).iterdir()}
    assert "model-00001-of-00002.safetensors" not in names
    offered = {path.name for path in (tmp_path / "origin").iterdir()}
    assert {name for name in names if not name.endswith(".stamp")} == offered - {"tokenizer.json"}


def test_an_index_that_names_files_elsewhere_is_refused(server: FileServer, tmp_path: Path) -> None:
    index = json.dumps({"weight_map": {"a": "../../x.safetensors"}})
    server.files = {"/model.safetensors": None, "index.json": index.encode(), ".json": None}
    with pytest.raises(ModelDownloadError, match="without folders"):
        resolve(REPO, options=options_for(tmp_path, server))
    assert all("x.safetensors" not in name for name in got(server))


def test_removing_leaves_nothing_of_a_repository(server: FileServer, tmp_path: Path) -> None:
    offered_shards(server, tmp_path)
    options = options_for(tmp_path, server)
    folder = resolve(REPO, options=options)
    part = folder.with_name(f"{folder.name}.part")
    part.mkdir()
    assert remove(REPO, options) == [folder, part]
    assert [path for path in options.cache_dir.iterdir() if path.suffix != ".lock"] == []


def test_a_missing_repository_is_said(server: FileServer, tmp_path: Path) -> None:
    server.status = 404
    with pytest.raises(ModelDownloadError, match=r"huggingface: nobody/nothing .*404"):
        resolve("nobody/nothing", options=options_for(tmp_path, server))


def test_a_hub_that_cannot_be_reached_leaves_nothing_behind(tmp_path: Path, dead_url: str) -> None:
    options = HubOptions(cache_dir=tmp_path, huggingface_endpoint=dead_url, catalog={})
    with pytest.raises(ModelDownloadError, match="huggingface: someone/whisper-mine cannot"):
        resolve(REPO, options=options)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_of_ones_own_is_returned_as_it_is(tmp_path: Path) -> None:
    folder = write_hugging_face(tmp_path / "mine", made_up(DIMS), shards=2)
    options = HubOptions(cache_dir=tmp_path / "cache")
    assert resolve(str(folder), options=options) == folder
    assert not options.cache_dir.exists()
    (folder / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(UnknownModelError, match="model-00001-of-00002"):
        resolve(str(folder), options=options)


def test_a_file_that_is_no_checkpoint_is_said_when_it_is_loaded(
    server: FileServer, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match="not a Whisper checkpoint"):
        load_checkpoint(resolve(REPO, options=options_for(tmp_path, server)))
