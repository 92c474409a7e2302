"""Checks and plan: everything a person has to know before the upgrade is approved."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Grid, VerticalScroll
from textual.content import Content

from octotui.tui.commands import bindings_of
from octotui.tui.screens.base import CockpitScreen, KeyLine, Line
from octotui.tui.screens.plan_text import (
    approval_text,
    checks_title,
    expected_text,
    findings_text,
    plan_head,
    steps_text,
)
from octotui.tui.screens.times_text import times_text
from octotui.tui.situation import Situation
from octotui.view import RunView

#: Columns beside the picture: its frame, padding and a scrollbar.
_AROUND = 6

#: Columns of what is copied.
_COPIED = 78


class PlanScreen(CockpitScreen):
    """Findings beside the plan; while facts are read, what is known so far."""

    PLACE = "plan"
    BINDINGS = bindings_of("plan")

    def __init__(self) -> None:
        super().__init__()
        self._built = (-1, 0)
        self._expected = Content("")
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="plan-head")
        with Grid(id="plan-body"):
            with VerticalScroll(classes="pane", id="findings") as findings:
                findings.border_title = "Checks"
                yield Line(id="findings-text")
            with VerticalScroll(classes="pane", id="steps") as steps:
                steps.border_title = "Plan"
                yield Line(id="steps-text")
            with VerticalScroll(classes="pane", id="times") as times:
                times.border_title = "Nodes by time, from the approval on"
                yield Line(id="times-text")
        yield Line(id="approval")
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        view = self.store.view
        self.query_one("#plan-head", Line).say(plan_head(situation, now))
        width = self.query_one("#steps-text", Line).content_size.width
        if (view.seq, width) != self._built:  # a plan of many nodes is long
            self._built = (view.seq, width)
            self.query_one("#findings", VerticalScroll).border_title = checks_title(view)
            self.query_one("#findings-text", Line).say(findings_text(view))
            self.query_one("#steps-text", Line).say(steps_text(view, width))
            self._expected = expected_text(view)
        self._show_times(view)
        self.query_one("#approval", Line).say(
            approval_text(situation, self._expected, self.app.settings.keys)
        )

    def _show_times(self, view: RunView) -> None:
        """Drawn anew for another plan or width only: what else comes changes nothing in it."""
        width = self.size.width // 2 - _AROUND
        of = (view.plan, view.hold, width)
        has_room = self.has_class("-wide") and self.has_class("-tall")
        if has_room and of != self._drawn:
            self._drawn = of
            self.query_one("#plan-body").set_class(bool(view.plan), "foretold")
            self.query_one("#times-text", Line).say(times_text(view, width))

    def text(self) -> str:
        view = self.store.view
        texts = (findings_text(view), steps_text(view, _COPIED), times_text(view, _COPIED))
        return "".join(f"{text.plain}\n\n" for text in texts if text.plain)
