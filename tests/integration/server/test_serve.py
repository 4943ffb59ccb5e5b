"""The command ``serve``: where its settings come from, and a real server that is run by it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamwhisper.audio.files import read_audio
from streamwhisper.cli.settings import NO_SETTINGS
from streamwhisper.client import SyncStreamClient, trust_anything
from streamwhisper.events import Committed
from streamwhisper.server.access.limits import Limits, Quota
from streamwhisper.server.publishing.rooms import RoomOptions
from tests.support.command import SAMPLE, SPOKEN
from tests.support.serve_command import running, serve, settings
from tests.support.transcripts import letters

SECRET = "correct-horse-battery"


def written(folder: Path, text: str) -> str:
    file = folder / "serve.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_flag_goes_before_the_environment_that_before_the_file_and_that_before_the_default(
    tmp_path,
):
    file = written(tmp_path, 'port = 1\nmax-sessions = 1\nidle-timeout = 1\norigin = "http://a"')
    found, sources = settings(
        *("--config", file, "--port", "3"),
        STREAMWHISPER_PORT="2",
        STREAMWHISPER_MAX_SESSIONS="2",
    )
    assert (found["port"], sources["port"]) == (3, "--port")
    assert (found["max-sessions"], sources["max-sessions"]) == (2, "STREAMWHISPER_MAX_SESSIONS")
    assert (found["idle-timeout"], sources["idle-timeout"]) == (1.0, file)
    assert (found["origin"], sources["origin"]) == (["http://a"], file)
    assert (found["resume"], sources["resume"]) == (30.0, "default")


def test_what_is_printed_is_a_file_that_means_the_same(tmp_path):
    flags = ["--max-sessions", "5", "--tls", "self-signed", "--log-text", "--latency", "low"]
    found, _ = settings(*flags, "--origin", "https://a", "--origin", "https://b")
    assert found["host"] == "0.0.0.0"
    shown = serve("--print-config", *flags, "--origin", "https://a", "--origin", "https://b")
    again, sources = settings("--config", written(tmp_path, shown.stdout))
    assert again == found
    assert "default" not in sources.values()


def test_keys_are_not_printed(tmp_path):
    file = written(tmp_path, f'token = ["{SECRET}-of-the-file"]')
    shown = serve("--print-config", "--config", file).stdout
    shown += serve("--print-config", STREAMWHISPER_TOKEN=SECRET).stdout
    shown += serve("--print-config", "--token", SECRET).stdout
    assert SECRET not in shown
    assert f"# token is set (not shown)  # {file}" in shown
    assert "# token is set (not shown)  # STREAMWHISPER_TOKEN" in shown
    assert "# token is set (not shown)  # --token" in shown


def test_every_flag_has_a_variable_and_the_defaults_are_those_of_the_server():
    from typer.main import get_command

    from streamwhisper.cli.main import app

    command = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    flags = {option.opts[0].removeprefix("--"): option for option in command.params}
    for name, option in flags.items():
        if name not in NO_SETTINGS - {"config"}:
            assert option.envvar == f"STREAMWHISPER_{name.replace('-', '_').upper()}"
    default = {name: option.default for name, option in flags.items()}
    names = ("sessions-per-key", "audio-rate", "audio-burst", "session-seconds")
    assert Quota(*(default[name] for name in names)) == Quota()
    limits = Limits(
        max_sessions=default["max-sessions"],
        max_sessions_per_address=default["sessions-per-address"],
        max_text_bytes=default["max-text-bytes"],
        max_message_bytes=default["max-message-bytes"],
        handshake_timeout=default["handshake-timeout"],
        start_timeout=default["start-timeout"],
        idle_timeout=default["idle-timeout"],
        send_timeout=default["send-timeout"],
        drain_timeout=default["drain"],
        resume_timeout=default["resume"],
    )
    assert limits == Limits()
    assert RoomOptions(default["max-viewers"]) == RoomOptions()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-session = 3", "unknown setting 'max-session'; did you mean 'max-sessions'"),
        ("max_sessions = 3", "unknown setting 'max_sessions'; did you mean 'max-sessions'"),
        ("print-config = true", "unknown setting 'print-config'"),
        ("max-sessions = 2.5", "max-sessions: "),
        ("port = [1]", "port: expected a single value"),
        ("port = ", "cannot read"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong_in_it(tmp_path, text, said):
    file = written(tmp_path, text)
    shown = serve("--config", file)
    assert shown.returncode == 2
    assert file in shown.stderr
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tls-key", "x.pem"], "--tls-key needs --tls-cert"),
        (["--tls", "self-signed", "--tls-cert", "x.pem"], "leave out --tls-cert and --tls-key"),
        (["--tls-cert", "no-such.pem"], "cannot read no-such.pem"),
        (["--origin", "captions.example"], "is not an origin"),
        (["--token", "two words"], "create one with"),
        (["--start-timeout", "0"], "expected above 0 s"),
        (["--trusted-proxy", "proxy.example"], "expected e.g. 127.0.0.1"),
        (["--zeroconf"], "need --wyoming-port"),
        (["--wyoming-endpoint"], "need --wyoming-port"),
    ],
)
def test_settings_that_do_not_fit_are_wrong_usage(arguments, said):
    shown = serve(*arguments)
    assert shown.returncode == 2
    assert said in shown.stderr
    assert "Traceback" not in shown.stderr


def test_who_serves_everybody_without_a_key_is_warned_once():
    wrong = ["--model", "tiny.enn", "--port", "0"]  # so that it ends there
    warning = "every client that can reach 0.0.0.0 may use this server"
    assert serve(*wrong, "--host", "0.0.0.0").stderr.count(warning) == 1
    assert warning not in serve(*wrong).stderr
    keyed = serve(*wrong, "--host", "0.0.0.0", "--token", SECRET).stderr
    assert warning not in keyed
    assert "can be guessed" not in keyed
    assert "can be guessed" in serve(*wrong, "--token", "secret").stderr


def test_who_lets_others_in_by_wyoming_past_the_keys_is_warned():
    keyed = ["--model", "tiny.enn", "--port", "0", "--token", SECRET, "--wyoming-port", "10300"]
    warning = "every client that can reach 0.0.0.0:10300 may use this server"
    assert warning in serve(*keyed, "--host", "0.0.0.0").stderr
    assert "every client" not in serve(*keyed).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are a matter of POSIX")
def test_one_flag_encrypts_and_the_log_says_how_a_session_went_and_nothing_of_what_was_said(
    tiny_en_path,
):
    quiet = ["--tls", "self-signed", "--log-format", "json", "--log-level", "debug"]
    with running(*quiet, STREAMWHISPER_TOKEN=SECRET) as (process, url):
        assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", _last_line(process).split()[-1])
        assert url.startswith("wss://0.0.0.0:")
        url = url.replace("0.0.0.0", "127.0.0.1")
        sound = (read_audio(SAMPLE) * 32767).astype("<i2").tobytes()
        with SyncStreamClient(f"{url}?token={SECRET}", tls=trust_anything()) as stream:
            session = stream.ready.session
            stream.send(sound)
            stream.end()
            text = "".join(event.text for event in stream if isinstance(event, Committed))
        assert letters(text) == letters(SPOKEN.read_text())
        process.send_signal(signal.SIGTERM)
        said, log = process.communicate(timeout=240)
        assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    [end] = [line for line in lines if line.get("outcome")]
    assert (end["session"], end["outcome"], end["key"]) == (session, "done", "token-1")
    assert end["audio_seconds"] == pytest.approx(len(sound) / 32000, abs=0.01)
    assert SECRET not in said + log
    assert not set(_rare(text)) & set(letters(log))


def _last_line(process: subprocess.Popen[str]) -> str:
    """The line with the fingerprint, which comes last."""
    assert process.stdout is not None
    return next(line for line in process.stdout if "fingerprint" in line)


def _rare(text: str) -> list[str]:
    """Words that no log has by chance."""
    return [word for word in letters(text) if len(word) > 7]
