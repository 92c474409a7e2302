"""All that a run has written, in the order of its time: what a replay plays."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, Literal, TypeAlias

from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.run.directory import RunDirectory
from octotui.run.process import is_alive_or
from octotui.run.reading import ReadingJournal
from octotui.tui.log_tail import KEPT_LINES, LogLine, LogTail
from octotui.upgrade.phases import FINAL, POINT_OF_NO_RETURN, WAITING
from octotui.view import RunView, take

#: The view is kept after each so many events: no way, back or forth, folds more than that.
KEPT_EACH: Final = 2000

MomentKind: TypeAlias = Literal["phase", "no return", "failed", "waits", "decision", "end"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Something in a run that one wants to go to, at ``at`` epoch seconds, in few words."""

    at: float
    kind: MomentKind
    text: str


class Recording:
    """Events and log lines of one run. ``begin`` and ``end`` are epoch seconds.

    ``lines`` are the newest; ``lines_left_out`` were written before them. A clock that was set back
    while the run worked is no way back here: what was written later is shown later. To make one of
    a long run takes a while: not for an event loop. Raises OctotuiError where an event is not
    understood.
    """

    def __init__(
        self,
        events: list[Event],
        lines: list[LogLine],
        until: float = 0.0,
        lines_left_out: int = 0,
    ) -> None:
        self.events = events
        self.lines = lines
        self.lines_left_out = lines_left_out
        self._views = _views(events)
        self._event_times = list(accumulate((event.at for event in events), max))
        self._line_times = list(accumulate((_seconds(line.at) for line in lines), max))
        self.begin = self._event_times[0]
        self.end = max(self._event_times[-1], *self._line_times[-1:], until)
        self.moments = [
            moment
            for event, at in zip(events, self._event_times, strict=True)
            for moment in _moments(event, at)
        ]

    def kept_before(self, count: int) -> int:
        """After how many events, of ``count`` at most, there is a view to go on from."""
        return count // KEPT_EACH * KEPT_EACH

    def view_after(self, kept: int) -> RunView:
        """The view after so many events as ``kept_before`` told, to go on from."""
        return self._views[kept // KEPT_EACH].copy()

    def events_until(self, at: float) -> int:
        """How many events there were at that time."""
        return bisect_right(self._event_times, at)

    def lines_until(self, at: float) -> int:
        """How many log lines there were at that time."""
        return bisect_right(self._line_times, at)

    def next_written(self, at: float) -> float:
        """When anything was written next, an event or a log line; else the end."""
        nexts = [self.end]
        for times in (self._event_times, self._line_times):
            nexts += times[bisect_right(times, at) :][:1]
        return min(nexts)

    def moment_after(self, at: float) -> Moment | None:
        place = bisect_right(self.moments, at, key=_at)
        return self.moments[place] if place < len(self.moments) else None

    def moment_before(self, at: float) -> Moment | None:
        place = bisect_left(self.moments, at, key=_at)
        return self.moments[place - 1] if place else None

    def moment_at(self, at: float) -> Moment | None:
        """The last one that had come by then."""
        place = bisect_right(self.moments, at, key=_at)
        return self.moments[place - 1] if place else None


def load(run: RunDirectory, now: Callable[[], float] = time.time) -> Recording:
    """Reads a run as far as it has come. Takes a while for a long one: not for an event loop.

    Raises OctotuiError.
    """
    events = list(ReadingJournal(run.journal, run.run_id).events())
    if not events:
        raise OctotuiError(
            f"run {run.run_id} has written nothing yet",
            meaning="There is nothing to play",
            next_step=f"octotui attach {run.run_id}",
        )
    lines, left_out = _lines(run)
    return Recording(events, lines, now() if is_alive_or(run, unknown=False) else 0.0, left_out)


def _lines(run: RunDirectory) -> tuple[list[LogLine], int]:
    """The newest lines of the logs, and how many there are before them."""
    tail = LogTail(run.logs)
    kept: deque[LogLine] = deque(maxlen=KEPT_LINES)
    count, more = 0, True
    while more:
        lines = tail.poll()
        kept.extend(lines)
        count += len(lines)
        more = tail.behind
    return list(kept), count - len(kept)


def _views(events: Sequence[Event]) -> list[RunView]:
    """The views after none of the events, and after each so many of them."""
    view = RunView()
    kept = [view.copy()]
    for count, event in enumerate(events, 1):
        take(view, event)
        if count % KEPT_EACH == 0:
            kept.append(view.copy())
    return kept


@lru_cache(maxsize=4096)
def _seconds(at: str) -> float:
    """A line's time as epoch seconds; 0 for one that has none: it stays with the line before."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0


def _at(moment: Moment) -> float:
    return moment.at


def _moments(event: Event, at: float) -> Iterable[Moment]:
    tells = _TELLS.get(event.kind)
    if tells and (told := tells(event.data)):
        yield Moment(at, *told)


_Told: TypeAlias = "tuple[MomentKind, str] | None"


def _state(data: Mapping[str, Any]) -> _Told:
    entered = str(data["to"])
    words = entered.replace("_", " ")
    if entered in WAITING:
        return "waits", f"{words}: {str(data['waiting_phase']).replace('_', ' ')}"
    if entered in FINAL:
        return "end", words
    return ("no return" if entered == POINT_OF_NO_RETURN else "phase"), words


def _step_ended(data: Mapping[str, Any]) -> _Told:
    if data["outcome"] in ("done", "already"):
        return None
    return "failed", f"{data['node'] or 'cluster'}: {data['title']}"


def _command(data: Mapping[str, Any]) -> _Told:
    if str(data["answer"]).startswith("refused: "):
        return None
    return "decision", f"{data['by']}: {data['command']} {data['argument']}".rstrip()


def _refused(data: Mapping[str, Any]) -> _Told:
    return "end", "refused"


_TELLS: Final[Mapping[str, Callable[[Mapping[str, Any]], _Told]]] = {
    "state": _state,
    "step.ended": _step_ended,
    "command": _command,
    "run.refused": _refused,
}
