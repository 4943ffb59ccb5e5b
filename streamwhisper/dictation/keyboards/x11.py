"""Typing on X11, through the XTest extension.

Characters that the present layout types without a modifier are typed by its own keys. Every other
one gets a key of its own among those that the layout leaves free. So what is typed depends on
neither layout nor group, and no modifier is ever pressed for it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from Xlib import XK, X, error
from Xlib.display import Display
from Xlib.ext import xtest

from streamwhisper.dictation.keyboards import KeyboardError

__all__ = ["X11Keyboard", "keysym_of"]

_NAMED = {"\n": XK.XK_Return, "\t": XK.XK_Tab}
_ALWAYS = {XK.XK_Return, XK.XK_Tab, XK.XK_BackSpace, XK.XK_Control_L, XK.XK_space}  # in any group
_LEVELS = 4  # two of each of two groups
_BETWEEN = 0.002  # seconds between keys; programs that repaint for each keep up
_SETTLED = 0.25  # seconds until a program has surely looked up a key: then it may change its sign
_PATIENCE = 30.0  # seconds that keys may be held down


def keysym_of(character: str) -> int:
    """The X keysym of a character: X Window System Protocol, appendix A, "Unicode keysyms"."""
    if character in _NAMED:
        return int(_NAMED[character])
    code = ord(character)
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else 0x1000000 | code


class X11Keyboard:
    """Types on the display that ``DISPLAY`` names. Calls block; one thread at a time."""

    name = "XTest"

    def __init__(self, display: str | None = None) -> None:
        """Connect.

        Raises:
            KeyboardError: there is no display, no XTest, or no free key.
        """
        try:
            self._display = Display(display)
        except (error.DisplayError, OSError) as failure:
            raise KeyboardError(
                f"cannot connect to the X display: {failure}; run it inside of the desktop session"
            ) from failure
        if not self._display.has_extension("XTEST"):
            raise KeyboardError("the X server has no XTEST extension, so nothing can be typed")
        self._root = self._display.screen().root
        self._layout: dict[int, int] = {}  # keysym to keycode: what the layout types by itself
        self._lent: OrderedDict[int, int] = OrderedDict()  # likewise of free keys, oldest use first
        self._used: dict[int, float] = {}  # keycode: when it was pressed last
        self._free: list[int] = []
        self._look_up()

    def focus(self) -> str | None:
        """What names the window that is typed into."""
        with _connected():
            active = self._display.intern_atom("_NET_ACTIVE_WINDOW")
            told = self._root.get_full_property(active, X.AnyPropertyType)
            if told is not None and len(told.value) and told.value[0]:
                return str(told.value[0])
            focus = self._display.get_input_focus().focus
            return str(getattr(focus, "id", focus))

    def type(self, text: str) -> None:
        """Type `text`; waits while the person holds a key, for both would mix."""
        with self._ready():
            for character in text:
                self._press(self._key(keysym_of(character)))

    def erase(self, count: int) -> None:
        """Take back `count` characters."""
        with self._ready():
            for _ in range(count):
                self._press(self._key(XK.XK_BackSpace))

    def paste(self) -> None:
        """Press Ctrl and V."""
        with self._ready():
            control = self._key(XK.XK_Control_L)
            xtest.fake_input(self._display, X.KeyPress, control)
            self._press(self._key(XK.XK_v))
            xtest.fake_input(self._display, X.KeyRelease, control)
            self._display.sync()

    def close(self) -> None:
        """Leave the layout as it was."""
        with suppress(KeyboardError), _connected():
            if self._lent:
                time.sleep(_SETTLED)
            for key in self._lent.values():
                self._bind(key, X.NoSymbol)
            self._display.sync()
            self._display.close()

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """No key is held, the layout is known, and Caps Lock is off for as long as this takes."""
        with _connected():
            self._wait_for_hands_off()
            self._look_up()
            capitals = self._root.query_pointer().mask & X.LockMask
            lock = self._display.keysym_to_keycode(XK.XK_Caps_Lock)
            if capitals and lock:
                self._press(lock)
            try:
                yield
            finally:
                if capitals and lock:
                    self._press(lock)

    def _look_up(self) -> None:
        """Ask for the layout: the person may have changed it, which takes lent keys back."""
        info = self._display.display.info
        first, last = info.min_keycode, info.max_keycode
        mapping = dict(
            enumerate(self._display.get_keyboard_mapping(first, last - first + 1), first)
        )
        group = self._root.query_pointer().mask >> 13 & 3
        column = 2 * group  # two levels of each of the first two groups come first
        lent = {key: sign for sign, key in self._lent.items() if sign in mapping[key]}
        self._lent = OrderedDict((sign, key) for key, sign in lent.items())
        self._free = [key for key, signs in mapping.items() if not any(signs)]
        own = [(key, signs) for key, signs in mapping.items() if key not in lent and any(signs)]
        self._layout = {signs[0]: key for key, signs in own if signs[0] in _ALWAYS}
        if group < 2:
            self._layout = {signs[column]: key for key, signs in own} | self._layout
        if not self._free and not self._lent:
            raise KeyboardError("this keyboard layout leaves no key free to type other signs with")

    def _key(self, keysym: int) -> int:
        """A key that types `keysym` by itself."""
        if keysym in self._layout:
            return self._layout[keysym]
        if keysym not in self._lent:
            if self._free:
                key = self._free.pop()
            else:
                _, key = self._lent.popitem(last=False)
                time.sleep(max(0.0, self._used[key] + _SETTLED - time.monotonic()))
            self._bind(key, keysym)
            self._display.sync()
            self._lent[keysym] = key
        self._lent.move_to_end(keysym)
        return self._lent[keysym]

    def _bind(self, key: int, keysym: int) -> None:
        self._display.change_keyboard_mapping(key, [(keysym,) * _LEVELS])

    def _press(self, key: int) -> None:
        xtest.fake_input(self._display, X.KeyPress, key)
        xtest.fake_input(self._display, X.KeyRelease, key)
        self._display.sync()
        self._used[key] = time.monotonic()
        time.sleep(_BETWEEN)

    def _wait_for_hands_off(self) -> None:
        until = time.monotonic() + _PATIENCE
        while any(self._display.query_keymap()):
            if time.monotonic() > until:
                raise KeyboardError(f"a key was held down for {_PATIENCE:g} s; nothing was typed")
            time.sleep(0.02)


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except error.ConnectionClosedError as failure:
        raise KeyboardError(f"the X server is gone: {failure}") from failure
