"""Everything a person can do at the screen, in one table.

Bindings, the line of keys, the palette, the help screen and the confirmations are made of it. A
command that steers a run says in words what it will leave behind, before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.binding import BindingType

from octotui.tui import consequences as leaves
from octotui.tui import possible as when
from octotui.tui.ahead import next_phase
from octotui.tui.command import Command
from octotui.tui.situation import Situation
from octotui.view import RunView

EVERYWHERE: Final = ("home", "plan", "run", "node", "kept-log", "decision", "report")
_LOGS: Final = ("run", "node", "kept-log")


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
        of="live",
    )


_RUN = ("run", "node", "decision")


def _replay(move: str, keys: str, title: str, does: str) -> Command:
    places = ("plan", "run", "node")
    action = f"move_replay('{move}')"
    return Command(f"replay.{move}", keys, title, does, places, action, of="replay")


COMMANDS: Final = (
    # --- steering a run: the journal's control commands ----------------------------------------
    _steer(
        "approve", "A", "approve", "Approve the plan: the upgrade begins.",
        ("plan",), when.approve, leaves.approve,
    ),
    _steer(
        "release", "R", "go on", "Go on after a hold.", _RUN, when.release, leaves.release,
        leaves.no_return_word,
    ),
    Command(
        "run.release-all", "D", "drop holds", "Drop every hold that is ahead.", ("run", "node"),
        "steer('release-all')", when.release_all, "release", leaves.release_all,
        leaves.dropped_hold_word, leaves.every, of="live",
    ),
    _steer(
        "retry", "r", "retry", "Do again what failed, after looking at what was done.",
        _RUN, when.retry, leaves.retry,
    ),
    Command(
        "run.resume", "u", "take up", "Start a new process that takes the run up where it stopped.",
        ("plan", *_RUN), "resume", when.resume, consequence=leaves.resume,
        word=leaves.no_return_word, of="live",
    ),
    _steer(
        "leave-out", "L", "leave out", "Go on without the node that failed.",
        _RUN, when.leave_out, leaves.leave_out_one,
    ),
    _steer(
        "hold", "h", "hold", "Stop before the next phase and wait.",
        ("run", "node"), when.hold, leaves.hold, argument=next_phase,
    ),
    _steer(
        "rollback", "B", "roll back", "Put the old version back on every node, without a restore.",
        _RUN, when.rollback, leaves.rollback, leaves.rollback_word,
    ),
    _steer(
        "abort", "X", "abort", "End the run, as long as it changed nothing.",
        ("plan", *_RUN), when.abort, leaves.abort,
    ),
    # --- a replay's clock ----------------------------------------------------------------------
    _replay("play", "space", "play or pause", "Let the replayed time run, or stop it."),
    _replay("previous", "[", "event before", "Back to the last phase, failure, wait or decision, "
            "and stay there."),
    _replay("next", "]", "next event", "On to the next phase, failure, wait or decision, and "
            "stay there."),
    _replay("faster", "+,=", "faster", "Twice as fast, up to 128 seconds in one."),
    _replay("slower", "-", "slower", "Half as fast, down to the pace of the run."),
    _replay("back", "comma", "5 s back", "Five seconds back."),
    _replay("forth", ".", "5 s on", "Five seconds on."),
    _replay("far-back", "<", "1 min back", "A minute back."),
    _replay("far-forth", ">", "1 min on", "A minute on."),
    _replay("start", "0", "start", "To the beginning of the run."),
    _replay("end", "$", "end", "To where the run has come."),
    _replay("skip", ";", "skip quiet", "While playing, pass over stretches of more than "
            "five seconds in which nothing was written; or play them again."),
    # --- moving about --------------------------------------------------------------------------
    Command(
        "home.open", "o,enter", "open", "Attach to that run, or check and plan that profile.",
        ("home",), "open",
    ),
    Command(
        "home.other", "tab", "profiles or runs", "Go to the other list.", ("home",), "other",
    ),
    Command(
        "home.filter", "slash", "filter", "Show only profiles and runs with a text; an empty text "
        "shows all.",
        ("home",), "filter",
    ),
    Command(
        "home.replay", "P", "replay", "Play the run under the cursor again; of a profile its "
        "newest run.",
        ("home",), "replay",
    ),
    Command(
        "decision.open", "d", "decide", "What can be done now, and what each leaves behind.",
        ("run", "node"), "decide", when.decide, of="live",
    ),
    Command(
        "decision.other", "tab", "what happened", "Go to what happened, to scroll it, and back to "
        "the choices.",
        ("decision",), "other", listed=False,
    ),
    Command(
        "plan.open", "p", "plan", "The plan and the findings of the checks.",
        ("run", "report"), "plan", when.planned,
    ),
    Command(
        "run.open", "v", "look at the run", "The nodes, steps and logs of the run that ended.",
        ("report",), "look", when.planned,
    ),
    Command(
        "run.again", "c", "check again", "Begin a new run with what this one was asked for: it "
        "makes the checks again, and waits for approval.",
        ("report",), "check_again", when.check_again, of="live",
    ),
    Command(
        "run.waive", "w", "waive", "Choose a check that refused and may be waived, and begin a new "
        "run that goes on without it: it makes the checks again, and waits for approval.",
        ("report",), "waive", when.waive, of="live",
    ),
    Command(
        "run.holder", "o", "open the other run", "Open the run that holds the cluster.",
        ("report",), "open_holder", when.open_holder, of="live",
    ),
    Command(
        "run.replay", "P", "replay", "Play the run again, from its beginning, on one clock.",
        ("run", "report"), "replay", when.replay, of="live",
    ),
    Command(
        "node.open", "enter", "open node", "Facts, steps and log of the node under the cursor.",
        ("run",), "node", listed=False,
    ),
    Command(
        "kept-log.previous", "[", "log before", "The log of an earlier job of this node.",
        ("kept-log",), "other_log(-1)",
    ),
    Command(
        "kept-log.next", "]", "next log", "The log of a later job of this node.",
        ("kept-log",), "other_log(1)",
    ),
    Command(
        "run.table", "t", "steps", "Show the nodes, or the table of nodes and steps.",
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
        "run.more-log", "}", "more log", "Give the log a tenth more of the height.",
        ("run",), "log_height(1)", listed=False,
    ),
    Command(
        "run.less-log", "{", "less log", "Give the tables a tenth more of the height.",
        ("run",), "log_height(-1)", listed=False,
    ),
    Command(
        "log.find", "slash", "find", "Find a text or /regular expression/ in the log.",
        _LOGS, "find",
    ),
    Command(
        "log.filter", "ampersand", "filter", "Show only log lines with a text or /regular "
        "expression/.",
        _LOGS, "filter",
    ),
    Command(
        "log.severity", "i", "severity", "Show all of the log, warnings and errors, or errors.",
        _LOGS, "severity", listed=False,
    ),
    Command(
        "log.node", "o", "one node's log", "The log of the node under the cursor only, or of all.",
        ("run",), "one_node", listed=False,
    ),
    Command(
        "node.installer-log", "m", "MSI log", "What Windows Installer wrote on that node, "
        "once it is fetched: after a failure, and when the upgrade ends.",
        ("run", "node", "decision"), "installer_log", when.planned,
    ),
    Command(
        "run.hold-before", "H", "hold before", "Stop before a phase that you choose, and wait.",
        ("run", "node"), "hold_before", when.hold, "hold", leaves.hold, of="live",
    ),
    Command(
        "bundle", "b", "bundle", "Make a support bundle: one file with all that is known of the "
        "run, secrets masked.",
        ("plan", "run", "node", "decision", "report"), "bundle", when.bundle,
    ),
    Command(
        "copy", "y", "copy", "Copy what this screen says, into the clipboard and a file.",
        ("plan", "decision", "report", "node"), "copy_text",
    ),
    Command(
        "back", "escape", "back", "Back to where you came from. Decides nothing.",
        ("plan", "run", "node", "kept-log", "decision", "report"), "back",
    ),
    # --- everywhere ----------------------------------------------------------------------------
    Command(
        "stream", "S", "plain lines", "Leave the full screen; go on with plain lines and what was "
        "missed. `octotui attach` leads back.",
        ("plan", "run", "node", "decision", "report"), "stream", when.opened, listed=False,
        of="live",
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
    called = f"{action}({parameters[0]!r})" if parameters else action
    return next((c for c in commands_of(place) if c.action == called), None)
