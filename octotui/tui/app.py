"""The application: wires store and screens together, ticks, and knows which screen a run needs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.screen import Screen

from octotui.api.errors import OctotuiError
from octotui.run.directory import RunDirectory
from octotui.tui import memory, possible
from octotui.tui.keymap import Settings
from octotui.tui.palette import CommandsOfScreen
from octotui.tui.places import place_of, screen_for
from octotui.tui.processes import begin, take_up
from octotui.tui.remembered import Layout
from octotui.tui.shown_key import shown_key
from octotui.tui.situation import Situation
from octotui.tui.store import Store
from octotui.tui.terminal_app import How, Leave, TerminalApp
from octotui.tui.told import Told

if TYPE_CHECKING:
    from octotui.tui.replay import ReplayStore
    from octotui.tui.screens.base import CockpitScreen

#: Everything that is shown follows this one tick, seconds: area times rate is what a slow link
#: pays for, not the number of events.
TICK: Final = 0.25

#: What lies below a window is shown this often, seconds: whatever changes there, Textual sends the
#: whole screen.
BELOW: Final = 5.0


def replay_of(run: RunDirectory, now: Callable[[], float]) -> ReplayStore:
    """The run, to be played again. Reads all of it; raises OctotuiError where that cannot be."""
    from octotui.tui.recording import load  # most look at a run that works
    from octotui.tui.replay import ReplayStore

    return ReplayStore(run, load(run, now))


class Cockpit(TerminalApp):
    """The full screen. ``run`` None: it begins with profiles and runs.

    ``replayed``: the run is played again. Raises OctotuiError where it cannot be.
    """

    TITLE = "octotui"
    # All at once: Textual does not load the style sheet of the screen that an app begins with.
    CSS_PATH = [
        "app.tcss",
        "screens/home.tcss",
        "screens/plan.tcss",
        "screens/run.tcss",
        "screens/node.tcss",
        "screens/decision.tcss",
        "screens/ask.tcss",
        "screens/confirm.tcss",
        "screens/choice.tcss",
        "screens/help.tcss",
        "screens/report.tcss",
    ]
    COMMANDS = {CommandsOfScreen}
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (60, "-narrow"), (100, "-medium"), (140, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (15, "-short"), (34, "-tall")]

    def __init__(
        self,
        run: RunDirectory | None = None,
        *,
        replayed: bool = False,
        settings: Settings | None = None,
        layout: Layout | None = None,
        environment: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(settings or Settings(), environment)
        #: How the run's screen is laid out. The person's; whoever opened the screen keeps it.
        self.layout = layout or Layout()
        self._now = now
        self.store: Store | ReplayStore | None = None
        if run is not None:
            self.store = replay_of(run, now) if replayed else Store(run, now)
        #: What is open below a replay: one comes back to it.
        self._below: tuple[Store | None, CockpitScreen | None] | None = None
        self._main: CockpitScreen | None = None
        self._shown_below = 0.0
        #: These are being taken up: a key that is pressed twice does it once.
        self._taking_up: set[RunDirectory] = set()
        self._told = Told(self, self.store.view if self.store else None)

    def get_default_screen(self) -> Screen[object]:
        if self.store is None:
            from octotui.tui.screens.home import HomeScreen

            return HomeScreen()
        place = "run" if self.store.situation.replayed else place_of(self.store.situation)
        if place == "run" and isinstance(self.store, Store):
            self._write_first_line(self.store)
        self._main = screen_for(place)
        return self._main

    def _write_first_line(self, store: Store) -> None:
        """Says at once whether the run lives and where it is, while the screen is being made."""
        from octotui.tui.first_line import first_line

        if self._driver is not None and not self.is_headless:
            line = first_line(store.situation, self.now(), store.heard, self.size.width)
            self._driver.write(line)
            self._driver.flush()

    def now(self) -> float:
        """Epoch seconds; in a replay those that are played."""
        return self.store.now() if self.store else self._now()

    def on_mount(self) -> None:
        if not self.is_headless:
            self.call_after_refresh(memory.settle)
        self.set_interval(TICK, self._beat)
        self.set_interval(memory.FULL, memory.collect)
        if self.store is not None and not isinstance(self.store, Store):
            self._told.left_out(self.store.recording.lines_left_out)

    # --- the tick ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Takes in what is new and lets the screen on top show it."""
        while self._read():
            pass
        self._show()

    async def _beat(self) -> None:
        """The same in turns, between which the loop serves keys and the terminal."""
        shown = time.monotonic()
        while self._read():
            await asyncio.sleep(0)
            if time.monotonic() - shown > TICK:
                await self._show_in_turns()
                shown = time.monotonic()
        await self._show_in_turns()

    def _read(self) -> bool:
        """Takes in a part of what is new; True where there is more."""
        store = self.store
        if store is None or not self.is_running:
            return False
        more = store.poll()
        # Else it would follow a run of the past.
        if isinstance(store, Store) and store.up_to_date:
            self._told.fault(store)
            self._told.answers(store.view)
            self._follow(store.situation)
        return more

    def _show(self) -> None:
        for screen in self._seen():
            screen.tick(self.now())

    async def _show_in_turns(self) -> None:
        for screen in self._seen():
            await screen.tick_in_turns(self.now())

    def _seen(self) -> list[CockpitScreen]:
        """The screen to show: the one on top, or, now and then, the one below a window."""
        from octotui.tui.screens.base import CockpitScreen

        if not self.is_running:
            return []  # it is being closed, part by part
        if isinstance(self.screen, CockpitScreen):
            return [self.screen]
        if not self.screen.is_modal or time.monotonic() - self._shown_below < BELOW:
            return []
        self._shown_below = time.monotonic()
        below = (screen for screen in reversed(self.screen_stack[:-1]) if not screen.is_modal)
        return [screen for screen in below if isinstance(screen, CockpitScreen)][:1]

    def _follow(self, situation: Situation) -> None:
        """The screen that the run needs now; a person who looks at something else is left there."""
        from octotui.tui.screens.decision import DecisionScreen

        view = situation.view
        if isinstance(self.screen, DecisionScreen) and not possible.decide(situation):
            self.pop_screen()
            return
        if view is None or self._main is None:
            return
        if self.screen is not self._main:
            self._told.waits(situation)
            return
        if (place := place_of(situation)) != self._main.PLACE:
            self._show_main(place)
        elif place == "run" and self._told.offers(situation):
            self.push_screen(DecisionScreen())

    def _show_main(self, place: str) -> None:
        self._main = screen_for(place)
        if len(self.screen_stack) == 1:
            self.push_screen(self._main)  # Textual does not switch the screen it began with
        else:
            self.switch_screen(self._main)

    # --- runs ----------------------------------------------------------------------------------

    def open_run(self, run: RunDirectory) -> None:
        """Attaches to a run, above the home screen."""
        self.run_worker(self._open(run, self.screen), exclusive=True, group="open")

    async def _open(self, run: RunDirectory, home: Screen[object]) -> None:
        try:
            store = await asyncio.to_thread(Store, run, self._now)
        except OctotuiError as error:
            self.notify(str(error), title=f"{run.run_id}: not opened", severity="error")
            return
        if self.store is not None or self.screen is not home:
            self.notify(f"{run.run_id} is in the list of runs: you went elsewhere meanwhile.")
            return
        self.store = store
        self._told = Told(self, store.view)
        self._main = screen_for(place_of(store.situation))
        self.push_screen(self._main)

    def open_instead(self, find: Callable[[], RunDirectory]) -> None:
        """Opens another run in the place of the open one. ``find`` is called in a thread."""
        if not self._begins():
            self.run_worker(self._open_instead(find, self.screen), group="begin")

    async def _open_instead(self, find: Callable[[], RunDirectory], here: Screen[object]) -> None:
        try:
            run = await asyncio.to_thread(find)
            store = await asyncio.to_thread(Store, run, self._now)
        except (OctotuiError, OSError) as error:
            self.notify(str(error), title="Not opened", severity="error")
            return
        if self.screen is not here:
            self.notify(f"{run.run_id} is in the list of runs: you went elsewhere meanwhile.")
            return
        self.store, self._told = store, Told(self, store.view)
        self._show_main(place_of(store.situation))

    def _begins(self) -> bool:
        """Whether a run is being begun: a key that is pressed twice does it once."""
        return any(each.group == "begin" and not each.is_finished for each in self.workers)

    def begin(self, profile: Path) -> None:
        """Starts a run of that profile: facts, checks and a plan, which waits for approval."""
        if not self._begins():
            self.run_worker(self._begin(profile, self.screen), group="begin")

    async def _begin(self, profile: Path, home: Screen[object]) -> None:
        try:
            run = await asyncio.to_thread(begin, profile)
        except (OctotuiError, OSError) as error:
            self.notify(str(error), title=f"{profile.stem}: not begun", severity="error")
        else:
            await self._open(run, home)

    async def take_up(self, store: Store) -> None:
        """Starts a process that goes on with that run, whatever is open by then.

        Raises OctotuiError or OSError.
        """
        if store.run in self._taking_up:
            return
        self._taking_up.add(store.run)
        try:
            await asyncio.to_thread(take_up, store.run, store.view.seq)
            store.alive = True
        finally:
            self._taking_up.discard(store.run)

    def replay(self, run: RunDirectory) -> None:
        """Plays a run again, above what is open; back leads there."""
        self.run_worker(self._replay(run, self.screen), exclusive=True, group="replay")

    async def _replay(self, run: RunDirectory, below: Screen[object]) -> None:
        store = self.store
        try:
            replayed = await asyncio.to_thread(replay_of, run, self._now)
        except OctotuiError as error:
            self.notify(str(error), title="No replay", severity="error")
            return
        left = self.store is not store or self.screen is not below
        if left or not (store is None or isinstance(store, Store)):
            self.notify("The replay was not opened: you went elsewhere meanwhile.")
            return
        self._below = (store, self._main)
        self.store = replayed
        self._main = screen_for("run")
        self.push_screen(self._main)
        self._told.left_out(replayed.recording.lines_left_out)

    def move_replay(self, move: str) -> None:
        """Moves the clock of the replay, and shows at once where that is."""
        if self.store is not None and not isinstance(self.store, Store):
            self.store.move(move)
            self.tick()

    def back(self) -> None:
        """To the screen below; from a run's own screen to home, where that is below."""
        own = self.screen is self._main and self.store is not None
        if own and self._below is not None:
            (self.store, self._main), self._below = self._below, None
            self.pop_screen()
            return
        if own and getattr(self.screen_stack[-2:][0], "PLACE", "") != "home":
            live = isinstance(self.store, Store)
            what = "the screen; the run goes on without it" if live else "the replay"
            self.notify(f"{shown_key('quit', self.settings.keys)} leaves {what}.")
            return
        if own and self.store is not None:
            self.store = self._main = None
        self.pop_screen()

    # --- leaving -------------------------------------------------------------------------------

    def leaving(self, how: How) -> Leave:
        store = self._below[0] if self._below else self.store
        if not isinstance(store, Store):
            return Leave(how)  # of a replay there is nothing to tell
        return Leave(how, store.run, store.first_seq)

    def leave(self) -> None:
        self.exit(self.leaving("leave"))

    def stream(self) -> None:
        """Leaves the full screen for plain lines of the same run."""
        self.exit(self.leaving("stream"))

    async def action_quit(self) -> None:
        self.leave()
