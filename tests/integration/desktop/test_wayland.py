"""Typing on a Wayland desktop without a monitor: Sway, and a terminal that writes to a file."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from streamwhisper.dictation.clipboard import choose_clipboard, pasted
from streamwhisper.dictation.clipboard.tools import wl_copy
from streamwhisper.dictation.keyboards import Keyboard, choose_keyboard
from tests.support.desktop import need, until

NOBODY = 65534  # Sway does not run as root
TEXT = "Der Fluß, «déjà vu» ÀÉ “a” 'b' \"c\"\n日本語、한국어 Привет 😀"
RICH = {
    "text/html": b"<b>before</b>",
    "text/plain;charset=utf-8": b"before",
    "text/uri-list": b"file:///a%20file\r\n",
    "image/png": bytes(range(256)) * 3000,  # more than a pipe holds
}


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Its environment; what is typed is written to ``HOME/typed``."""
    need("sway", "foot", "wtype", "wl-copy", "setpriv")
    home = tmp_path_factory.mktemp("home")
    runtime = home / "run"
    runtime.mkdir(mode=0o700)
    (home / "config").write_text("exec foot sh -c 'stty -icanon -echo; exec cat > $HOME/typed'\n")
    drop: list[str] = []
    if os.getuid() == 0:
        for folder in (home, runtime):
            os.chown(folder, NOBODY, NOBODY)
        temporary = Path(tempfile.gettempdir()).resolve()
        for folder in (home, *home.parents):
            if folder.is_relative_to(temporary) and folder != temporary:
                folder.chmod(0o755)
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
        **{"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "LANG": "C.UTF-8"},
        **{"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"},
    }
    with subprocess.Popen(
        [*drop, "sway", "-c", str(home / "config")],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as sway:
        try:
            until(lambda: (home / "typed").exists(), "the terminal is open")
            (socket,) = runtime.glob("sway-ipc*")
            display = next(path for path in runtime.glob("wayland-?"))
            yield {**environment, "SWAYSOCK": str(socket), "WAYLAND_DISPLAY": display.name}
        finally:
            sway.terminate()


@pytest.fixture
def keyboard(desktop: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Keyboard:
    for name, value in desktop.items():
        monkeypatch.setenv(name, value)
    return choose_keyboard(desktop)


def test_every_sign_is_typed_right_from_the_first_on(desktop, keyboard):
    typed = Path(desktop["HOME"]) / "typed"
    before = typed.read_text()
    for round in range(3):
        assert keyboard.type(f"{round}{TEXT}", keyboard.focus()) == len(TEXT) + 1
    wanted = before + "".join(f"{round}{TEXT}" for round in range(3))
    until(lambda: typed.read_text() == wanted, "it is typed")
    assert keyboard.erase(2, keyboard.focus()) == 2
    until(lambda: typed.read_text() == wanted + "\x7f\x7f", "Backspace was pressed twice")


def test_another_window_gets_nothing(desktop, keyboard):
    typed = Path(desktop["HOME"]) / "typed"
    before = typed.read_text()
    assert keyboard.type("secret", "another") == 0
    assert keyboard.erase(3, "another") == 0
    assert keyboard.type(".", keyboard.focus()) == 1
    until(lambda: typed.read_text() == f"{before}.", "only what is meant for it is typed")


def test_every_sign_is_typed_right_where_the_locale_is_not_utf_8(desktop, keyboard, monkeypatch):
    for name in ("LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C")
    typed = Path(desktop["HOME"]) / "typed"
    wanted = typed.read_text() + TEXT
    assert keyboard.type(TEXT, keyboard.focus()) == len(TEXT)
    until(lambda: typed.read_text() == wanted, "it is typed")


@pytest.mark.parametrize("keys", ["auto", "ctrl+shift+v", "shift+insert"])
def test_text_is_pasted_into_a_terminal_and_all_types_are_restored(desktop, keyboard, keys):
    assert keyboard.window_class() == "foot"
    typed = Path(desktop["HOME"]) / "typed"
    wanted = typed.read_text() + TEXT
    clipboard = choose_clipboard(desktop)
    clipboard.put(RICH)
    assert clipboard.primary is not None
    clipboard.primary.put({})
    pasting = choose_keyboard(desktop, paste=True, paste_keys=keys)
    assert pasting.type(TEXT, pasting.focus()) == len(TEXT)
    until(lambda: typed.read_text() == wanted, "it is pasted")
    assert clipboard.get() == RICH
    assert clipboard.primary.get() == {}


def test_clipboard_managers_are_told_to_forget_what_is_pasted(desktop, keyboard):
    clipboard = choose_clipboard(desktop)
    held: list[Mapping[str, bytes]] = []
    clipboard.put({})
    pasted(clipboard, TEXT, lambda: held.append(clipboard.get()))
    assert held == [{**clipboard.of(TEXT), "x-kde-passwordManagerHint": b"secret"}]
    assert clipboard.get() == {}


def test_without_the_protocol_for_all_types_one_is_restored(desktop, keyboard):
    clipboard = wl_copy()
    clipboard.owner = ()
    clipboard.put({"text/plain;charset=utf-8": b"before"})
    pasted(clipboard, TEXT, lambda: None)
    assert set(clipboard.get().values()) == {b"before"}
    clipboard.put({})
    assert clipboard.get() == {}


def test_the_clipboard_is_set_and_read(desktop, keyboard):
    clipboard = choose_clipboard(desktop)
    clipboard.put(clipboard.of(TEXT))
    assert clipboard.get() == clipboard.of(TEXT)
    clipboard.put({})
    assert clipboard.get() == {}
