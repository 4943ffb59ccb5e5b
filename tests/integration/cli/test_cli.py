from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from streamwhisper import __version__
from streamwhisper.audio.files import write_wav
from streamwhisper.checkpoints.checkpoint import load_checkpoint
from tests.support.command import SAMPLE, SPOKEN, START
from tests.support.made_up import EVERY_SIZE, assert_equal, made_up, shrunk, write_hugging_face
from tests.support.transcripts import letters

COMMANDS = [
    "serve",
    "mic",
    "stream",
    "transcribe",
    "models",
    "models pull",
    "models path",
    "models convert",
]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "STREAMWHISPER_OFFLINE": "1", "TERM": "dumb", **environment},
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_shown_without_importing_torch_or_numpy(command):
    code = (
        "import sys\n"
        "from streamwhisper.cli.main import app\n"
        "try: app()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'numpy', 'websockets', 'huggingface_hub'} & set(sys.modules)\n"
        "sys.exit(code or str(heavy) if heavy or code else 0)"
    )
    arguments = [sys.executable, "-c", code, *command.split(), "--help"]
    shown = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    assert "Usage" in shown.stdout


def test_the_version_is_that_of_the_package():
    assert run("--version").stdout == f"streamwhisper {__version__}\n"


def test_the_package_runs_as_a_module():
    shown = subprocess.run(
        [sys.executable, "-m", "streamwhisper", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"streamwhisper {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["listen"],
        ["stream"],
        ["stream", "no-such-file.wav"],
        ["serve", "--endpoint", "never"],
    ],
)
def test_wrong_usage_exits_with_2(arguments):
    shown = run(*arguments)
    assert shown.returncode == 2
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    "command", [["serve"], ["stream", str(SAMPLE)], ["transcribe", str(SAMPLE)]]
)
def test_an_unknown_model_is_one_line_on_stderr_and_wrong_usage(command):
    shown = run(*command, "--model", "tiny.enn")
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert shown.stderr.startswith("error: unknown model 'tiny.enn': did you mean tiny.en")
    assert shown.stderr.count("\n") == 1


def test_a_model_that_is_not_cached_is_not_fetched_offline(tmp_path):
    shown = run("models", "path", "tiny.en", STREAMWHISPER_CACHE=str(tmp_path))
    assert shown.returncode == 1
    assert "not in the cache" in shown.stderr


def test_a_server_that_is_not_there_is_an_error():
    shown = run("stream", str(SAMPLE), "--url", "ws://127.0.0.1:1/v1/stream")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: cannot connect to ws://127.0.0.1:1/v1/stream")


def test_models_as_json_are_one_object_a_line(tmp_path):
    shown = run("models", "--json", STREAMWHISPER_CACHE=str(tmp_path))
    models = [json.loads(line) for line in shown.stdout.splitlines()]
    assert {"tiny.en", "base", "large-v3-turbo"} <= {model["name"] for model in models}
    assert all(model["path"] is None for model in models)


def test_models_are_listed_for_people_without_colours(tmp_path):
    shown = run("models", STREAMWHISPER_CACHE=str(tmp_path))
    assert "tiny.en" in shown.stdout
    assert "\x1b" not in shown.stdout


def test_a_cached_model_has_a_path(tiny_en_path):
    assert run("models", "path", "tiny.en").stdout == f"{tiny_en_path}\n"


def test_a_model_is_converted_once_and_overwritten_only_with_force(tmp_path):
    dims = shrunk(EVERY_SIZE["distil-large-v3"])
    state = made_up(dims)
    model = write_hugging_face(tmp_path / "model", state, shards=2, heads=[(1, 0)])
    out = tmp_path / "out"
    assert run("models", "convert", str(model), str(out)).stdout == f"{out}\n"
    converted = load_checkpoint(out)
    assert converted.alignment_heads == ((1, 0),)
    assert_equal(converted.state, state)
    refused = run("models", "convert", "no-such-model", str(out))
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"error: {out} already contains files")
    assert run("models", "convert", str(model), str(out), "--force").returncode == 0


def test_an_adapter_is_merged_into_what_is_converted_or_refused(tmp_path):
    model = write_hugging_face(tmp_path / "model", made_up(shrunk(EVERY_SIZE["tiny.en"])))
    for command in (["models", "convert", str(model), str(tmp_path / "out")], ["serve"]):
        chosen = [] if "convert" in command else ["--model", str(model), "--port", "0"]
        shown = run(*command, *chosen, "--adapter", str(tmp_path / "none"))
        assert shown.returncode == 1
        *log, error = shown.stderr.splitlines()
        assert error.startswith(f"error: cannot read {tmp_path / 'none'}")
        assert all("INFO" in line for line in log)
    layer = "base_model.model.model.decoder.layers.0.fc1"
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 2}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    ones = {
        f"{layer}.lora_A.weight": torch.ones(1, 64),
        f"{layer}.lora_B.weight": torch.ones(256, 1),
    }
    save_file(ones, adapter / "adapter_model.safetensors")
    run("models", "convert", str(model), str(tmp_path / "out"), "--adapter", str(adapter))
    name = "decoder.blocks.0.mlp.0.weight"
    before, after = (
        load_checkpoint(model).state[name],
        load_checkpoint(tmp_path / "out").state[name],
    )
    assert torch.equal(after, before + 2)


def test_removing_a_model_that_is_not_there_says_so(tmp_path):
    shown = run("models", "remove", "tiny.en", STREAMWHISPER_CACHE=str(tmp_path))
    assert shown.stdout == "tiny.en is not in the cache\n"


def test_stream_as_json_says_every_event_and_is_done_last(tiny_en_path):
    shown = run("stream", str(SAMPLE), "--json", "--speed", "8", "--threads", "1")
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "done"
    committed = "".join(event["text"] for event in events if event["type"] == "committed")
    assert letters(committed) == letters(SPOKEN.read_text())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["stream", str(SAMPLE), "--languages", "en,de"],
            2,
            'error: language is "de", but .*only supports English',
        ),
        (["stream", str(SAMPLE), "--task", "translate"], 1, 'task is "translate", but .*English'),
        (["serve", "--languages", "en,xx"], 2, "unknown language 'xx'"),
        (["serve", "--port", "0", "--languages", "en,de"], 2, 'language is "de", but .*English'),
        (
            ["serve", "-m", "base", "--port", "0", "--languages", "yue,en"],
            2,
            r"base does not know Cantonese \(yue\)",
        ),
    ],
)
def test_a_language_that_cannot_be_is_one_line_on_stderr(
    tiny_en_path, base_path, arguments, code, said
):
    shown = run(*arguments)
    assert shown.returncode == code
    assert re.search(said, shown.stderr.replace("\n", " "))
    assert len(re.findall(said, shown.stderr)) <= 1
    assert "Traceback" not in shown.stderr


def test_a_served_stream_is_shown_as_plain_text_and_ctrl_c_stops_the_server(tiny_en_path):
    with start("serve", "--port", "0", "--threads", "1") as server:
        url = server.stdout.readline().split()[-1]
        shown = run("stream", str(SAMPLE), "--url", url, "--speed", "8")
        server.send_signal(signal.SIGINT)
        _, log = server.communicate(timeout=240)
    assert letters(shown.stdout) == letters(SPOKEN.read_text())
    assert "\x1b" not in shown.stdout
    assert server.returncode == 0  # it was asked to stop, and lost nothing
    assert "Traceback" not in log


def test_ctrl_c_ends_a_stream_with_130_and_without_a_traceback(tiny_en_path):
    with start("stream", str(SAMPLE), "--json", "--threads", "1") as process:
        process.stdout.readline()  # it listens
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=240)
    assert process.returncode == 130
    assert complaint == ""


def test_a_batch_goes_on_after_text_that_the_console_cannot_write(base_path, speech):
    japanese = speech.folder / speech.clip("picovoice-leopard/test_ja")["path"]
    english = speech.folder / speech.clip("misc-en/jfk")["path"]
    given = {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    shown = run("transcribe", str(japanese), str(english), "-m", "base", "--json", **given)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\\u7684" in shown.stdout
    first, second = (json.loads(line)["text"] for line in shown.stdout.splitlines())
    assert "的" in first
    assert "ask not what your country" in second


def test_stream_says_that_nobody_speaks(tiny_en_path, tmp_path):
    silence = tmp_path / "silence.wav"
    write_wav(silence, np.zeros(16_000, np.float32))
    shown = run("stream", str(silence), "--speed", "100", "--threads", "1")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr == f"{silence}: no speech found\n"


@pytest.mark.parametrize(
    ("file", "said"),
    [("https://example.com/a.mp3", "not fetched"), ("none.wav", "no such file")],
)
def test_stream_refuses_what_is_no_file_before_anything_else(file, said):
    shown = run("stream", file)
    assert shown.returncode == 2
    assert said in " ".join(shown.stderr.split())
