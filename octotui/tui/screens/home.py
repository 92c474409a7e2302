"""Home: the profiles with their clusters' version and health now, and the runs of this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from octotui.api.errors import OctotuiError
from octotui.tui import glance
from octotui.tui.commands import bindings_of
from octotui.tui.home_list import HomeList, ProfileRow, RunRow
from octotui.tui.screens import home_text
from octotui.tui.screens.ask import Ask
from octotui.tui.screens.base import CockpitScreen, KeyLine, Line
from octotui.tui.situation import Situation

#: The lists are read again this often, seconds.
PAUSE = 1.0


class HomeScreen(CockpitScreen):
    """Two lists, what is known of the profile under the cursor and, with room, of all of them."""

    PLACE = "home"
    BINDINGS = bindings_of("home")
    AUTO_FOCUS = "#profiles"

    def __init__(self) -> None:
        super().__init__()
        self._list = HomeList()
        self._glances = glance.Glances()
        self._profiles: list[ProfileRow] = []
        self._runs: list[RunRow] = []
        self._due = self._ask_due = 0.0
        self._reading = self._asking = self._filled = False
        self._filter = self._fault = ""

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="home-head")
        with Horizontal(id="home-top"):
            with Vertical(classes="pane", id="profiles-pane") as profiles:
                profiles.border_title = "Profiles"
                yield OptionList(id="profiles")
            with Vertical(classes="pane", id="profile-detail-pane"):
                yield Line(id="profile-detail")
            with Vertical(classes="pane", id="pulse-pane") as pulse:
                pulse.border_title = "All together"
                yield Line(id="pulse")
        with Vertical(classes="pane", id="runs-pane") as runs:
            runs.border_title = "Runs"
            yield OptionList(id="runs")
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        if not self._reading and time.monotonic() >= self._due:
            self._reading = True
            self.run_worker(self._read(), group="home")
        # Only after the lists are there: the first paint waits for nobody.
        asks = self.app.settings.glance and self._filled and bool(self._profiles)
        if asks and not self._asking and time.monotonic() >= self._ask_due:
            self._asking = True
            self.run_worker(self._ask(), group="glance")

    async def _read(self) -> None:
        """Old journals are folded in a thread; only those that changed are read again."""
        fault = ""
        try:
            lists = await asyncio.to_thread(self._list.read, self.app.now())
        except (OctotuiError, OSError) as error:
            fault = str(error)
        else:
            self._profiles, self._runs = lists
            self._fill()
        finally:
            self._reading = False
            self._due = time.monotonic() + PAUSE
        if fault and fault != self._fault:
            self.app.notify(fault, title="The lists cannot be read", severity="error", timeout=15)
        self._fault = fault

    async def _ask(self) -> None:
        """Has a child ask every cluster once, and shows the answers as they come."""
        try:
            async with aclosing(glance.answers()) as lines:
                async for line in lines:
                    self._glances.take(line, self.app.now())
                    self._fill()
        except (OctotuiError, OSError) as error:
            self._glances.failure = f"Not asked again: {error}"
            self._fill()
        finally:
            self._asking = False
            self._ask_due = time.monotonic() + glance.PAUSE

    def _fill(self) -> None:
        if not self.is_attached:
            return  # it was left while something was read
        now = self.app.now()
        self.query_one("#home-head", Line).say(
            home_text.head_text(self._runs, self._list.unreadable)
        )
        self._list_profiles(now)
        widths = home_text.run_widths(self._runs)
        runs = [(r.run.run_id, home_text.run_line(r, now, widths), r.cluster) for r in self._runs]
        self._replace("#runs", "Runs", runs, home_text.NO_RUN)
        if not self._filled and self._runs and (not self._profiles or self._runs[0].alive):
            self.query_one("#runs").focus()
        self._filled = True
        self._detail()

    def _list_profiles(self, now: float) -> None:
        seen = [self._glances.of(row.path) for row in self._profiles]
        widths = home_text.profile_widths(self._profiles, seen)
        rows = [
            (str(row.path), home_text.profile_line(row, each, widths, now), row.url)
            for row, each in zip(self._profiles, seen, strict=True)
        ]
        self._replace("#profiles", "Profiles", rows, "No profile yet.")
        self.query_one("#pulse", Line).say(home_text.pulse_text(self._profiles, seen, self._runs))

    def _replace(
        self, which: str, title: str, rows: Sequence[tuple[str, Content, str]], empty: str
    ) -> None:
        """Shows rows of an id, a line and more text to find it by. The cursor stays on its id."""
        options = self.query_one(which, OptionList)
        wanted = self._filter.casefold()
        kept = [row for row in rows if wanted in f"{row[0]} {row[1].plain} {row[2]}".casefold()]
        pane = options.parent
        assert isinstance(pane, Vertical)
        heading = Content(f"{title} with '{self._filter}'" if wanted else title)
        if pane.border_title != heading.markup:  # setting it paints the whole pane
            pane.border_title = heading
        text = f"Nothing with '{self._filter}'. / changes that." if rows else empty
        lines: list[tuple[str | None, Content]] = [(key, line) for key, line, _ in kept]
        _fit(options, lines or [(None, Content.styled(text, "$text-muted"))])

    def _detail(self) -> None:
        row = self._profile()
        if row is not None:
            note = self._glances.failure
            if not self.app.settings.glance:
                note = "Your settings say not to ask."
            seen = self._glances.of(row.path)
            text = home_text.profile_detail(row, seen, note, self.app.now())
        else:
            text = Content("" if self._profiles else home_text.NO_PROFILE)
        self.query_one("#profile-detail", Line).say(text)

    def _profile(self) -> ProfileRow | None:
        """The profile under the cursor."""
        key = chosen(self.query_one("#profiles", OptionList))
        return next((row for row in self._profiles if str(row.path) == key), None)

    def _run_here(self) -> RunRow | None:
        """The run under the cursor: in the list of profiles the one that enter would open."""
        if self.query_one("#runs").has_focus:
            key = chosen(self.query_one("#runs", OptionList))
            return next((row for row in self._runs if row.run.run_id == key), None)
        row = self._profile()
        return (row.running or row.last) if row else None

    def on_option_list_option_highlighted(self, message: OptionList.OptionHighlighted) -> None:
        self._detail()

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Attaches to a run; of a profile without one a run is begun, which waits for approval."""
        row = None if self.query_one("#runs").has_focus else self._profile()
        run = row.running if row else self._run_here()
        if row is not None and run is None:
            self.app.begin(row.path)
        elif run is not None:
            self.app.open_run(run.run)

    def action_other(self) -> None:
        runs = self.query_one("#runs")
        (self.query_one("#profiles") if runs.has_focus else runs).focus()

    def action_replay(self) -> None:
        if row := self._run_here():
            self.app.replay(row.run)
        else:
            self.app.notify("There is no run under the cursor.")

    def action_filter(self) -> None:
        self.app.run_worker(self._ask_filter(), exclusive=True, group="filter")

    async def _ask_filter(self) -> None:
        text = await self.app.push_screen_wait(Ask("show only with", self._filter))
        if text is not None:
            self._filter = text.strip()
            self._fill()


def _fit(options: OptionList, lines: Sequence[tuple[str | None, Content]]) -> None:
    """Shows these lines by their ids; what has none cannot be chosen. Paints what changed only."""
    keys = [key for key, _ in lines]
    if [option.id for option in options.options] == keys:
        for at, (option, (_, line)) in enumerate(zip(options.options, lines, strict=True)):
            if not (isinstance(option.prompt, Content) and option.prompt.is_same(line)):
                options.replace_option_prompt_at_index(at, line)
        return
    before, at = chosen(options), options.highlighted or 0
    options.clear_options()
    options.add_options([Option(line, id=key, disabled=key is None) for key, line in lines])
    if keys != [None]:
        options.highlighted = keys.index(before) if before in keys else min(at, len(keys) - 1)


def chosen(options: OptionList) -> str | None:
    """The id of the option under the cursor."""
    option = options.highlighted_option
    return option.id if option is not None else None
