"""Typing by pasting, for keyboards and programs that cannot type every character."""

from __future__ import annotations

from streamwhisper.dictation.clipboard import Clipboard, ClipboardError, pasted
from streamwhisper.dictation.keyboards.keyboard import Keyboard, KeyboardError

__all__ = ["PastingKeyboard"]


class PastingKeyboard:
    """Keyboard that pastes text through the clipboard and restores the clipboard."""

    def __init__(self, keyboard: Keyboard, clipboard: Clipboard) -> None:
        self.name = f"{keyboard.name} and {clipboard.write[0]}"
        self.focus, self.erase, self.close = keyboard.focus, keyboard.erase, keyboard.close
        self.paste = keyboard.paste
        self._clipboard = clipboard

    def type(self, text: str, window: str | None) -> int:
        """Paste `text`."""
        if self.focus() != window:
            return 0
        try:
            pasted(self._clipboard, text, self.paste)
        except ClipboardError as error:
            raise KeyboardError(str(error)) from error
        return len(text)
