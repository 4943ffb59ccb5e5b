"""Order and least length of timed words, segments and cues."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Interval", "spread"]

Interval = tuple[int, int]
"""Start and end, in a unit of the caller's choice."""


def spread(
    times: Sequence[Interval], *, earliest: int, latest: int, least: int, most: int
) -> list[Interval]:
    """Return times in order, within bounds, without overlaps, each at least `least` long.

    Times that fulfil this are not changed. One that is too short takes up to `most` of the pause
    beside it, or else shares evenly what it and its neighbours have. If there is no room for all,
    they are shorter than `least`, but none is empty unless there is no unit for each.

    Args:
        times: in order of the text.
        earliest: no time starts before.
        latest: no time ends after.
        least: minimum length.
        most: maximum length that one takes from a pause.
    """
    least = max(1, min(least, (latest - earliest) // max(1, len(times))))
    starts, ends = _in_order(times, earliest, max(earliest, latest))
    first = 0
    while first < len(starts):
        last = first
        while ends[last] - starts[first] < (need := least * (last - first + 1)):
            following = starts[last + 1] if last + 1 < len(starts) else latest
            longer = min(following, max(ends[last] + most, starts[first] + need))
            before = ends[first - 1] if first else earliest
            if longer - starts[first] >= need:
                ends[last] = longer
            elif last + 1 < len(starts):
                last += 1
            elif latest - before >= need:
                starts[first], ends[last] = latest - need, latest
            elif first > 0:
                first -= 1
            else:
                break
        if last > first:
            start, length, count = starts[first], ends[last] - starts[first], last - first + 1
            for k in range(count):
                starts[first + k] = start + length * k // count
                ends[first + k] = start + length * (k + 1) // count
        first = last + 1
    return list(zip(starts, ends, strict=True))


def _in_order(times: Sequence[Interval], earliest: int, latest: int) -> tuple[list[int], list[int]]:
    """Return starts that do not fall and ends that do not overlap them, within bounds."""
    starts, ends = list[int](), list[int]()
    for start, end in times:
        starts.append(min(max(start, starts[-1] if starts else earliest), latest))
        ends.append(min(max(end, starts[-1]), latest))
    ends[:-1] = [min(end, after) for end, after in zip(ends, starts[1:], strict=False)]
    return starts, ends
