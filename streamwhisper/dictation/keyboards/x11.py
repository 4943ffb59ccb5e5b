"""Typing on X11, through the XTest extension.

Characters of the current layout, alone or with Shift, are typed with its own keys. Every other
character is temporarily bound to a key that the layout leaves free. So the typed text depends on
neither layout nor group.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from select import select

from Xlib import XK, X, error
from Xlib.display import Display
from Xlib.ext import xtest
from Xlib.protocol.event import ClientMessage
from Xlib.xobject.drawable import Window

from streamwhisper.dictation.keyboards.keyboard import KeyboardError
from streamwhisper.dictation.keyboards.paste_keys import Keys

__all__ = ["X11Keyboard", "keysym_of"]

_NAMED = {"\n": XK.XK_Return, "\t": XK.XK_Tab}
_KEYSYMS = {
    "ctrl": XK.XK_Control_L,
    "shift": XK.XK_Shift_L,
    "v": XK.XK_v,
    "insert": XK.XK_Insert,
}
_ALWAYS = {XK.XK_Insert, XK.XK_Return, XK.XK_Tab, XK.XK_BackSpace, XK.XK_Caps_Lock, XK.XK_space}
_LEVELS = 4  # two of each of two groups
_BETWEEN = 0.002  # seconds between keys; programs that repaint for each keep up
_UNPINGED_SECONDS = 1.0  # for a program that does not answer pings to process typed keys
_PING_SECONDS = 5.0  # for a program that answers pings
_ANNOUNCEMENTS = 3  # of a key that is bound
_BETWEEN_ANNOUNCEMENTS = 0.02  # seconds
_HELD_SECONDS = 30.0  # that the user may hold a key down


def keysym_of(character: str) -> int:
    """Return a character's X keysym (X Window System Protocol, appendix A, "Unicode keysyms")."""
    if character in _NAMED:
        return int(_NAMED[character])
    code = ord(character)
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else 0x1000000 | code


class X11Keyboard:
    """Keyboard on the display that ``DISPLAY`` names. Calls block; use it from one thread."""

    name = "XTest"

    def __init__(self, display: str | None = None) -> None:
        """Connect to the display.

        Raises:
            KeyboardError: no display, no XTEST extension, or no free key.
        """
        try:
            self._display = Display(display)
        except (error.DisplayError, error.XauthError, OSError) as failure:
            raise KeyboardError(
                f"cannot connect to the X display: {failure}; run the command inside the "
                "desktop session"
            ) from failure
        if not self._display.has_extension("XTEST"):
            raise KeyboardError("the X server has no XTEST extension, so nothing can be typed")
        self._root = self._display.screen().root
        self._layout: dict[int, tuple[int, bool]] = {}  # keysym to keycode, and whether with Shift
        self._lent: dict[int, int] = {}  # keysym to keycode
        self._free: list[int] = []
        self._bound: dict[int, int] = {}  # keycode to keysym, of all changed keys
        self._serial = 0  # of pings
        self._pressed = -_UNPINGED_SECONDS  # time of the last key press
        self._look_up()

    def probe(self) -> None:
        """Do nothing: the constructor has checked the display, its extension and its keys."""

    def window_class(self) -> str | None:
        """Return the class of the focused window; empty if it has none."""
        with _connected():
            window = self._display.get_input_focus().focus
            while isinstance(window, Window) and window != self._root:
                if found := window.get_wm_class():
                    return str(found[1])
                window = window.query_tree().parent
        return ""

    def focus(self) -> str | None:
        """Return the id of the focused window."""
        with _connected():
            return self._focused()

    def type(self, text: str, window: str | None) -> int:
        """Type `text`; wait while the user holds a key, which would mix with the text."""
        with self._ready():
            return self._type(text, window)

    def erase(self, count: int, window: str | None) -> int:
        """Press Backspace."""
        with self._ready():
            for done in range(count):
                if not self._press(XK.XK_BackSpace, window):
                    return done
        return count

    def paste(self, keys: Keys) -> None:
        """Press the keys that paste and wait until the window has fetched the text."""
        *held, last = (_KEYSYMS[name] for name in keys.split("+"))
        with self._ready(), ExitStack() as modifiers:
            self._reserve(last)
            for modifier in held:
                modifiers.enter_context(self._held(modifier))
            self._press(last, self._focused())
            modifiers.close()
            self._wait_for_window()

    def close(self) -> None:
        """Restore the layout."""
        with suppress(KeyboardError), _connected():
            if self._lent:
                self._wait_for_window()
            for key in list(self._bound):
                self._bind(key, X.NoSymbol)
            self._display.sync()
            self._display.close()

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Wait until no key is held, read the layout, and keep Caps Lock off inside the context."""
        with _connected():
            self._wait_for_hands_off()
            self._look_up()
            capitals = self._root.query_pointer().mask & X.LockMask
            if capitals:
                self._press(XK.XK_Caps_Lock)
            try:
                yield
            finally:
                if capitals:
                    self._press(XK.XK_Caps_Lock)

    def _look_up(self) -> None:
        """Read the layout: the user may have changed it, which removes bound keys."""
        info = self._display.display.info
        first, last = info.min_keycode, info.max_keycode
        mapping = dict(
            enumerate(self._display.get_keyboard_mapping(first, last - first + 1), first)
        )
        group = self._root.query_pointer().mask >> 13 & 3
        column = 2 * group  # two levels of each of the first two groups come first
        bound = {key: sign for key, sign in self._bound.items() if sign in mapping[key]}
        self._bound = bound
        self._lent = {sign: key for sign, key in self._lent.items() if bound.get(key) == sign}
        idle = bound.keys() - self._lent.values()
        self._free = [key for key, signs in mapping.items() if key in idle or not any(signs)]
        own = [(key, signs) for key, signs in mapping.items() if key not in bound and any(signs)]
        self._layout = {}
        if group < 2:
            self._layout = {signs[column + 1]: (key, True) for key, signs in own}
            self._layout |= {signs[column]: (key, False) for key, signs in own}
        self._layout |= {signs[0]: (key, False) for key, signs in own if signs[0] in _ALWAYS}
        if not self._free and not self._lent:
            raise KeyboardError("this keyboard layout has no unused key for other characters")

    def _type(self, text: str, window: str | None) -> int:
        """Type `text`, binding keys for as many characters at a time as there are free keys."""
        done = 0
        while done < len(text):
            end, lacking = self._reach(text[done:])
            self._lend(lacking)
            for character in text[done : done + end]:
                if not self._press(keysym_of(character), window):
                    return done
                done += 1
            if done < len(text):
                self._take_back()
        return done

    def _reach(self, text: str) -> tuple[int, list[int]]:
        """Return how many characters of `text` have keys, and the keysyms to bind for that."""
        lacking: list[int] = []
        for at, keysym in enumerate(map(keysym_of, text)):
            if keysym not in self._layout and keysym not in (*self._lent, *lacking):
                if len(lacking) == len(self._free):
                    return at, lacking
                lacking.append(keysym)
        return len(text), lacking

    def _reserve(self, keysym: int) -> None:
        """Bind a keysym that the layout lacks, e.g. V in a Cyrillic one."""
        if keysym not in self._layout and keysym not in self._lent:
            if not self._free:
                self._take_back()
            self._lend([keysym])

    def _take_back(self) -> None:
        """Make bound keys free for other keysyms."""
        self._free += self._lent.values()
        self._lent.clear()

    def _lend(self, keysyms: Sequence[int]) -> None:
        """Bind each keysym to a free key."""
        if not keysyms:
            return
        # A program looks a key up when it processes the event, not when the event is sent.
        self._wait_for_window()
        for keysym in keysyms:
            self._lent[keysym] = self._free.pop()
        # A program that fetches one change while the next arrives (Xlib does) may miss the next.
        for _ in range(_ANNOUNCEMENTS):
            for keysym in keysyms:
                self._bind(self._lent[keysym], keysym)
            self._display.sync()
            time.sleep(_BETWEEN_ANNOUNCEMENTS)

    def _bind(self, key: int, keysym: int) -> None:
        self._bound[key] = keysym
        self._display.change_keyboard_mapping(key, [(keysym,) * _LEVELS])

    def _press(self, keysym: int, window: str | None = None) -> bool:
        """Press the key of a keysym of the layout, or of a bound one.

        Returns:
            False if another window than `window` has the focus; no key was pressed then.
        """
        lent = self._lent.get(keysym, 0)
        key, shift = self._layout.get(keysym, (lent, False))
        self._display.grab_server()  # the focus cannot move between the check and the key
        try:
            if window is not None and self._focused() != window:
                return False
            with self._held(XK.XK_Shift_L) if shift else nullcontext():
                xtest.fake_input(self._display, X.KeyPress, key)
                xtest.fake_input(self._display, X.KeyRelease, key)
        finally:
            self._display.ungrab_server()
            self._display.sync()
        self._pressed = time.monotonic()
        time.sleep(_BETWEEN)
        return True

    def _focused(self) -> str:
        focus = self._display.get_input_focus().focus
        return str(getattr(focus, "id", focus))

    @contextmanager
    def _held(self, modifier: int) -> Iterator[None]:
        key = self._display.keysym_to_keycode(modifier)
        xtest.fake_input(self._display, X.KeyPress, key)
        try:
            yield
        finally:
            xtest.fake_input(self._display, X.KeyRelease, key)

    def _wait_for_hands_off(self) -> None:
        until = time.monotonic() + _HELD_SECONDS
        while any(self._display.query_keymap()):
            if time.monotonic() > until:
                raise KeyboardError(
                    f"a key is held down for {_HELD_SECONDS:g} s, so nothing was typed"
                )
            time.sleep(0.02)

    def _wait_for_window(self) -> None:
        """Wait until the focused window has processed every key.

        Windows process events in order, so the answer to a ping (Extended Window Manager Hints)
        follows all keys before it.
        """
        window = self._pinged()
        if window is None:
            self._display.sync()
            time.sleep(max(0.0, self._pressed + _UNPINGED_SECONDS - time.monotonic()))
            return
        names = ("WM_PROTOCOLS", "_NET_WM_PING")
        protocols, ping = (self._display.intern_atom(name) for name in names)
        self._serial += 1
        data = (32, [ping, X.CurrentTime, window.id, self._serial, 0])
        self._root.change_attributes(event_mask=X.SubstructureNotifyMask)
        window.send_event(ClientMessage(window=window, client_type=protocols, data=data))
        until = time.monotonic() + _PING_SECONDS
        answered = False
        while not answered and time.monotonic() < until:
            while self._display.pending_events():
                event = self._display.next_event()
                if event.type == X.ClientMessage and event.data[0] == 32:
                    answered = answered or event.data[1][3] == self._serial
            if not answered:
                select([self._display], [], [], 0.05)
        self._root.change_attributes(event_mask=X.NoEventMask)

    def _pinged(self) -> Window | None:
        """Return the focused window or its nearest ancestor that answers pings."""
        window = self._display.get_input_focus().focus
        ping = self._display.intern_atom("_NET_WM_PING")
        while isinstance(window, Window) and window != self._root:
            if ping in window.get_wm_protocols():
                return window
            window = window.query_tree().parent
        return None


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except error.ConnectionClosedError as failure:
        raise KeyboardError(f"the X server closed the connection: {failure}") from failure
