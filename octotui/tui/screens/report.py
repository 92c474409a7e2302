"""How a run ended: outcome first, then what is not as it was found, then everything else."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from octotui.report.markdown import render
from octotui.run.directory import RunDirectory
from octotui.tui.commands import bindings_of
from octotui.tui.processes import begin_again
from octotui.tui.screens.base import CockpitScreen, KeyLine, Line
from octotui.tui.screens.report_text import report_head, report_text
from octotui.tui.situation import Situation

#: Columns beside the text: its padding and the scrollbar.
_AROUND = 6


class ReportScreen(CockpitScreen):
    """The last screen of a run."""

    PLACE = "report"
    BINDINGS = bindings_of("report")
    AUTO_FOCUS = "#report"

    def __init__(self) -> None:
        super().__init__()
        self._built = (-1, -1)

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="report-head")
        with VerticalScroll(id="report"):
            yield Line(id="report-text")
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        view = self.store.view
        if (view.seq, self.size.width) == self._built:
            return
        self._built = (view.seq, self.size.width)
        path, width = str(self.store.run.report), self.size.width - _AROUND
        text = report_text(view, path, width, self.app.settings.keys)
        self.query_one("#report-head", Line).say(report_head(view))
        self.query_one("#report-text", Line).say(text)

    def action_look(self) -> None:
        from octotui.tui.screens.run import RunScreen

        self.app.push_screen(RunScreen())

    def action_check_again(self) -> None:
        run = self.store.run
        self.app.open_instead(lambda: begin_again(run))

    def action_waive(self) -> None:
        self.app.run_worker(self._waive(), exclusive=True, group="question")

    async def _waive(self) -> None:
        """The choice names what going on without each means: it is the confirmation, too."""
        from octotui.tui.screens.waive import Waive

        store = self.store
        names = await self.app.push_screen_wait(Waive(store.view))
        if names and self.app.store is store:
            self.app.open_instead(lambda: begin_again(store.run, names))

    def action_open_holder(self) -> None:
        holder = self.store.view.holder
        self.app.open_instead(lambda: RunDirectory.find(holder))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "back" and not self._home_is_below():
            return False
        return super().check_action(action, parameters)

    def _home_is_below(self) -> bool:
        stack = self.app.screen_stack
        below = stack[: stack.index(self)] if self in stack else []
        return bool(below) and getattr(below[-1], "PLACE", "") == "home"

    def text(self) -> str:
        return render(self.store.view)
