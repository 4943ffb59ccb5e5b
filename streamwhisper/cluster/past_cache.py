"""LRU cache of a worker: frames and past of each window, by the window's name."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from streamwhisper.cluster.wire import HalfMel

__all__ = ["KeptPast", "PastCache"]


@dataclass(frozen=True, slots=True, eq=False)
class KeptPast:
    """Cached state of one window.

    Attributes:
        mel: its frames, ``[n_mels, n_frames]``.
        past: what the answer about them left (`streamwhisper.recognition.Hypothesis.past`).
    """

    mel: HalfMel
    past: object

    @property
    def frames(self) -> int:
        """Number of cached frames."""
        return int(self.mel.shape[1])


class PastCache:
    """Bounded cache by window name; drops the least recently used window first.

    A miss costs time alone: an answer without a past is very nearly the same. So nothing is
    ever waited for, moved to another worker or written down.
    """

    def __init__(self, capacity: int) -> None:
        """Start empty, with room for a number of windows."""
        self.capacity = capacity
        self._kept: OrderedDict[str, KeptPast] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, window: str) -> KeptPast | None:
        """Return the cached state of a window, or None."""
        kept = self._kept.get(window)
        if kept is not None:
            self._kept.move_to_end(window)
        return kept

    def keep(self, window: str, mel: HalfMel, past: object | None) -> bool:
        """Cache the state of an answer; return whether the window is cached now.

        A request that was sent twice may be answered after one that reached further, and then
        what is kept stays.
        """
        kept = self._kept.get(window)
        if past is not None and (kept is None or kept.frames <= mel.shape[1]):
            self._kept[window] = KeptPast(mel, past)
            self._kept.move_to_end(window)
            if len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
        return window in self._kept
