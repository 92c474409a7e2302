"""Steering a run: what people's commands do to it, and why one is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from octotui.api.errors import OctotuiError
from octotui.run.control import check_command
from octotui.run.journal import Journal
from octotui.run.ledger import Ledger
from octotui.run.phase_runner import Append
from octotui.upgrade.machine import RunMachine
from octotui.upgrade.phases import FINAL, HOLDABLE, WAITING, sequence
from octotui.upgrade.plan import Plan


class Steering:
    """Takes commands from the journal and carries them out through the machine.

    ``approved`` is the plan that a person saw and approved. ``taken`` is set after each command.
    ``interrupt`` stops the steps that can be stopped half-way without harm. ``append`` journals.
    """

    def __init__(
        self,
        journal: Journal,
        ledger: Ledger,
        machine: RunMachine,
        append: Append,
        interrupt: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._ledger = ledger
        self._machine = machine
        self._append = append
        self._interrupt = interrupt
        self.approved: Plan | None = None
        self.taken = asyncio.Event()

    async def next_command(self) -> None:
        """Waits until a command was taken."""
        self.taken.clear()
        await self.taken.wait()

    def take_pending(self) -> list[str]:
        """Takes every command that nobody has answered; each answer is journalled.

        Returns what was refused, a sentence for each.
        """
        refusals = []
        for command in self._journal.pending_commands():
            try:
                answer = self.obey(command.command, command.argument)
            except OctotuiError as error:
                answer = f"refused: {error}"
                refusals.append(f"'{command}' was refused: {str(error).rstrip('.')}.")
            self._append(
                "run",
                "command",
                {
                    "command": command.command,
                    "argument": command.argument,
                    "by": command.by,
                    "answer": answer,
                    "hold": sorted(self._machine.marks.hold),
                },
            )
            self._journal.answer(command.id, answer)
            self.taken.set()
        return refusals

    def obey(self, command: str, argument: str) -> str:
        """Carries out a command, or takes note of it; the sentence says what came of it.

        Raises OctotuiError where it is refused.
        """
        check_command(command, argument)
        machine = self._machine
        match command:
            case "approve":
                if machine.state != "ready":
                    machine.fire("approve")  # refuses, and says what is possible
                self.approved = self._ledger.plan
                return "approved"
            case "hold":
                return self._hold(argument)
            case "release":
                return self._release(every=argument == "all")
            case "leave-out":
                return self._leave_out(argument)
            case "rollback" | "abort" if self._is_working():
                return self._break_off(command)
            case name:
                state = machine.fire(name).replace("_", " ")
                return f"the run is now {state}"

    def _is_working(self) -> bool:
        return self._machine.state not in (*WAITING, *FINAL, "preflight", "ready", "rolling_back")

    def _break_off(self, how: str) -> str:
        """Abort or rollback while steps run: noted, and what can be stopped half-way is stopped."""
        marks = self._machine.marks
        if how == "abort":
            if marks.changed:
                raise OctotuiError(
                    "the run has changed the cluster and cannot be aborted any more",
                    next_step="Possible now: rollback",
                )
            marks.wants_abort = True
        else:
            self._refuse_rollback()
            marks.wants_rollback = True
        self._interrupt()
        if how == "rollback" and self._ledger.database_upgrade_begun:
            return (
                "takes effect if the database upgrade fails; once it has ended well, "
                "only a restore leads back"
            )
        return "takes effect when the steps that are running have ended"

    def _refuse_rollback(self) -> None:
        if not self._machine.marks.changed:
            raise OctotuiError(
                "nothing was changed that could be rolled back", next_step="Possible now: abort"
            )
        if self._ledger.database_upgraded:
            raise OctotuiError(
                "the database is upgraded, so that only a restore of the backup leads back",
                next_step="Let the run go on",
            )

    def _hold(self, phase: str) -> str:
        machine = self._machine
        phases = sequence(machine.cluster)
        now = machine.marks.waiting_phase if machine.state in WAITING else machine.state
        ahead = phases[phases.index(now) + 1 :] if now in phases else ()
        ahead = tuple(name for name in ahead if name in HOLDABLE)
        if phase in ("", "next"):
            phase = ahead[0] if ahead else ""
        if phase not in ahead:
            raise OctotuiError(
                f"there is no phase {phase} ahead to hold before"
                if phase
                else f"there is nothing to hold before while the run is {machine.state}",
                next_step=f"Ahead are: {', '.join(ahead)}" if ahead else "",
            )
        machine.marks.hold |= {phase}
        return f"will hold before {phase}"

    def _release(self, *, every: bool) -> str:
        """Goes on after the hold that the run is in. Only ``every`` drops those that are ahead:

        typed twice on a slow line, a plain release must not lose the next one.
        """
        machine, marks = self._machine, self._machine.marks
        held = machine.state == "held"
        if not held and not every:
            ahead = ", ".join(phase for phase in HOLDABLE if phase in marks.hold)
            raise OctotuiError(
                f"the run is not held, it is {machine.state}",
                next_step=f"It will hold before {ahead}; 'release all' drops that" if ahead else "",
            )
        marks.hold = frozenset() if every else marks.hold - {marks.waiting_phase}
        if not held:
            return "every hold is dropped"
        return f"goes on with {machine.fire('release')}" + (", without a hold" if every else "")

    def _leave_out(self, node: str) -> str:
        if node not in self._ledger.failed_nodes:
            failed = ", ".join(sorted(n for n in self._ledger.failed_nodes if n)) or "none"
            raise OctotuiError(f"{node} has not failed here", next_step=f"Failed: {failed}")
        if self._machine.leads_to("leave_out") is None:
            self._machine.fire("leave_out")  # refuses
        self._append(f"node:{node}", "node.left-out", {"node": node})
        for step in [s for s in self._ledger.failures if s.endswith(f"@{node}")]:
            del self._ledger.failures[step]
        return f"goes on with {self._machine.fire('leave_out')}, without {node}"
