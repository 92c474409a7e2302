"""What the pictures show: every screen in every state, made of recorded runs.

``tests/tui/test_screens_pictures.py`` compares them, ``scripts/pictures.py`` draws some for the
documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from textual.pilot import Pilot

from octotui.tui.app import Cockpit
from octotui.tui.keymap import Settings
from tests.cockpit_support import Recorded, begins, enters, is_end

Event = dict[str, Any]

SMALL: Final = (80, 24)
WIDE: Final = (160, 50)

#: What a terminal with many colours says of itself.
COLOURFUL: Final = {"TERM": "xterm-256color"}

#: Other terminals and other tastes: what the terminal says, and the theme that is wanted.
COLOURS: Final[Mapping[str, tuple[Mapping[str, str], str]]] = {
    "no-color": ({**COLOURFUL, "NO_COLOR": "1"}, ""),
    "16-colours": ({"TERM": "xterm"}, ""),
    "textual-dark": (COLOURFUL, "textual-dark"),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A recorded run, cut off before the event that ``until`` takes, and the keys pressed then.

    ``alive``: a runner works on the run. ``later``: seconds since the last event; ``passes`` of
    them while one looks on. ``sizes`` are those at which the picture differs in substance.
    """

    journal: str
    until: Callable[[Event], bool] = lambda event: False
    keys: tuple[str, ...] = ()
    alive: bool = True
    later: float = 4.0
    passes: float = 0.0
    sizes: tuple[tuple[int, int], ...] = (SMALL,)
    environment: Mapping[str, str] = field(default_factory=lambda: COLOURFUL)
    theme: str = ""

    def in_colours(self, name: str) -> Scene:
        environment, theme = COLOURS[name]
        return replace(self, environment=environment, theme=theme)

    def record(self, folder: Path) -> Recorded:
        run = Recorded(folder, self.journal, self.until, alive=self.alive)
        run.later = self.later
        return run

    def cockpit(self, run: Recorded) -> Cockpit:
        settings = Settings(theme=self.theme, mouse=False)
        return Cockpit(run.run, now=run.now, environment=self.environment, settings=settings)

    async def play(self, pilot: Pilot[Any], run: Recorded) -> None:
        """Lets the screen settle, presses the keys, and lets it settle again."""
        app = pilot.app
        assert isinstance(app, Cockpit)
        app.tick()
        await pilot.pause()
        for key in self.keys:
            await pilot.press(key)
            await pilot.pause()
        run.later += self.passes
        app.tick()
        await pilot.pause()


def ends(step: str) -> Callable[[Event], bool]:
    return lambda event: event["kind"] == "step.ended" and event["data"]["step"] == step


def tells(text: str) -> Callable[[Event], bool]:
    """The progress of a step that begins with this text."""
    return lambda event: event["kind"] == "step.progress" and event["data"]["text"].startswith(text)


def waited(step: str) -> Callable[[Event], bool]:
    """The event that ends a step's waiting."""
    return lambda event: (
        event["kind"] == "step.waiting"
        and event["data"]["step"] == step
        and not event["data"]["reason"]
    )


def is_kind(kind: str) -> Callable[[Event], bool]:
    return lambda event: bool(event["kind"] == kind)


_BOTH = (SMALL, WIDE)
_MIGRATING = tells("15 scripts")
_JOINING = begins("joining.start@OCTO3")

SCENES: Final[dict[str, Scene]] = {
    # --- plan ----------------------------------------------------------------------------------
    "plan-starting": Scene("held", is_kind("facts.cluster")),
    "plan-checking": Scene("held", is_kind("plan")),
    "plan-problem": Scene("refused", enters("failed")),
    "plan-warnings": Scene("warned", sizes=_BOTH),
    "plan-approval": Scene("held", is_kind("command"), sizes=_BOTH),
    "plan-many": Scene("many", is_kind("command")),
    "plan-gone": Scene("held", is_kind("command"), alive=False),
    "plan-of-a-run": Scene("joining-failed", _JOINING, ("p",)),
    # --- run -----------------------------------------------------------------------------------
    "run-staging": Scene("succeeded", begins("staging.prove@OCTO3")),
    "run-draining": Scene("succeeded", waited("draining.wait"), later=24.0, sizes=_BOTH),
    "run-stopping": Scene("succeeded", ends("stopping.stop@OCTO1"), later=12.0),
    "run-installing": Scene("succeeded", ends("installing.install@OCTO1"), later=40.0),
    "run-migrating": Scene("held", _MIGRATING, sizes=_BOTH),
    "run-starting": Scene("single", waited("starting.serving@OCTO1"), later=30.0, sizes=_BOTH),
    "run-joining": Scene("joining-failed", _JOINING, sizes=_BOTH),
    "run-many": Scene("many", later=2.0, sizes=_BOTH),
    "run-finishing": Scene("left-out", ends("finishing.check@OCTO1")),
    "run-rolling-back": Scene("rolled-back", ends("rolling_back.reinstall@OCTO1"), later=30.0),
    "run-held": Scene("held", enters("migrating"), ("escape",), later=90.0),
    "run-needs-a-person": Scene("joining-failed", is_end, ("escape",), later=600.0, sizes=_BOTH),
    "run-gone": Scene("resumed", is_kind("run.resumed"), ("escape",), alive=False, later=300.0),
    "run-quiet": Scene("held", _MIGRATING, passes=95.0),
    "run-resumed": Scene("resumed", waited("starting.serving@OCTO1")),
    "run-ended": Scene("succeeded", keys=("v",), alive=False),
    "run-hold-ahead": Scene("held", waited("draining.wait")),
    "run-steps": Scene("joining-failed", _JOINING, ("t", "down", "down", "right", "right")),
    "run-steps-many": Scene("many", keys=("t",)),
    "run-zoomed-log": Scene("joining-failed", _JOINING, ("l", "z")),
    "run-zoomed-nodes": Scene("many", keys=("z",)),
    "run-log-filtered": Scene("joining-failed", _JOINING, ("ampersand", *"script", "enter")),
    "run-log-found": Scene("joining-failed", _JOINING, ("slash", *"ginning", "enter")),
    "run-log-wrapped": Scene("joining-failed", _JOINING, ("l", "z", "home", "w")),
    "run-log-selected": Scene("joining-failed", _JOINING, ("l", "up", "v", "up", "up")),
    "run-log-of-a-node": Scene("joining-failed", _JOINING, ("o",)),
    # --- node ----------------------------------------------------------------------------------
    "node-running": Scene("held", _MIGRATING, ("enter",), sizes=_BOTH),
    "node-failed": Scene("joining-failed", is_end, ("escape", "enter"), sizes=_BOTH),
    "node-left-out": Scene("left-out", keys=("v", "enter"), alive=False),
    "node-log": Scene("held", _MIGRATING, ("enter", "l")),
    # --- decision ------------------------------------------------------------------------------
    "decision-failed-node": Scene("joining-failed", is_end, later=600.0, sizes=_BOTH),
    "decision-first-node": Scene("rolled-back", enters("rolling_back")),
    "decision-failed-database": Scene("database-failed", sizes=_BOTH),
    "decision-held": Scene("held", enters("migrating"), later=90.0, sizes=_BOTH),
    "decision-gone": Scene("resumed", is_kind("run.resumed"), alive=False, later=300.0),
    "decision-way-back-failed": Scene("way-back-failed"),
    "decision-nobody-there": Scene("joining-failed", alive=False, later=7200.0),
    # --- questions -----------------------------------------------------------------------------
    "confirm-retry": Scene("joining-failed", is_end, ("r",)),
    "confirm-leave-out": Scene("joining-failed", is_end, ("L",), sizes=_BOTH),
    "confirm-roll-back": Scene("database-failed", keys=("B",)),
    "confirm-no-return": Scene("held", enters("migrating"), ("R",)),
    "confirm-hold": Scene("succeeded", ends("stopping.stop@OCTO1"), ("h",)),
    "confirm-abort": Scene("held", is_kind("command"), ("X",)),
    "ask-find": Scene("joining-failed", _JOINING, ("slash", *"scr")),
    "ask-filter": Scene("joining-failed", _JOINING, ("ampersand", *"/script08/")),
    "help-plan": Scene("held", is_kind("command"), ("question_mark",)),
    "help-run": Scene("joining-failed", _JOINING, ("question_mark",), sizes=_BOTH),
    "help-log": Scene("joining-failed", _JOINING, ("l", "question_mark"), sizes=(WIDE,)),
    "help-node": Scene("joining-failed", _JOINING, ("enter", "question_mark")),
    "help-decision": Scene("joining-failed", is_end, ("question_mark",)),
    "help-report": Scene("succeeded", keys=("question_mark",), alive=False),
    "palette": Scene("joining-failed", _JOINING, ("ctrl+p", *"log")),
    # --- report --------------------------------------------------------------------------------
    "report-succeeded": Scene("succeeded", alive=False, sizes=_BOTH),
    "report-left-out": Scene("left-out", alive=False),
    "report-rolled-back": Scene("rolled-back", alive=False, sizes=_BOTH),
    "report-aborted": Scene("aborted", alive=False),
    "report-refused": Scene("refused", alive=False, sizes=_BOTH),
    "report-resumed": Scene("resumed", alive=False),
    "report-end": Scene("left-out", keys=("end",), alive=False),
    # --- sizes and colours ---------------------------------------------------------------------
    "tiny-run": Scene("held", _MIGRATING, sizes=((50, 12),)),
    "tiny-plan": Scene("held", is_kind("command"), sizes=((50, 12),)),
    "tiny-decision": Scene("joining-failed", is_end, sizes=((50, 12),)),
}
