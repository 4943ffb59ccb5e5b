"""What a hostile server can do to the terminal of a client: nothing."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator

import pytest
from websockets.sync.server import ServerConnection, serve

from streamwhisper.cli.main import main
from streamwhisper.events import Committed, Done, Partial
from streamwhisper.protocol import ErrorMessage, Ready, encode_server_message
from tests.support.paths import SAMPLE

ATTACK = " ls\x1b]0;title\x07\x1b[2J\x9b31m\r\nrm"


def answer(connection: ServerConnection) -> None:
    events = [
        Ready(session="s", resume_token="", model="m", sample_rate=16000),
        Partial(ATTACK, 0.0, 1.0),
        Committed(ATTACK, 0.0, 1.0, (), "en", 0, True),
        ErrorMessage(ATTACK, ATTACK, False),
        Done(1.0, 1.0),
    ]
    for seq, event in enumerate(events, 1):
        connection.send(encode_server_message(event, seq))
    for _ in connection:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/stream"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_text_of_a_server_controls_no_terminal(url, flags, monkeypatch, capsys):
    command = ["streamwhisper", "stream", str(SAMPLE), "--url", url, "--speed", "1000", *flags]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr()
    assert not set(shown.out + shown.err) & set("\x1b\x07\x9b\r")
    if flags:
        texts = [json.loads(line).get("text") for line in shown.out.splitlines()]
        assert ATTACK in texts
    else:
        assert "ls]0;title[2J31m  rm" in shown.out
        assert "error:  ls]0;title[2J31m" in shown.err
