"""The runner: executes one run from preflight to its end, journalling everything.

It is its own process from the first day. Viewers read its journal and add commands to it; none of
them can harm it.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import octotui
from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.api.facts import Facts, NodeFacts
from octotui.plugins import PluginProblem, Plugins
from octotui.run.findings import how_to_waive
from octotui.run.journal import Journal
from octotui.run.ledger import Ledger
from octotui.run.lock import ClusterBusy, ClusterLock
from octotui.run.logs import NodeLogs
from octotui.run.outcome import EXIT_CODES, closing_lines
from octotui.run.phase_runner import PhaseRunner
from octotui.run.preflight import RunSettings, Seen, look
from octotui.run.steering import Steering
from octotui.run.unfinished import refuse_unfinished
from octotui.run.way_back import WayBack
from octotui.upgrade.machine import Marks, RunMachine
from octotui.upgrade.phases import BY_NAME, FINAL, WAITING, following
from octotui.upgrade.planner import rolling_back
from octotui.upgrade.steps.base import World

#: The command table is looked at this often, seconds (a look costs microseconds).
COMMAND_PAUSE = 0.2

#: Approval this long after the facts were read has them read again first.
FACTS_AGE = 60.0


class Runner:
    """One run. ``world`` is what it acts on; the journal's ``ledger`` is what it remembers."""

    def __init__(
        self,
        journal: Journal,
        logs: NodeLogs,
        world: World,
        plugins: Plugins,
        settings: RunSettings,
    ) -> None:
        self._journal = journal
        self._logs = logs
        self._world = world
        self._plugins = plugins
        self._settings = settings
        self._ledger = Ledger()
        for event in journal.events():
            self._ledger.apply(event)
        self._resumed = self._ledger.begun_at is not None
        hold = self._ledger.hold
        if hold is None:
            # Until it is approved, whoever approves it says where it stops; after that it is kept.
            undecided = self._ledger.state in ("preflight", "ready")
            hold = frozenset(settings.hold) if undecided else self._ledger.begun_with
        self._machine = RunMachine(
            cluster=len(settings.instances) > 1,
            write_ahead=self._write_ahead,
            state=self._ledger.state,
            marks=Marks(
                changed=self._ledger.changed,
                # Until it is observed, no way back is believed in.
                schema_unchanged=not self._ledger.database_upgrade_begun,
                backs_out=settings.backs_out,
                hold=hold,
                waiting_phase=self._ledger.waiting_phase,
            ),
        )
        self._phases = PhaseRunner(journal.run_id, world, self._ledger, self._append, logs)
        self._steering = Steering(
            journal, self._ledger, self._machine, self._append, self._phases.interrupt
        )
        self._way_back = WayBack(journal.run_id, world, self._ledger, logs)
        self._seen: Seen | None = None
        self._lock: ClusterLock | None = None
        self._refused = False
        self._refusals: list[str] = []  # of commands that were given while nobody ran it
        self._worst_lag = 0.0  # how late the event loop ever was: a starved loop shows here
        self._announced: deque[Event] = deque()

    # --- journalling ---------------------------------------------------------------------------

    def _append(self, subject: str, kind: str, data: Mapping[str, Any]) -> Event:
        event = self._journal.append(subject, kind, data)
        self._ledger.apply(event)
        self._announced.append(event)
        return event

    def _write_ahead(self, source: str, target: str, trigger: str) -> None:
        marks = self._machine.marks
        self._append(
            "run",
            "state",
            {
                "from": source,
                "to": target,
                "trigger": trigger,
                "waiting_phase": marks.waiting_phase if target in WAITING else "",
                "changed": marks.changed or (target in BY_NAME and BY_NAME[target].changes),
            },
        )

    # --- the run -------------------------------------------------------------------------------

    async def run(self) -> int:
        """Carries the run to an end and returns the exit code."""
        try:
            await self._take_lock_first()
            if self._resumed:
                state = self._machine.state
                hold = sorted(self._machine.marks.hold)
                resumed = {"pid": os.getpid(), "state": state, "hold": hold}
                self._append("run", "run.resumed", resumed)
            else:
                self._append("run", "run.started", self._started())
            self._note_problems(self._plugins.problems)
            if self._resumed:
                await self._take_up()
            await self._with_chores()
        except ClusterBusy as busy:
            return self._refuse(busy)
        finally:
            if self._lock:
                self._lock.release()
        return self._end()

    async def _take_up(self) -> None:
        """Goes on where the run stopped: that somebody takes it up is what it waited for.

        A command that was given while nobody ran it comes first, and looking comes before that.
        Where one is refused the run stays where it is: going on is not what was asked for.
        """
        state = self._machine.state
        if state in WAITING:
            await self._way_back.observe(self._machine.marks)
        self._refusals = self._steering.take_pending()
        if self._refusals and self._machine.state == state:
            await self._stay(state)
            return
        goes_on = {"needs_person": "retry", "held": "release", "ready": "recheck"}
        if self._machine.state == state and state in goes_on:
            self._machine.fire(goes_on[state])

    async def _stay(self, state: str) -> None:
        """Lets a person decide: a phase that died half-way waits, too, and does not back out."""
        marks = self._machine.marks
        if state in BY_NAME and state not in ("preflight", "ready"):
            if not (marks.wants_abort or marks.wants_rollback):
                marks.backs_out = False
            await self._fail(state)
            marks.backs_out = self._settings.backs_out

    async def _with_chores(self) -> None:
        """The run, and beside it what listens to people and tells plugins.

        Raises what the run raises, as it is: JournalError above all, after which nothing is done.
        """
        try:
            async with asyncio.TaskGroup() as group:
                chores = [
                    group.create_task(self._take_commands()),
                    group.create_task(self._announce()),
                ]
                try:
                    await self._to_the_end()
                    await self._tell_plugins()
                finally:
                    for chore in chores:
                        chore.cancel()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None

    def _started(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "profile": settings.profile,
            "cluster": settings.cluster_url,
            "nodes": list(settings.instances),
            "to": settings.to,
            "octotui": octotui.__version__,
            "pid": os.getpid(),
            "attended": settings.attended,
            "backs_out": settings.backs_out,
            "hold": list(settings.hold),
            "waived": list(settings.waived),
            "unprotected": list(settings.unprotected),
        }

    async def _take_lock_first(self) -> None:
        """A run that may not be says so in one event, before anything else.

        A cluster that does not answer cannot be told apart yet; preflight will say that, or lock.
        """
        if self._ledger.plan:
            self._take_lock(self._ledger.plan.installation_id)
            return
        try:
            cluster = await self._world.server.facts()
        except OctotuiError:
            if not self._ledger.changed:
                refuse_unfinished(self._journal.run_id, cluster_url=self._settings.cluster_url)
            return
        self._take_lock(cluster.installation_id)

    def _refuse(self, busy: ClusterBusy) -> int:
        data = {
            "holder": busy.holder,
            "what": busy.what,
            "next": busy.next_step,
            "profile": self._settings.profile,
            "cluster": self._settings.cluster_url,
        }
        self._append("run", "run.refused", data)
        return EXIT_CODES["refused"]

    async def _to_the_end(self) -> None:
        while (state := self._machine.state) not in FINAL:
            if state == "preflight":
                await self._preflight()
            elif state == "ready":
                if not await self._ready():
                    return
            elif state in WAITING:
                if not await self._wait_for_person(state):
                    return
            else:
                await self._work(state)

    def _take_lock(self, installation_id: str) -> None:
        if self._lock is None:
            lock = ClusterLock(installation_id, self._journal.run_id)
            lock.acquire()
            self._lock = lock
            if not self._ledger.changed:
                refuse_unfinished(self._journal.run_id, installation_id=installation_id)

    def _end(self) -> int:
        outcome = "refused" if self._refused else self._machine.state
        code = EXIT_CODES[outcome]
        possible = self._machine.possible()
        lines = closing_lines(outcome, self._ledger, self._journal.run_id, possible)
        if code == EXIT_CODES["needs_person"]:
            lines[1:1] = self._refusals
        if self._refused and self._seen:
            lines += [judged.as_text() for judged in self._seen.findings if judged.refuses]
            lines += how_to_waive(self._seen.findings)
        self._append(
            "run",
            "run.ended",
            {
                "outcome": outcome,
                "exit_code": code,
                "lines": lines,
                "worst_lag_seconds": round(self._worst_lag, 4),
            },
        )
        return code

    # --- preflight and approval ----------------------------------------------------------------

    async def _preflight(self) -> None:
        seen = await self._look()
        if self._machine.state != "preflight":
            return  # aborted meanwhile
        self._seen = seen
        await self._journal_facts(seen.facts)
        if seen.facts.cluster:
            self._take_lock(seen.facts.cluster.installation_id)
        for judged in seen.findings:
            subject = f"node:{judged.finding.node}" if judged.finding.node else "run"
            self._append(subject, "finding", judged.as_json())
            await asyncio.sleep(0)  # hundreds of durable writes must not hold the loop up
        if seen.plan is None:
            self._refused = True
            self._machine.fire("fail")
            return
        self._append("run", "plan", seen.plan.as_json())
        self._machine.fire("done")

    async def _look(self) -> Seen:
        checks = self._plugins.checks
        return await look(self._world, self._settings, checks, self._journal.run_id)

    async def _journal_facts(self, facts: Facts) -> None:
        if facts.cluster:
            self._append("run", "facts.cluster", asdict(facts.cluster))
        for name, node in facts.nodes.items():
            kind = "facts.node" if isinstance(node, NodeFacts) else "facts.problem"
            self._append(f"node:{name}", kind, asdict(node))
            await asyncio.sleep(0)
        for subject, problem in facts.problems.items():
            self._append("run", "facts.problem", {"about": subject, "problem": problem})

    async def _ready(self) -> bool:
        """Waits for approval; False where nobody is there to give it."""
        if not self._approved():
            if not self._settings.attended:
                return False
            while self._machine.state == "ready" and not self._approved():
                await self._steering.next_command()
            if self._machine.state == "ready" and await self._is_another_world():
                if self._machine.state == "ready":
                    self._machine.fire("recheck")
                return True
        if self._machine.state == "ready":
            self._machine.marks.waiting_phase = "staging"
            self._machine.fire("approve")
        return True

    def _approved(self) -> bool:
        """By --yes, or by a person who saw this very plan."""
        by_option = self._settings.approved and not self._refusals
        return by_option or self._steering.approved == self._ledger.plan

    async def _is_another_world(self) -> bool:
        """Whether the plan that was approved was made for another world than there is now."""
        before = self._seen
        if before and self._world.clock.time() - before.facts.at < FACTS_AGE:
            return False
        seen = await self._look()
        self._seen = seen
        return before is None or seen.plan is None or seen.identity != before.identity

    # --- phases --------------------------------------------------------------------------------

    async def _work(self, state: str) -> None:
        plan = self._ledger.plan
        assert plan is not None, "no phase is entered without a plan"
        marks = self._machine.marks
        if BY_NAME[state].holdable and (vetoes := await self._plugins.vetoes(state)):
            self._append("run", "phase.vetoed", {"phase": state, "reasons": list(vetoes)})
            await self._fail(state)
            return
        if marks.wants_abort or marks.wants_rollback:  # asked for between two phases
            await self._fail(state)
            return
        marks.changed = marks.changed or BY_NAME[state].changes
        nodes = [node for node in plan.nodes if node.name not in self._ledger.left_out]
        self._ledger.forget_what_may_have_changed()
        steps = tuple(rolling_back(nodes)) if state == "rolling_back" else plan.steps_of(state)
        if await self._phases.run(plan, steps):
            await self._way_back.observe(self._machine.marks)
            if self._machine.leads_to("done") == "held":
                marks.waiting_phase = following(state, plan.is_cluster)
            self._machine.fire("done")
            marks.wants_rollback = marks.wants_abort = False
        else:
            await self._fail(state)

    async def _fail(self, state: str) -> None:
        await self._way_back.observe(self._machine.marks)
        marks = self._machine.marks
        marks.waiting_phase = state
        self._machine.fire("fail")
        marks.wants_rollback = marks.wants_abort = False

    # --- people --------------------------------------------------------------------------------

    async def _wait_for_person(self, state: str) -> bool:
        """Waits in ``held`` or ``needs_person``; False where nobody is there."""
        if not self._settings.attended:
            return False
        while self._machine.state == state:
            await self._steering.next_command()
        return True

    async def _take_commands(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._steering.take_pending()
            due = loop.time() + COMMAND_PAUSE
            await asyncio.sleep(COMMAND_PAUSE)
            self._worst_lag = max(self._worst_lag, loop.time() - due)

    async def _announce(self) -> None:
        """Tells plugins what was journalled, behind the run's back: they cannot slow it down."""
        while True:
            await self._tell_plugins()
            await asyncio.sleep(COMMAND_PAUSE)

    async def _tell_plugins(self) -> None:
        while self._announced:
            event = self._announced.popleft()
            if event.kind == "state":
                self._note_problems(await self._plugins.emit("octotui_changed", event))
            elif event.kind.startswith("step."):
                self._note_problems(await self._plugins.emit("octotui_step", event))

    def _note_problems(self, problems: Iterable[PluginProblem]) -> None:
        for problem in problems:
            text = f"{problem.distribution} {problem.version}: {problem.problem}"
            self._append("run", "plugin.problem", {"plugin": problem.plugin, "problem": text})


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain exception of a group of groups."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
