"""From times to columns, to scale, with long idle stretches cut out and their length told."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

#: An idle stretch is cut out where it is longer than this share of what is not idle.
_LONG = 0.5

#: Of the width at most this share goes to what was cut out.
_CUT = 0.5


@dataclass(frozen=True, slots=True)
class Stretch:
    """Columns that stand for a stretch of time. ``cut``: they are not to scale.

    ``label`` is the length of what was cut out, where there is room to tell it.
    """

    begin: float
    end: float
    column: int
    columns: int
    cut: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class TimeScale:
    """``seconds`` is what a column stands for, where nothing is cut out."""

    stretches: tuple[Stretch, ...]
    width: int
    seconds: float

    def column(self, at: float) -> int:
        """The column in which a time lies; ``width`` for the end and what is after it."""
        place = bisect_right(self.stretches, at, key=_begin) - 1
        stretch = self.stretches[max(0, place)]
        if at >= stretch.end:
            return stretch.column + stretch.columns
        share = max(0.0, at - stretch.begin) / (stretch.end - stretch.begin)
        return stretch.column + min(stretch.columns - 1, int(share * stretch.columns))


def make_scale(
    begin: float, end: float, idle: Sequence[tuple[float, float]], width: int
) -> TimeScale:
    """A scale of ``width`` columns; ``idle`` are stretches that may be cut out, in order."""
    cuts = _cuts(idle, end - begin, width)
    labels = _labels(cuts, width)
    bounds = sorted({begin, end, *(at for cut in cuts for at in cut)})
    parts = list(pairwise(bounds))
    room = width - sum(_columns(label) for label in labels.values())
    seconds = max(1.0, sum(_length(part) for part in parts if part not in labels)) / max(1, room)
    columns = [
        _columns(labels[part]) if part in labels else max(1, round(_length(part) / seconds))
        for part in parts
    ]
    # What rounding left over, or took too much, goes to where it is seen least.
    largest = max(range(len(parts)), key=lambda n: (parts[n] not in labels, columns[n]))
    columns[largest] += width - sum(columns)
    stretches, column = [], 0
    for part, count in zip(parts, columns, strict=True):
        label = labels.get(part, "")
        stretches.append(Stretch(*part, column, count, part in labels, label))
        column += count
    return TimeScale(tuple(stretches), width, seconds)


def _begin(stretch: Stretch) -> float:
    return stretch.begin


def _length(stretch: tuple[float, float]) -> float:
    return stretch[1] - stretch[0]


def _cuts(
    idle: Sequence[tuple[float, float]], total: float, width: int
) -> list[tuple[float, float]]:
    """The longest, where what was worked could hardly be seen beside them."""
    worked = total - sum(map(_length, idle))
    longest = sorted(idle, key=_length, reverse=True)[: width // 8]
    return sorted(stretch for stretch in longest if _length(stretch) > worked * _LONG)


def _labels(cuts: Sequence[tuple[float, float]], width: int) -> dict[tuple[float, float], str]:
    """How long each was; where they are many the shortest say nothing."""
    labels = {cut: f"≈{_about(_length(cut))}" for cut in cuts}
    for cut in sorted(cuts, key=_length):
        if sum(_columns(label) for label in labels.values()) <= width * _CUT:
            break
        labels[cut] = ""
    return labels


def _columns(label: str) -> int:
    """The label between two marks, or one mark alone."""
    return len(label) + 2 if label else 1


def _about(seconds: float) -> str:
    minutes = int(seconds / 60 + 0.5)
    if seconds < 60:
        return f"{int(seconds + 0.5)}s"
    return f"{minutes // 60}h{minutes % 60:02}" if minutes >= 60 else f"{minutes}min"
