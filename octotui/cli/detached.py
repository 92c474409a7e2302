"""What becomes of a run that a viewer leaves, in words."""

from __future__ import annotations

from octotui.run.directory import RunDirectory
from octotui.run.process import LifeUnknown, is_alive
from octotui.view import RunView


def detached(run: RunDirectory, view: RunView) -> list[str]:
    """Lines for the terminal: leaving decided nothing, and whether anything goes on."""
    again = f"Look at it again: octotui attach {run.run_id}"
    try:
        alive = is_alive(run)
    except LifeUnknown as error:
        return [f"Detached; nothing was decided. {error}", again]
    if not alive:
        return [
            f"Detached. The run's process is gone, in {_words(view.state)}; nothing goes on.",
            f"Take it up: octotui resume {run.run_id}",
        ]
    if view.state == "ready":
        said = "The run waits for approval; nothing was changed."
    elif view.state == "held":
        said = f"The run waits before {_words(view.waiting_phase)}, as asked, with no time limit."
    elif view.state == "needs_person":
        said = f"The run waits for a person in {_words(view.waiting_phase)}, with no time limit."
    else:
        said = f"The run goes on: {_words(view.state)}."
    return [f"Detached; nothing was decided. {said}", again]


def _words(state: str) -> str:
    return state.replace("_", " ")
