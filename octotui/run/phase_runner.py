"""Runs the steps of one phase: in the plan's order, side by side where the plan allows."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from octotui.api.errors import NodeError, OctotuiError, TransportError
from octotui.api.events import Event
from octotui.run.journal import JournalError
from octotui.run.ledger import Ledger
from octotui.run.logs import NodeLogs
from octotui.run.patience import patience_of, patiently
from octotui.upgrade.plan import Plan
from octotui.upgrade.planned_step import PlannedStep
from octotui.upgrade.steps import KINDS
from octotui.upgrade.steps.base import LOG_BYTES, Clock, StepContext, StepFailed, World

#: Progress of one step is journalled at most this often, seconds.
PROGRESS_EVERY = 0.25

Append = Callable[[str, str, Mapping[str, Any]], Event]


class StepReporter:
    """Journals what a step says about itself; the same words again are no news."""

    def __init__(self, append: Append, logs: NodeLogs, step: PlannedStep, clock: Clock) -> None:
        self._append = append
        self._logs = logs
        self._step = step
        self._clock = clock
        self._reason = ""
        self._progress: tuple[object, ...] = ()
        self._progressed = 0.0

    def waiting(self, reason: str) -> None:
        if reason != self._reason:
            self._reason = reason
            self._append(f"step:{self._step.id}", "step.waiting", self._about(reason=reason))

    def progress(self, text: str, done: int | None = None, total: int | None = None) -> None:
        now = self._clock.time()
        news = (text, done, total)
        if news != self._progress and now - self._progressed >= PROGRESS_EVERY:
            self._progress, self._progressed = news, now
            data = self._about(text=text, done=done, total=total)
            self._append(f"step:{self._step.id}", "step.progress", data)

    def note(self, note: str) -> None:
        self._append(f"step:{self._step.id}", "step.noted", self._about(note=note))

    def log(self, node: str | None, text: str) -> None:
        self._logs.write(node, text)

    def keep(self, name: str, text: str) -> None:
        self._logs.keep(name, text)

    def _about(self, **data: object) -> dict[str, object]:
        return {"step": self._step.id, "node": self._step.node, **data}


class PhaseRunner:
    """Runs steps and journals each: the intent before the act, the outcome after it."""

    def __init__(
        self, run_id: str, world: World, ledger: Ledger, append: Append, logs: NodeLogs
    ) -> None:
        self._run_id = run_id
        self._world = world
        self._ledger = ledger
        self._append = append
        self._logs = logs
        self._interruptible: set[asyncio.Future[dict[str, Any]]] = set()
        self._interrupted = False

    def interrupt(self) -> None:
        """Ends the steps that can be stopped half-way without harm, and begins no other."""
        self._interrupted = True
        for task in self._interruptible:
            task.cancel()

    async def run(self, plan: Plan, steps: Sequence[PlannedStep]) -> bool:
        """Runs all that is not done yet; True where everything ended well.

        A failure stops what comes after it and nothing else: an installer that runs on another
        node is never cut off.
        """
        self._interrupted = False
        ended = {step.id: asyncio.Event() for step in steps}
        resumed = frozenset(self._ledger.open)

        async def one(step: PlannedStep) -> None:
            try:
                for before in step.after:
                    if before in ended:
                        await ended[before].wait()
                if all(self._ended_well(plan, before) for before in step.after):
                    await self._run_step(plan, step, resumed=step.id in resumed)
            finally:
                ended[step.id].set()

        async with asyncio.TaskGroup() as group:
            for step in steps:
                if not self._ended_well(plan, step.id):
                    group.create_task(one(step), name=step.id)
                else:
                    ended[step.id].set()
        return all(self._ended_well(plan, step.id) for step in steps)

    def _ended_well(self, plan: Plan, step_id: str) -> bool:
        """Done, or the step of a node that was left out."""
        node = step_id.partition("@")[2]
        return step_id in self._ledger.results or node in self._ledger.left_out

    async def _run_step(self, plan: Plan, step: PlannedStep, *, resumed: bool) -> None:
        if self._interrupted:
            return
        kind = KINDS[step.kind]
        again = step.id in self._ledger.attempts
        attempt = self._ledger.attempts.get(step.id, 0) + (0 if resumed else 1)
        reporter = StepReporter(self._append, self._logs, step, self._world.clock)
        context = StepContext(
            run_id=self._run_id,
            plan=plan,
            step=step,
            attempt=attempt,
            world=self._world,
            report=reporter,
            results=self._ledger.results,
            attempts=self._ledger.attempts,
            notes=self._ledger.notes,
        )
        self._append(
            f"step:{step.id}",
            "step.started",
            {
                "step": step.id,
                "node": step.node,
                "phase": step.phase,
                "title": step.title,
                "attempt": attempt,
                "expected_seconds": step.seconds,
            },
        )
        begun = self._world.clock.time()
        probe_first = again or _always_probes(step)

        async def do() -> dict[str, Any]:
            return await self._do(context, probe_first=probe_first)

        patience = patience_of(self._ledger)
        work = asyncio.ensure_future(patiently(self._world.clock, do, reporter.waiting, patience))
        if kind.interruptible:
            self._interruptible.add(work)
        outcome: dict[str, Any]
        try:
            outcome = await work
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            outcome = {"outcome": "interrupted", "error": _error(_interrupted(step))}
        except JournalError:
            raise  # nothing more is done
        except OctotuiError as error:
            tail = await self._fetch_log(context, error)
            outcome = {"outcome": "failed", "error": {**_error(error), "tail": tail}}
        except Exception as error:  # a defect of ours or a plugin's: it stops a step, not the run
            self._logs.write(step.node, traceback.format_exc())
            failure = StepFailed(
                f"an internal error: {type(error).__name__}: {error}",
                node=step.node,
                meaning="This is a defect of octotui or a plugin, not of your cluster",
                next_step="Please report it with the support log, then retry or roll back",
                outcome_known=False,
            )
            outcome = {"outcome": "failed", "error": _error(failure)}
        finally:
            self._interruptible.discard(work)
        seconds = self._world.clock.time() - begun
        self._append(
            f"step:{step.id}",
            "step.ended",
            {
                "step": step.id,
                "node": step.node,
                "phase": step.phase,
                "title": step.title,
                "attempt": attempt,
                "seconds": round(seconds, 3),
                **outcome,
            },
        )

    async def _do(self, context: StepContext, *, probe_first: bool) -> dict[str, Any]:
        kind = KINDS[context.step.kind]
        if probe_first:
            probe = await kind.probe(context)
            if probe.done:
                result = dict(probe.result)
                return {"outcome": "already", "result": result, "evidence": probe.evidence}
            if probe.done is None:
                raise StepFailed(
                    f"whether this was done cannot be told: {probe.evidence}",
                    node=context.step.node,
                    next_step="Make it possible to look, then retry",
                    outcome_known=False,
                )
        result = dict(await kind.apply(context))
        return {"outcome": "done", "result": result}

    async def _fetch_log(self, context: StepContext, error: OctotuiError) -> list[str]:
        """The last telling lines of the log that a failure names, kept beside the journal."""
        path = getattr(error, "log_path", "")
        if not path or context.step.node is None:
            return []
        try:
            text = await context.node.log(path, limit=LOG_BYTES)
        except (TransportError, NodeError) as problem:
            return [f"(the log on the node could not be read: {problem.what})"]
        self._logs.keep(context.log_name(path), text)
        return telling_lines(text)


def telling_lines(log: str, count: int = 5) -> list[str]:
    """The lines of an installer's log around its first failure, else its last ones.

    Windows Installer marks the action that failed with "Return value 3".
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for index, line in enumerate(lines):
        if "Return value 3" in line:
            return lines[max(0, index - count + 1) : index + 1]
    return lines[-count:]


def _always_probes(step: PlannedStep) -> bool:
    """The way back begins wherever the upgrade stopped, so it looks before every step."""
    return step.phase == "rolling_back"


def _interrupted(step: PlannedStep) -> StepFailed:
    return StepFailed(f"stopped on request: {step.title}", node=step.node)


def _error(error: OctotuiError) -> dict[str, Any]:
    return {
        "what": error.what,
        "meaning": error.meaning,
        "left": error.left,
        "next": error.next_step,
        "node": error.node,
        "outcome_known": error.outcome_known,
    }
