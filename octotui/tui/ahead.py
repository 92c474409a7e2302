"""What is still ahead of a run: the phases that it can stop before, and where it will."""

from __future__ import annotations

from octotui.upgrade.phases import HOLDABLE, sequence
from octotui.view import RunView


def phases_ahead(view: RunView) -> tuple[str, ...]:
    """The phases that the run can still stop before; none on the way back."""
    phases = sequence(len(view.nodes) > 1)
    if view.state not in phases:
        return ()
    ahead = phases[phases.index(view.state) + 1 :]
    return tuple(name for name in ahead if name in HOLDABLE)


def next_phase(view: RunView) -> str:
    """The first of them; empty where none is ahead."""
    return next(iter(phases_ahead(view)), "")


def holds_ahead(view: RunView) -> tuple[str, ...]:
    """The phases that the run will stop before. One that it will not come to is none."""
    return tuple(name for name in phases_ahead(view) if name in view.hold)
