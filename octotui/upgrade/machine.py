"""The decision table of a run: may this trigger fire now, and where does it lead?

``transitions.Machine`` is used flat and synchronous. It does no work: the runner awaits the steps
of the phase it is in and then fires ``done`` or ``fail``. Guards look at marks, which are facts
that the runner observed right before firing. Every row, for single servers and clusters, comes
from ``rows``; rows of a trigger are tried from the top.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from transitions import Machine

from octotui.api.errors import OctotuiError
from octotui.upgrade.phases import BY_NAME, FINAL, HOLDABLE, PHASES, WAITING, sequence

# It warns of every helper method that a model does not declare.
logging.getLogger("transitions").setLevel(logging.ERROR)

STATES = (*(phase.name for phase in PHASES), "rolling_back", *WAITING, *FINAL)

TRIGGERS = (
    "done",
    "fail",
    "approve",
    "recheck",
    "release",
    "retry",
    "leave_out",
    "rollback",
    "abort",
)


@dataclass(slots=True)
class Marks:
    """What the guards look at. All of it is observed or asked for, nothing is guessed."""

    #: A phase that changes the world was entered.
    changed: bool = False
    #: The database is proved unchanged, or its upgrade was never begun.
    schema_unchanged: bool = True
    #: No node's package was touched, or the old one was staged and proved on every node.
    old_package: bool = True
    #: The policy is to back out by itself where that is possible.
    backs_out: bool = False
    #: Phases to hold before.
    hold: frozenset[str] = frozenset()
    #: A person asked for it while steps were running.
    wants_rollback: bool = False
    wants_abort: bool = False
    #: The phase a waiting run came from (``needs_person``) or goes to (``held``).
    waiting_phase: str = ""
    #: Every failure in this phase concerns nodes that can be left out.
    can_leave_out: bool = False


class TriggerRefused(OctotuiError):
    """A trigger that may not fire now; says what is possible instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``when`` are names of methods of ``RunMachine``, all must hold."""

    trigger: str
    source: str
    target: str
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


def rows(cluster: bool) -> Iterator[Row]:
    """The whole table for a cluster, or for a single server."""
    phases = sequence(cluster)
    work = phases[2:]  # after preflight and ready

    yield Row("done", "preflight", "ready")
    yield Row("fail", "preflight", "failed")
    yield Row("abort", "preflight", "aborted")
    yield Row("approve", "ready", "held", when=("holds_staging",))
    yield Row("approve", "ready", "staging")
    yield Row("recheck", "ready", "preflight")
    yield Row("fail", "ready", "failed")
    yield Row("abort", "ready", "aborted")

    for phase, following in zip(work, (*work[1:], "succeeded"), strict=True):
        yield Row("done", phase, "rolling_back", when=("wants_rollback", "can_roll_back"))
        yield Row("done", phase, "aborted", when=("wants_abort",), unless=("changed",))
        if following in HOLDABLE:
            yield Row("done", phase, "held", when=(f"holds_{following}",))
        yield Row("done", phase, following)
        yield Row("fail", phase, "aborted", when=("wants_abort",), unless=("changed",))
        yield Row("fail", phase, "rolling_back", when=("wants_rollback", "can_roll_back"))
        yield Row("fail", phase, "rolling_back", when=("backs_out", "can_roll_back"))
        yield Row("fail", phase, "failed", when=("backs_out",), unless=("changed",))
        yield Row("fail", phase, "needs_person")
        yield Row("release", "held", phase, when=(f"waits_in_{phase}",))
        yield Row("retry", "needs_person", phase, when=(f"waits_in_{phase}",))

    for phase in ("installing", "joining", "finishing"):
        if phase in work:
            yield Row(
                "leave_out", "needs_person", phase, when=(f"waits_in_{phase}", "can_leave_out")
            )
    for waiting in WAITING:
        yield Row("rollback", waiting, "rolling_back", when=("can_roll_back",))
        yield Row("abort", waiting, "aborted", unless=("changed",))

    yield Row("done", "rolling_back", "rolled_back")
    yield Row("fail", "rolling_back", "needs_person")
    yield Row("retry", "needs_person", "rolling_back", when=("waits_in_rolling_back",))


@dataclass
class RunMachine:
    """The state of one run.

    ``write_ahead(source, target, trigger)`` is called before a state changes; if it raises, the
    state does not change.
    """

    cluster: bool
    write_ahead: Callable[[str, str, str], None]
    state: str = "preflight"
    marks: Marks = field(default_factory=Marks)

    def __post_init__(self) -> None:
        for phase in BY_NAME:
            setattr(self, f"holds_{phase}", partial(self._holds_before, phase))
            setattr(self, f"waits_in_{phase}", partial(self._waits_in, phase))
        initial = self.state
        machine = Machine(
            states=list(STATES),
            initial=initial,
            auto_transitions=False,
            send_event=True,
            before_state_change=self._before,
        )
        for row in rows(self.cluster):
            machine.add_transition(
                row.trigger,
                row.source,
                row.target,
                conditions=list(row.when),
                unless=list(row.unless),
            )
        # Every state knows every trigger, so that refusing has one way only.
        for trigger in TRIGGERS:
            machine.events.setdefault(trigger, machine.event_cls(trigger, machine))
        machine.add_model(self, initial=initial)
        self._table = tuple(rows(self.cluster))

    def wants_rollback(self, _: object = None) -> bool:
        return self.marks.wants_rollback

    def wants_abort(self, _: object = None) -> bool:
        return self.marks.wants_abort

    def can_roll_back(self, _: object = None) -> bool:
        """Back-out without restore: something was changed, the schema is proved unchanged, and

        the old package is at hand where it is needed.
        """
        return self.marks.changed and self.marks.schema_unchanged and self.marks.old_package

    def changed(self, _: object = None) -> bool:
        return self.marks.changed

    def backs_out(self, _: object = None) -> bool:
        return self.marks.backs_out

    def can_leave_out(self, _: object = None) -> bool:
        return self.marks.can_leave_out

    def _holds_before(self, phase: str, _: object = None) -> bool:
        return phase in self.marks.hold

    def _waits_in(self, phase: str, _: object = None) -> bool:
        return self.marks.waiting_phase == phase

    def _before(self, event: object) -> None:
        transition = event.transition  # type: ignore[attr-defined]
        name = event.event.name  # type: ignore[attr-defined]
        self.write_ahead(transition.source, transition.dest, name)

    def possible(self) -> tuple[str, ...]:
        """The triggers that would fire now, with the marks as they are."""
        return tuple(t for t in TRIGGERS if self.leads_to(t) is not None)

    def leads_to(self, trigger: str) -> str | None:
        """The state that a trigger would lead to now, or None."""
        for row in self._table:
            if row.trigger == trigger and row.source == self.state and self._holds(row):
                return row.target
        return None

    def _holds(self, row: Row) -> bool:
        return all(getattr(self, name)() for name in row.when) and not any(
            getattr(self, name)() for name in row.unless
        )

    def fire(self, trigger: str) -> str:
        """Fires and returns the new state. Raises TriggerRefused, naming what is possible."""
        if self.leads_to(trigger) is None:
            possible = ", ".join(t.replace("_", "-") for t in self.possible()) or "nothing"
            raise TriggerRefused(
                f"'{trigger.replace('_', '-')}' is not possible while the run is {self.state}",
                next_step=f"Possible now: {possible}",
            )
        # `trigger` of transitions tries the rows in the same order as leads_to.
        self.trigger(trigger)  # type: ignore[attr-defined]
        return self.state
