"""When a command is possible, as far as a viewer can tell. The runner has the last word.

Each takes the situation; a command that turns out to be refused is answered with the reason.
"""

from __future__ import annotations

from octotui.tui.ahead import holds_ahead
from octotui.tui.refusals import waivable
from octotui.tui.situation import Situation
from octotui.upgrade.phases import BY_NAME, WAITING
from octotui.view import RunView

#: Phases in which a node that failed can be left behind.
_LEAVES_OUT = ("installing", "joining", "finishing")


def always(situation: Situation) -> bool:
    return True


def opened(situation: Situation) -> bool:
    return situation.view is not None


def planned(situation: Situation) -> bool:
    return bool(situation.view and situation.view.plan)


def approve(situation: Situation) -> bool:
    return situation.state == "ready" and situation.alive


def hold(situation: Situation) -> bool:
    if situation.state in ("finishing", "rolling_back"):
        return False  # nothing is ahead that it could stop before
    return situation.alive and working(situation)


def release(situation: Situation) -> bool:
    return situation.state == "held" and situation.alive


def release_all(situation: Situation) -> bool:
    view = situation.view
    ahead = view is not None and bool(holds_ahead(view))
    return ahead and situation.alive and working(situation)


def retry(situation: Situation) -> bool:
    return situation.state == "needs_person" and situation.alive


def leave_out(situation: Situation) -> bool:
    view = situation.view
    if view is None or view.state != "needs_person" or view.waiting_phase not in _LEAVES_OUT:
        return False
    return bool(leavable_nodes(view))


def leavable_nodes(view: RunView) -> list[str]:
    """The nodes that failed, where all that failed are nodes that can be left out.

    In the order of the profile.
    """
    nodes = {step.node for step in view.failed_steps()}
    if None in nodes or view.plan.get("first_node") in nodes:
        return []
    return [node for node in view.nodes if node in nodes]


def rollback(situation: Situation) -> bool:
    view = situation.view
    if view is None or not view.changed or view.database_upgraded or over(situation):
        return False
    if view.state in WAITING:
        return view.waiting_phase != "rolling_back"
    return situation.alive and working(situation) and view.state != "rolling_back"


def abort(situation: Situation) -> bool:
    view = situation.view
    if view is None or view.changed or over(situation):
        return False
    return situation.alive or view.state in WAITING


def resume(situation: Situation) -> bool:
    """Nobody carries the run out, and it has not come to its end."""
    return situation.view is not None and not situation.alive and not over(situation)


def decide(situation: Situation) -> bool:
    return situation.state in WAITING or resume(situation)


def check_again(situation: Situation) -> bool:
    """It was refused before it changed anything: nothing is left to be taken up."""
    view = situation.view
    return bool(view and view.outcome == "refused" and not view.changed)


def waive(situation: Situation) -> bool:
    """Of the checks that refused it some may be waived: a new run may get further."""
    view = situation.view
    return view is not None and check_again(situation) and bool(waivable(view))


def open_holder(situation: Situation) -> bool:
    """Another run was in the way, and it is known which."""
    return bool(situation.view and situation.view.holder)


def replay(situation: Situation) -> bool:
    """Nothing more comes of the run for now: one can look back."""
    return planned(situation) and (situation.ended or not situation.alive)


def bundle(situation: Situation) -> bool:
    """The run began: where another one held the cluster there is nothing to put together."""
    return bool(situation.view and situation.view.started is not None)


def working(situation: Situation) -> bool:
    """Whether the run is in a phase that acts on the cluster."""
    return situation.state in BY_NAME and situation.state not in ("preflight", "ready")


def over(situation: Situation) -> bool:
    """Whether the run has come to an end that it does not leave."""
    return situation.view is not None and situation.view.over
