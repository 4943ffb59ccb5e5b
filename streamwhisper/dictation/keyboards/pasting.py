"""Typing by pasting, for keyboards and programs that cannot type every character."""

from __future__ import annotations

from functools import partial

from streamwhisper.dictation.clipboard import Clipboard, ClipboardError, pasted
from streamwhisper.dictation.keyboards.keyboard import Keyboard, KeyboardError
from streamwhisper.dictation.keyboards.paste_keys import PasteKeys, paste_keys_for

__all__ = ["PastingKeyboard"]


class PastingKeyboard:
    """Keyboard that pastes text through the clipboard and restores the clipboard."""

    def __init__(self, keyboard: Keyboard, clipboard: Clipboard, keys: PasteKeys = "auto") -> None:
        """Paste with `keys`; "auto" chooses them by the class of the focused window."""
        self.name = f"{keyboard.name} and {clipboard.name}"
        self.focus, self.erase, self.close = keyboard.focus, keyboard.erase, keyboard.close
        self.probe, self.window_class = keyboard.probe, keyboard.window_class
        self.paste = keyboard.paste
        self._clipboard = clipboard
        self._keys = keys

    def type(self, text: str, window: str | None) -> int:
        """Paste `text`."""
        if self.focus() != window:
            return 0
        keys = paste_keys_for(self.window_class()) if self._keys == "auto" else self._keys
        try:
            primary = keys == "shift+insert"  # which terminals paste from the primary selection
            pasted(self._clipboard, text, partial(self.paste, keys), primary=primary)
        except ClipboardError as error:
            raise KeyboardError(str(error)) from error
        return len(text)
