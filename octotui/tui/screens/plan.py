"""Checks and plan: everything a person has to know before the upgrade is approved."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll

from octotui.tui.commands import bindings_of
from octotui.tui.screens.base import CockpitScreen, KeyLine, Line
from octotui.tui.screens.plan_text import (
    approval_text,
    checks_title,
    findings_text,
    plan_head,
    steps_text,
)
from octotui.tui.situation import Situation


class PlanScreen(CockpitScreen):
    """Findings beside the plan; while facts are read, what is known so far."""

    PLACE = "plan"
    BINDINGS = bindings_of("plan")

    def __init__(self) -> None:
        super().__init__()
        self._built = -1

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="plan-head")
        with Horizontal(id="plan-body"):
            with VerticalScroll(classes="pane", id="findings") as findings:
                findings.border_title = "Checks"
                yield Line(id="findings-text")
            with VerticalScroll(classes="pane", id="steps") as steps:
                steps.border_title = "Plan"
                yield Line(id="steps-text")
        yield Line(id="approval")
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        view = self.store.view
        self.query_one("#plan-head", Line).say(plan_head(situation, now))
        if view.seq != self._built:  # a plan of many nodes is long
            self._built = view.seq
            self.query_one("#findings", VerticalScroll).border_title = checks_title(view)
            self.query_one("#findings-text", Line).say(findings_text(view))
            self.query_one("#steps-text", Line).say(steps_text(view))
        self.query_one("#approval", Line).say(approval_text(situation))

    def text(self) -> str:
        view = self.store.view
        return f"{findings_text(view).plain}\n\n{steps_text(view).plain}\n"
