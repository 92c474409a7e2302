"""Home: the profiles and the runs of this machine."""

from __future__ import annotations

import asyncio
import time

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from octotui.tui.commands import bindings_of
from octotui.tui.home_list import HomeList, ProfileRow, RunRow
from octotui.tui.screens.base import CockpitScreen, KeyLine, Line
from octotui.tui.screens.home_text import head_text, profile_detail, profile_line, run_line
from octotui.tui.situation import Situation

#: The lists are read again this often, seconds.
PAUSE = 1.0


class HomeScreen(CockpitScreen):
    """Two lists and what is known of the profile under the cursor."""

    PLACE = "home"
    BINDINGS = bindings_of("home")
    AUTO_FOCUS = "#profiles"

    def __init__(self) -> None:
        super().__init__()
        self._list = HomeList()
        self._profiles: list[ProfileRow] = []
        self._runs: list[RunRow] = []
        self._due = 0.0
        self._reading = False

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="home-head")
        with Horizontal(id="home-top"):
            with Vertical(classes="pane", id="profiles-pane") as profiles:
                profiles.border_title = "Profiles"
                yield OptionList(id="profiles")
            with Vertical(classes="pane", id="profile-detail-pane"):
                yield Line(id="profile-detail")
        with Vertical(classes="pane", id="runs-pane") as runs:
            runs.border_title = "Runs"
            yield OptionList(id="runs")
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        if not self._reading and time.monotonic() >= self._due:
            self._reading = True
            self.run_worker(self._read(), group="home")

    async def _read(self) -> None:
        """Old journals are folded in a thread; only those that changed are read again."""
        try:
            profiles, runs = await asyncio.to_thread(self._list.read)
        finally:
            self._reading = False
            self._due = time.monotonic() + PAUSE
        if (profiles, runs) != (self._profiles, self._runs) or not self._list.shown:
            self._list.shown = True
            self._profiles, self._runs = profiles, runs
            self._fill()

    def _fill(self) -> None:
        now = self.app.now()
        self.query_one("#home-head", Line).say(head_text(self._runs))
        self._replace("#profiles", [profile_line(row) for row in self._profiles])
        self._replace("#runs", [run_line(row, now) for row in self._runs])
        if not self._profiles:
            text = (
                "No profile yet, neither in ./profiles nor in your own folder.\n"
                "Try: octotui demo"
            )  # fmt: skip
            self.query_one("#profile-detail", Line).say(Content(text))
        if self._runs and (not self._profiles or self._runs[0].alive):
            self.query_one("#runs").focus()
        self._detail()

    def _replace(self, which: str, lines: list[Content]) -> None:
        options = self.query_one(which, OptionList)
        at = options.highlighted or 0
        options.clear_options()
        options.add_options([Option(line) for line in lines])
        if lines:
            options.highlighted = min(at, len(lines) - 1)

    def _detail(self) -> None:
        at = self.query_one("#profiles", OptionList).highlighted
        if at is not None and at < len(self._profiles):
            detail = profile_detail(self._profiles[at], self.app.now())
            self.query_one("#profile-detail", Line).say(detail)

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        self._detail()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Attaches to a run; of a profile a run is begun, which waits for approval."""
        runs, profiles = (
            self.query_one("#runs", OptionList),
            self.query_one("#profiles", OptionList),
        )
        if runs.has_focus and runs.highlighted is not None:
            self.app.open_run(self._runs[runs.highlighted].run)
        elif profiles.highlighted is not None:
            row = self._profiles[profiles.highlighted]
            self.app.run_worker(self.app.begin(row.path), exclusive=True, group="begin")

    def action_other(self) -> None:
        runs = self.query_one("#runs")
        (self.query_one("#profiles") if runs.has_focus else runs).focus()
