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
from octotui.tui.screens.kept_log import KeptLogScreen
from tests.cockpit_support import RUN_ID, Recorded, begins, enters, is_end

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
    them while one looks on. ``kept``: logs that were fetched from nodes, by name.
    """

    journal: str
    until: Callable[[Event], bool] = lambda event: False
    keys: tuple[str, ...] = ()
    alive: bool = True
    later: float = 4.0
    passes: float = 0.0
    sizes: tuple[tuple[int, int], ...] = (SMALL, WIDE)
    kept: Mapping[str, str] = field(default_factory=dict)
    replayed: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: COLOURFUL)
    theme: str = ""

    def in_colours(self, name: str) -> Scene:
        environment, theme = COLOURS[name]
        return replace(self, environment=environment, theme=theme)

    def record(self, folder: Path) -> Recorded:
        run = Recorded(folder, self.journal, self.until, alive=self.alive)
        run.later = self.later
        for name, text in self.kept.items():
            (run.run.logs / name).write_text(text, encoding="utf-8")
        return run

    def cockpit(self, run: Recorded) -> Cockpit:
        settings = Settings(theme=self.theme, mouse=False)
        return Cockpit(
            run.run,
            replayed=self.replayed,
            now=run.now,
            environment=self.environment,
            settings=settings,
        )

    async def play(self, pilot: Pilot[Any], run: Recorded) -> None:
        """Lets the screen settle, presses the keys, and lets it settle again."""
        app = pilot.app
        assert isinstance(app, Cockpit)
        app.tick()
        await pilot.pause()
        for key in self.keys:
            await pilot.press(key)
            await pilot.pause()
        if isinstance(app.screen, KeptLogScreen):
            await app.workers.wait_for_complete()  # it reads in threads
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


_TINY = ((50, 12),)
_MSI_LOG = """\
=== Verbose logging started: 09/10/2025  8:58:56  Build type: SHIP UNICODE 5.00 ===
MSI (s) (A4:B8) [08:58:57:012]: Product: Octopus Deploy Server -- Installation started.
MSI (s) (A4:B8) [08:59:31:377]: Executing op: FileCopy(SourceName=Octopus.Server.dll,FileSize=18)
MSI (s) (A4:B8) [08:59:31:390]: Note: 1: 1304 2: Octopus.Server.dll
Error 1304. Error writing to file: Octopus.Server.dll. Verify that you have access to that folder.
Action ended 8:59:56: InstallFinalize. Return value 3.
MSI (s) (A4:B8) [08:59:57:001]: MainEngineThread is returning 1603
"""
_KEPT = {f"OCTO2-{RUN_ID}.msi-target.1.log": _MSI_LOG}
_MIGRATING = tells("15 scripts")
_JOINING = begins("joining.start@OCTO3")

SCENES: Final[dict[str, Scene]] = {
    # --- plan ----------------------------------------------------------------------------------
    "plan-starting": Scene("held", is_kind("facts.cluster")),
    "plan-checking": Scene("held", is_kind("plan")),
    "plan-problem": Scene("refused", enters("failed")),
    "plan-warnings": Scene("warned"),
    "plan-approval": Scene("held", is_kind("command")),
    "plan-measured": Scene("measured"),
    "plan-many": Scene("many", is_kind("command")),
    "plan-gone": Scene("held", is_kind("command"), alive=False),
    "plan-of-a-run": Scene("joining-failed", _JOINING, ("p",)),
    # --- run -----------------------------------------------------------------------------------
    "run-staging": Scene("succeeded", begins("staging.prove@OCTO3")),
    "run-draining": Scene("succeeded", waited("draining.wait"), later=24.0),
    "run-stopping": Scene("succeeded", ends("stopping.stop@OCTO1"), later=12.0),
    "run-installing": Scene("succeeded", ends("installing.install@OCTO1"), later=40.0),
    "run-migrating": Scene("held", _MIGRATING),
    "run-starting": Scene("single", waited("starting.serving@OCTO1"), later=30.0),
    "run-joining": Scene("joining-failed", _JOINING),
    "run-many": Scene("many", later=2.0),
    "run-finishing": Scene("left-out", ends("finishing.check@OCTO1")),
    "run-rolling-back": Scene("rolled-back", ends("rolling_back.reinstall@OCTO1"), later=30.0),
    "run-held": Scene("held", enters("migrating"), ("escape",), later=90.0),
    "run-needs-a-person": Scene("joining-failed", is_end, ("escape",), later=600.0),
    "run-gone": Scene("resumed", is_kind("run.resumed"), ("escape",), alive=False, later=300.0),
    "run-quiet": Scene("held", _MIGRATING, passes=95.0),
    "run-resumed": Scene("resumed", waited("starting.serving@OCTO1")),
    "run-ended": Scene("succeeded", keys=("v",), alive=False),
    "run-hold-ahead": Scene("held", waited("draining.wait")),
    "run-steps": Scene("joining-failed", _JOINING, ("t", "down", "down", "right", "right")),
    "run-steps-many": Scene("many", keys=("t",)),
    "run-zoomed-log": Scene("joining-failed", _JOINING, ("l", "z")),
    "run-zoomed-nodes": Scene("many", keys=("z",)),
    "run-zoomed-steps": Scene("many", keys=("t", "z")),
    "run-log-filtered": Scene("joining-failed", _JOINING, ("ampersand", *"script", "enter")),
    "run-log-found": Scene("joining-failed", _JOINING, ("slash", *"ginning", "enter")),
    "run-log-wrapped": Scene("joining-failed", _JOINING, ("l", "z", "home", "w")),
    "run-log-selected": Scene("joining-failed", _JOINING, ("l", "up", "v", "up", "up")),
    "run-log-of-a-node": Scene("joining-failed", _JOINING, ("o",)),
    # --- node ----------------------------------------------------------------------------------
    "node-running": Scene("held", _MIGRATING, ("enter",)),
    "node-failed": Scene("joining-failed", is_end, ("escape", "enter")),
    "node-left-out": Scene("left-out", keys=("v", "enter"), alive=False),
    "node-log": Scene("held", _MIGRATING, ("enter", "l")),
    # --- decision ------------------------------------------------------------------------------
    "decision-failed-node": Scene("joining-failed", is_end, later=600.0),
    "decision-first-node": Scene("rolled-back", enters("rolling_back")),
    "decision-failed-database": Scene("database-failed"),
    "decision-held": Scene("held", enters("migrating"), later=90.0),
    "decision-gone": Scene("resumed", is_kind("run.resumed"), alive=False, later=300.0),
    "decision-way-back-failed": Scene("way-back-failed"),
    "decision-nobody-there": Scene("joining-failed", alive=False, later=7200.0),
    "kept-log": Scene("joining-failed", is_end, ("m",), kept=_KEPT),
    "kept-log-found": Scene(
        "joining-failed", is_end, ("m", "slash", *"file", "enter", "w"), kept=_KEPT
    ),
    "kept-log-none": Scene("held", waited("draining.wait"), ("m",)),
    # --- replay: it begins to play, and stands from then on -------------------------------------
    "replay-start": Scene("left-out", keys=("space", "0"), replayed=True),
    "replay-failure": Scene(
        "left-out", keys=("space", "$", *["["] * 3), alive=False, replayed=True
    ),
    "replay-end": Scene("rolled-back", keys=("space", "$"), alive=False, replayed=True),
    "replay-help": Scene("left-out", keys=("space", "0", "question_mark"), replayed=True),
    # --- questions -----------------------------------------------------------------------------
    "confirm-retry": Scene("joining-failed", is_end, ("r",)),
    "confirm-leave-out": Scene("joining-failed", is_end, ("L",)),
    "confirm-roll-back": Scene("database-failed", keys=("B",)),
    "confirm-no-return": Scene("held", enters("migrating"), ("R",)),
    "confirm-hold": Scene("succeeded", ends("stopping.stop@OCTO1"), ("h",)),
    "hold-before": Scene("succeeded", waited("draining.wait"), ("H", "down", "down", "down")),
    "hold-before-held": Scene("held", waited("draining.wait"), ("H",)),
    "waive": Scene("no-way-back", keys=("w", "down"), alive=False),
    "confirm-abort": Scene("held", is_kind("command"), ("X",)),
    "ask-find": Scene("joining-failed", _JOINING, ("slash", *"scr")),
    "ask-filter": Scene("joining-failed", _JOINING, ("ampersand", *"/script08/")),
    "help-plan": Scene("held", is_kind("command"), ("question_mark",)),
    "help-run": Scene("joining-failed", _JOINING, ("question_mark",)),
    "help-log": Scene("joining-failed", _JOINING, ("l", "question_mark")),
    "help-node": Scene("joining-failed", _JOINING, ("enter", "question_mark")),
    "help-decision": Scene("joining-failed", is_end, ("question_mark",)),
    "help-report": Scene("succeeded", keys=("question_mark",), alive=False),
    "palette": Scene("joining-failed", _JOINING, ("ctrl+p", *"log")),
    # --- report --------------------------------------------------------------------------------
    "report-succeeded": Scene("succeeded", alive=False),
    "report-left-out": Scene("left-out", alive=False),
    "report-rolled-back": Scene("rolled-back", alive=False),
    "report-aborted": Scene("aborted", alive=False),
    "report-refused": Scene("refused", alive=False),
    "report-no-way-back": Scene("no-way-back", alive=False),
    "report-resumed": Scene("resumed", alive=False),
    "report-end": Scene("left-out", keys=("end",), alive=False),
    # --- sizes and colours ---------------------------------------------------------------------
    "tiny-run": Scene("held", _MIGRATING, sizes=_TINY),
    "tiny-plan": Scene("held", is_kind("command"), sizes=_TINY),
    "tiny-decision": Scene("joining-failed", is_end, sizes=_TINY),
}
