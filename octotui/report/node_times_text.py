"""The picture of nodes by time, in lines of text: a row a node, phases above it, a time axis.

Told by glyphs, without colours; a piece of a line has a name of a style besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final, TypeAlias

from octotui.report.node_times import GONE, WAITS, NodeTimes, Span, Times
from octotui.report.time_scale import TimeScale, make_scale
from octotui.upgrade.phases import POINT_OF_NO_RETURN

#: A text, and the name of its style: plain, dim, good, busy, warn or bad.
Piece: TypeAlias = tuple[str, str]

#: A state's glyph, word and style.
MARKS: Final[Mapping[str, tuple[str, str, str]]] = {
    "up": ("░", "up", "good"),
    "down": ("▓", "down", "warn"),
    "installing": ("█", "installing", "busy"),
    "database": ("═", "upgrading the database", "busy"),
    "failed": ("✗", "failed", "bad"),
    "left out": ("─", "left out", "warn"),
    "unknown": ("?", "not known", "dim"),
}

_NO_RETURN: Final = "┃"
_DECISION: Final = "●"
_CUT: Final = "┆"

#: Seconds between two times on the axis, and columns they are apart at least.
_ROUND: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
_APART: Final = 12

#: A phase's name is not cut to fewer letters than this.
_LETTERS: Final = 3

#: A screen that is not laid out yet has no width.
_NARROWEST: Final = 40

#: Columns that names may take at least.
_NAMES: Final = 20

#: Up to so many nodes each has its row, also where it is like another one's.
_FEW: Final = 6


def picture(times: Times, width: int, clock: Callable[[float], str]) -> list[list[Piece]]:
    """Lines of at most ``width`` columns, or 40; ``clock`` writes a time."""
    width = max(_NARROWEST, width)
    names = max(_NAMES, width // 4)
    groups = _groups(times.nodes, make_scale(times.begin, times.end, times.idle, width * 3 // 4))
    labels = [_label(group, names) for group in groups]
    names = max(map(len, [*labels, "phases", "serving"])) + 2
    scale = make_scale(times.begin, times.end, times.idle, width - names)
    rows = [_states(group[0].spans, scale) for group in groups]
    lines = [
        [(" " * names, "plain"), (_axis(scale, clock), "dim")],
        [("phases".ljust(names), "dim"), *_phases(times.phases, scale)],
    ]
    for label, row in zip(labels, rows, strict=True):
        lines.append([(label.ljust(names), "plain"), *_painted(row, scale)])
    if len(times.nodes) > 1:
        counted = _serving(rows, [len(group) for group in groups], scale)
        lines.append([("serving".ljust(names), "dim"), (counted, "plain")])
    if times.decisions:
        lines.append([("person".ljust(names), "dim"), (_decisions(times, scale), "plain")])
    return [*lines, *_legend(times, rows, scale, width)]


def _groups(nodes: Sequence[NodeTimes], scale: TimeScale) -> list[list[NodeTimes]]:
    """Nodes whose rows differ by a column at most are alike, and together where they are many."""
    if len(nodes) <= _FEW:
        return [[node] for node in nodes]
    groups: list[list[NodeTimes]] = []
    for node in nodes:
        found = next((g for g in groups if _alike(g[0].spans, node.spans, scale.seconds)), None)
        if found is None:
            groups.append([node])
        else:
            found.append(node)
    return groups


def _alike(some: Sequence[Span], others: Sequence[Span], seconds: float) -> bool:
    return len(some) == len(others) and all(
        one.state == other.state and abs(one.begin - other.begin) <= seconds
        for one, other in zip(some, others, strict=True)
    )


def _label(group: Sequence[NodeTimes], width: int) -> str:
    more = f" and {len(group) - 1} alike" if len(group) > 1 else ""
    name, room = group[0].name, width - len(more)
    return (name if len(name) <= room else name[: max(1, room - 1)] + "…") + more


def _states(spans: Sequence[Span], scale: TimeScale) -> list[str]:
    """The state of each column. What is short is painted last: it keeps a column at least."""
    row = [""] * scale.width
    for span in sorted(spans, key=lambda span: span.begin - span.end):
        first = min(scale.column(span.begin), scale.width - 1)
        last = max(first + 1, scale.column(span.end))
        row[first:last] = [span.state] * (last - first)
    return row


def _painted(row: Sequence[str], scale: TimeScale) -> Iterator[Piece]:
    marked = list(row)
    for stretch in scale.stretches:
        if stretch.cut:
            marked[stretch.column] = marked[stretch.column + stretch.columns - 1] = _CUT
    for state, columns in groupby(marked):
        glyph, _, style = MARKS.get(state, (_CUT, "", "dim"))
        yield glyph * len(list(columns)), style


def _axis(scale: TimeScale, clock: Callable[[float], str]) -> str:
    """How much was cut out, when each stretch begins, and round times between."""
    cells = [" "] * scale.width
    _mark_cuts(cells, scale)
    for stretch in scale.stretches:
        _put(cells, stretch.column + 1, stretch.label)
    drawn = [stretch for stretch in scale.stretches if not stretch.cut]
    for stretch in drawn:
        _put(cells, stretch.column, clock(stretch.begin))
    step = next((s for s in _ROUND if s >= _APART * scale.seconds), _ROUND[-1])
    for stretch in drawn:
        at = (stretch.begin // step + 1) * step
        while at < stretch.end:
            _put(cells, scale.column(at), clock(at))
            at += step
    return "".join(cells).rstrip()


def _put(cells: list[str], column: int, text: str) -> bool:
    """Writes a text where there is room for it, apart from what is there."""
    after = column + len(text)
    around = cells[max(0, column - 1) : after + 1]
    is_free = all(cell in (" ", _CUT) for cell in around)
    if column < 0 or after > len(cells) or not is_free or _CUT in cells[column:after]:
        return False
    cells[column:after] = text
    return True


def _phases(phases: Sequence[Span], scale: TimeScale) -> Iterator[Piece]:
    """Where each phase begins, and as much of its name as it has room for."""
    cells = [" "] * scale.width
    for phase in phases:
        first = min(scale.column(phase.begin), scale.width - 1)
        room = max(1, scale.column(phase.end) - first)
        name = phase.state.replace("_", " ")[: room - 1]
        cells[first : first + room] = f"│{name if len(name) >= _LETTERS else '':<{room - 1}}"
    _mark_cuts(cells, scale)
    no_return = next((p.begin for p in phases if p.state == POINT_OF_NO_RETURN), None)
    if no_return is not None:
        cells[min(scale.column(no_return), scale.width - 1)] = _NO_RETURN
    for is_mark, letters in groupby(cells, lambda cell: cell == _NO_RETURN):
        yield "".join(letters), "bad" if is_mark else "plain"


def _mark_cuts(cells: list[str], scale: TimeScale) -> None:
    """Puts marks around what was cut out, where no word is."""
    for stretch in scale.stretches:
        for column in (stretch.column, stretch.column + stretch.columns - 1):
            if stretch.cut and cells[column] in (" ", "│"):
                cells[column] = _CUT


def _serving(rows: Sequence[Sequence[str]], sizes: Sequence[int], scale: TimeScale) -> str:
    """How many nodes serve, where that changes, as far as there is room; no node is an outage."""
    counts = []
    for states in zip(*rows, strict=True):
        count = sum(n for n, state in zip(sizes, states, strict=True) if state == "up")
        counts.append(f"{count}?" if "unknown" in states else f"{count}")
    runs, column = [], 0
    for text, columns in groupby(counts):
        room = len(list(columns))
        runs.append((text, column, room))
        column += room
    cells = [" "] * scale.width
    # What matters most finds its place first: outages, the end, then what lasts.
    last = runs[-1]
    for text, column, room in sorted(runs, key=lambda r: (r[0] != "0", r != last, -r[2])):
        words = f"{text} outage"
        if text == "0" and len(words) < room and _put(cells, column, words):
            continue
        # Beside another number it stands a column late.
        places = [*range(column, column + room), scale.width - len(text)]
        for place in places:
            if _put(cells, place, text):
                break
    return "".join(cells).rstrip()


def _decisions(times: Times, scale: TimeScale) -> str:
    """Where people decided, in words where there is room for them."""
    cells = [" "] * scale.width
    columns = [min(scale.column(d.at), scale.width - 1) for d in times.decisions]
    for column in columns:
        cells[column] = _DECISION
    for column, decision in zip(columns, times.decisions, strict=True):
        if not _put(cells, column + 2, decision.text):
            _put(cells, column - 1 - len(decision.text), decision.text)
    return "".join(cells).rstrip()


def _legend(
    times: Times, rows: Iterable[Sequence[str]], scale: TimeScale, width: int
) -> Iterator[list[Piece]]:
    """What the glyphs that are there mean, in as many lines as it takes."""
    seen = {state for row in rows for state in row}
    entries = [(f"{g} {word}", style) for state, (g, word, style) in MARKS.items() if state in seen]
    phases = {phase.state for phase in times.phases}
    for is_there, text in (
        (POINT_OF_NO_RETURN in phases, f"{_NO_RETURN} point of no return"),
        (bool(times.decisions), f"{_DECISION} a person decides"),
        (WAITS in phases, f"{WAITS}: for a person"),
        (GONE in phases, f"{GONE}: no process worked on the run"),
        (any(s.cut for s in scale.stretches), f"{_CUT} cut out"),
    ):
        if is_there:
            entries.append((text, "dim"))
    line: list[Piece] = []
    for text, style in entries:
        if line and sum(len(piece) for piece, _ in line) + 2 + len(text) > width:
            yield line
            line = []
        line += [("  ", "plain"), (text, style)] if line else [(text, style)]
    yield line
