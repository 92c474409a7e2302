"""Everything a person can do at the screen, in one table.

Bindings, the line of keys, the palette, the help screen and the confirmations are made of it. A
command that steers a run says in words what it will leave behind, before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from textual.binding import Binding, BindingType

from octotui.tui import consequences as leaves
from octotui.tui import possible as when
from octotui.tui.situation import Situation
from octotui.view import RunView

EVERYWHERE: Final = ("home", "plan", "run", "node", "decision", "report")


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    ``id`` is what a person's key file names. ``places`` are the screens that have it, ``does`` is
    its help. ``control`` is the journal's word for a command that steers the run; those have a
    ``consequence``, perhaps an ``argument``, and, where it cannot be taken back, a ``word`` that
    has to be typed.
    """

    id: str
    keys: str
    title: str
    does: str
    places: tuple[str, ...]
    action: str
    possible: Callable[[Situation], bool] = when.always
    control: str = ""
    consequence: Callable[[RunView], str] = leaves.nothing
    word: Callable[[RunView], str] = leaves.nothing
    argument: Callable[[RunView], str] = leaves.nothing
    listed: bool = True

    def binding(self) -> Binding:
        return Binding(
            self.keys,
            self.action,
            self.title,
            show=self.listed,
            tooltip=self.does,
            id=self.id,
        )


def _steer(
    name: str,
    keys: str,
    title: str,
    does: str,
    places: tuple[str, ...],
    possible: Callable[[Situation], bool],
    consequence: Callable[[RunView], str],
    word: Callable[[RunView], str] = leaves.nothing,
    argument: Callable[[RunView], str] = leaves.nothing,
) -> Command:
    action = f"steer('{name}')"
    return Command(
        f"run.{name}",
        keys,
        title,
        does,
        places,
        action,
        possible,
        name,
        consequence,
        word,
        argument,
    )


_RUN = ("run", "node", "decision")

COMMANDS: Final = (
    # --- steering a run: the journal's control commands ----------------------------------------
    _steer(
        "approve", "A", "approve", "Approve the plan: the upgrade begins.",
        ("plan",), when.approve, leaves.approve,
    ),
    _steer(
        "release", "R", "go on", "Go on after a hold.", _RUN, when.release, leaves.release,
    ),
    Command(
        "run.release-all", "D", "drop holds", "Drop every hold that is ahead.", ("run", "node"),
        "steer('release-all')", when.release_all, "release", leaves.release_all,
        argument=leaves.every,
    ),
    _steer(
        "retry", "r", "retry", "Do again what failed, after looking at what was done.",
        _RUN, when.retry, leaves.retry,
    ),
    _steer(
        "leave-out", "L", "leave out", "Go on without the node that failed.",
        _RUN, when.leave_out, leaves.leave_out, leaves.failed_node, leaves.failed_node,
    ),
    _steer(
        "hold", "h", "hold", "Stop before the next phase and wait.",
        ("run", "node"), when.hold, leaves.hold,
    ),
    _steer(
        "rollback", "B", "roll back", "Put the old version back on every node, without a restore.",
        _RUN, when.rollback, leaves.rollback, leaves.rollback_word,
    ),
    _steer(
        "abort", "X", "abort", "End the run, as long as it changed nothing.",
        ("plan", *_RUN), when.abort, leaves.abort,
    ),
    Command(
        "run.resume", "u", "take up", "Start a new process that takes the run up where it stopped.",
        ("plan", *_RUN), "resume", when.resume, consequence=leaves.resume,
    ),
    # --- moving about --------------------------------------------------------------------------
    Command(
        "home.open", "o,enter", "open", "Attach to that run, or check and plan that profile.",
        ("home",), "open",
    ),
    Command(
        "home.other", "tab", "profiles or runs", "Go to the other list.", ("home",), "other",
    ),
    Command(
        "decision.open", "d", "decide", "What can be done now, and what each leaves behind.",
        ("run", "node"), "decide", when.decide,
    ),
    Command(
        "plan.open", "p", "plan", "The plan and the findings of the checks.",
        ("run", "report"), "plan", when.planned,
    ),
    Command(
        "run.open", "v", "look at the run", "The nodes, steps and logs of the run that ended.",
        ("report",), "look", when.always,
    ),
    Command(
        "node.open", "enter", "open node", "Facts, steps and log of the node under the cursor.",
        ("run",), "node", listed=False,
    ),
    Command(
        "run.table", "t", "nodes or steps", "Show the nodes, or the table of nodes and steps.",
        ("run",), "table",
    ),
    Command(
        "run.log", "l", "log", "Go to the log, and back to the nodes.", ("run", "node"), "log",
    ),
    Command(
        "run.zoom", "z", "zoom", "Give the part you are in the whole screen, and back.",
        ("run", "node"), "zoom",
    ),
    Command(
        "log.find", "slash", "find", "Find a text or /regular expression/ in the log.",
        ("run", "node"), "find",
    ),
    Command(
        "log.filter", "ampersand", "filter", "Show only log lines with a text or /regular "
        "expression/.",
        ("run", "node"), "filter", listed=False,
    ),
    Command(
        "log.severity", "i", "severity", "Show all of the log, warnings and errors, or errors.",
        ("run", "node"), "severity", listed=False,
    ),
    Command(
        "log.node", "o", "one node's log", "The log of the node under the cursor only, or of all.",
        ("run",), "one_node", listed=False,
    ),
    Command(
        "copy", "y", "copy", "Copy what this screen says, into the clipboard and a file.",
        ("plan", "decision", "report", "node"), "copy_text",
    ),
    Command(
        "back", "escape", "back", "Back to where you came from. Decides nothing.",
        ("plan", "run", "node", "decision", "report"), "back",
    ),
    # --- everywhere ----------------------------------------------------------------------------
    Command(
        "stream", "S", "plain lines", "Leave the full screen; go on with plain lines and what was "
        "missed. `octotui attach` leads back.",
        ("plan", "run", "node", "decision", "report"), "stream", when.opened, listed=False,
    ),
    Command(
        "mouse", "M", "mouse", "Take the mouse, or leave it to the terminal for selecting text.",
        EVERYWHERE, "toggle_mouse", listed=False,
    ),
    Command(
        "help", "question_mark,f1", "help", "Every key of this screen, and what it does.",
        EVERYWHERE, "show_help",
    ),
    Command(
        "quit", "q", "leave", "Leave the screen. A run goes on without it: nothing is decided.",
        EVERYWHERE, "leave",
    ),
)  # fmt: skip

BY_ID: Final = {command.id: command for command in COMMANDS}


def commands_of(place: str) -> list[Command]:
    return [command for command in COMMANDS if place in command.places]


def bindings_of(place: str) -> list[BindingType]:
    """The bindings of one screen. Textual takes them when the screen's class is made."""
    return [command.binding() for command in commands_of(place)]


def command_of(place: str, action: str, parameters: tuple[object, ...]) -> Command | None:
    """The command of a screen behind one of its actions."""
    called = f"{action}('{parameters[0]}')" if parameters else action
    return next((c for c in commands_of(place) if c.action == called), None)


def choices(situation: Situation) -> list[Command]:
    """What a person can decide now, the harmless first."""
    return [c for c in COMMANDS if "decision" in c.places and _decides(c) and c.possible(situation)]


def _decides(command: Command) -> bool:
    return bool(command.control) or command.id == "run.resume"
