"""What the run's screen says in words, made from the situation alone."""

from __future__ import annotations

from pathlib import PurePath

from textual.content import Content

from octotui.tui.situation import Situation
from octotui.tui.words import clock, duration, run_mark
from octotui.upgrade.phases import FINAL, WAITING
from octotui.view import RunView

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
    since = f" since {clock(view.state_since)}"
    if view.state in WAITING:
        # Since when is told with what is waited for: the versions are to fit into 80 columns.
        where, since = f"{word} {'before' if view.state == 'held' else 'in'} {_phase(view)}", ""
    if view.state in FINAL and view.started is not None:
        since = f" after {duration(int((view.ended_at or now) - view.started))}"
    life, colour = _life(situation, now, heard)
    return Content.assemble(
        (f" {life}  ", colour),
        (f"{glyph} {where}", style),
        since,
        (f"  {run_name(view)}", "bold"),
        versions(view, " "),
    )


def run_name(view: RunView) -> str:
    """What a run's cluster is called here: by its profile, else by its address."""
    return PurePath(view.profile).stem or view.cluster.partition("//")[2] or view.cluster


def versions(view: RunView, before: str) -> str:
    """From which version to which, as far as that is known, after the text ``before``."""
    known = [version for version in (view.from_version, view.to_version) if version]
    return before + " → ".join(known) if known else ""


def _phase(view: RunView) -> str:
    return view.waiting_phase.replace("_", " ")


def _life(situation: Situation, now: float, heard: float) -> tuple[str, str]:
    view = situation.view
    if situation.replayed:
        return f"↺ replay {clock(now)}", "bold $accent"
    if view is not None and view.outcome:
        return "○ ended", "dim"
    if not situation.alive:
        return "✗ process gone", "bold $error"
    if now - heard > QUIET and situation.state not in WAITING:
        return f"● live, last news {clock(heard)}", "dim"
    return "● live", "$success"
