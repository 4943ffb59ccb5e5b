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
        mel: frames of the window, ``[n_mels, n_frames]``.
        past: state of the last answer; see `streamwhisper.recognition.Hypothesis.past`.
    """

    mel: HalfMel
    past: object

    @property
    def frames(self) -> int:
        """Number of cached frames."""
        return int(self.mel.shape[1])


class PastCache:
    """Bounded cache by window name; drops the least recently used window first.

    A miss only costs time: an answer without a past is nearly identical. Entries are therefore
    never moved to another worker or written to disk.
    """

    def __init__(self, capacity: int) -> None:
        """Start empty, with room for `capacity` windows."""
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

        A request that was sent twice can be answered after a longer one; the longer state stays.
        """
        kept = self._kept.get(window)
        if past is not None and (kept is None or kept.frames <= mel.shape[1]):
            self._kept[window] = KeptPast(mel, past)
            self._kept.move_to_end(window)
            if len(self._kept) > self.capacity:
                self._kept.popitem(last=False)
        return window in self._kept
