"""Nodes by time on the screens: how a run went, and how a plan foretells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from textual.content import Content

from octotui.report.node_times import Times, times_of_plan
from octotui.report.node_times_text import picture
from octotui.tui.words import duration, join
from octotui.upgrade.plan import Plan
from octotui.view import RunView

_STYLES: Final[Mapping[str, str]] = {
    "plain": "",
    "dim": "dim",
    "good": "$success",
    "busy": "$accent",
    "warn": "$warning",
    "bad": "bold $error",
}


def drawn(times: Times, width: int, clock: Callable[[float], str]) -> Content:
    """The picture in colours; ``clock`` writes a time."""
    return join(
        [
            Content.assemble(*((text, _STYLES[style]) for text, style in line))
            for line in picture(times, width, clock)
        ]
    )


def times_text(view: RunView, width: int) -> Content:
    """Which node the plan takes down when, from the approval on; nothing where there is no plan."""
    if not view.plan:
        return Content("")
    return drawn(times_of_plan(Plan.from_json(view.plan), view.hold), width, duration)
