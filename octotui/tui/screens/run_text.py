"""What the run's screen says in words, made from the situation alone."""

from __future__ import annotations

from textual.content import Content

from octotui.tui.situation import Situation
from octotui.tui.words import clock, duration, run_mark
from octotui.upgrade.phases import FINAL, WAITING

#: No news for longer than this, seconds, and the line says when the last came. While the run waits
#: for a person none is to be expected.
QUIET = 60.0


def run_head(situation: Situation, now: float, heard: float) -> Content:
    """Whether the run lives, where it is, then cluster and versions: those may be long.

    Times of day, which stand still: a line that ticks is sent anew every second, over slow links
    too, and how long it takes is told below.
    """
    view = situation.view
    assert view is not None, "the run's screen has a run"
    glyph, word, style = run_mark(view.state)
    where = word
    if view.state in WAITING:
        where = f"{word} {'before' if view.state == 'held' else 'in'} {view.waiting_phase}"
    since = f" since {clock(view.state_since)}"
    if view.state in FINAL and view.started is not None:
        since = f" after {duration((view.ended_at or now) - view.started)}"
    life, colour = _life(situation, now, heard)
    return Content.assemble(
        (f" {life}  ", colour),
        (f"{glyph} {where.replace('_', ' ')}", style),
        since,
        (f"  {view.cluster.partition('//')[2] or view.cluster}", "bold"),
        f" {view.from_version} → {view.to_version}",
    )


def _life(situation: Situation, now: float, heard: float) -> tuple[str, str]:
    view = situation.view
    if situation.replayed:
        return f"↺ replay {clock(now)}", "bold $accent"
    if view is not None and view.outcome:
        return "○ ended", "dim"
    if not situation.alive:
        return "✗ gone", "bold $error"
    if now - heard > QUIET and situation.state not in WAITING:
        return f"● live, last news {clock(heard)}", "dim"
    return "● live", "$success"
