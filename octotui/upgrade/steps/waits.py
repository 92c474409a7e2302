"""Waiting: following jobs on nodes, and polling, with the reason always shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from octotui.api.errors import CredentialsRefused, NodeError, NotTrusted, TransportError
from octotui.api.facts import Job
from octotui.api.node import JobKind, NodeOperations
from octotui.upgrade.steps.base import StepContext, StepFailed

#: How long a node may be out of reach while a job of ours runs on it. Generous: the job goes on
#: without us, and giving up early leaves a person with less than waiting does.
NODE_PATIENCE = 1800.0

#: Codes of the agent that say nothing about the job that was asked for.
NO_NEWS = ("failed", "no-answer")

#: A node is asked to answer a job's status after this long without news.
LONG_POLL = 20.0


def pause(elapsed: float) -> float:
    """Seconds until the next look: a fiftieth of the wait so far, so that the wait as a whole

    becomes at most two per cent longer by looking too late, between 50 ms and 2 s.
    """
    return min(2.0, max(0.05, elapsed / 50))


async def follow_job(
    context: StepContext,
    node: NodeOperations,
    job_id: str,
    kind: JobKind,
    parameters: Mapping[str, Any],
    on_output: Callable[[str], None] | None = None,
) -> Job:
    """Starts a job, or attaches to it, and stays with it to its end.

    Output goes to the node's log. A lost connection is no event: the job goes on and we come back.
    Raises StepFailed with an unknown outcome where the job's process is gone without an exit code,
    or the node stays out of reach.
    """
    clock = context.clock
    lost_since: float | None = None
    started = False
    offset = 0
    while True:
        try:
            if started:
                job = await node.job(job_id, offset=offset, wait=LONG_POLL)
            else:
                job = await node.start_job(job_id, kind, parameters)
                started = True
        except (CredentialsRefused, NotTrusted):
            raise
        except (TransportError, NodeError) as error:
            # An answer that came broken, or a node that could not look just now, is no end either.
            if isinstance(error, NodeError) and not (started and error.code in NO_NEWS):
                raise
            lost_since = lost_since or clock.time()
            if clock.time() - lost_since > NODE_PATIENCE:
                raise StepFailed(
                    f"{node.name} cannot be reached any more, the {kind} job may still run there",
                    node=node.name,
                    meaning=str(error),
                    next_step="Make the node reachable, then retry: the job is looked for first",
                    outcome_known=False,
                ) from error
            context.report.waiting(f"{node.name} is out of reach, the job goes on: {error.what}")
            await clock.sleep(max(0.5, pause(clock.time() - lost_since)))
            continue
        if lost_since is not None:
            context.report.waiting("")
            lost_since = None
        if job.output:
            offset = job.next_offset
            context.report.log(node.name, job.output)
            if on_output:
                on_output(job.output)
        if job.state == "running":
            continue
        if job.state == "ended":
            if job.output:  # the end may have come with only a part of the output
                continue
            return job
        raise StepFailed(
            f"the {kind} job on {node.name} is gone without saying how it ended",
            node=node.name,
            meaning="The node was restarted or the process was killed; it may have done its work",
            next_step="Retry: what was done is looked at first",
            outcome_known=False,
        )


def problem_of(job: Job) -> str:
    """Why a job did not do what its name says; empty where it did."""
    problem = str(job.result.get("problem") or "")
    if problem:
        return problem
    return "" if job.exit_code == 0 else f"it ended with exit code {job.exit_code}"


async def until(
    context: StepContext,
    ask: Callable[[], Awaitable[str]],
    *,
    limit: float | None,
    what: str,
) -> None:
    """Asks again and again until ``ask`` answers an empty string; else it answers the reason.

    Raises StepFailed after ``limit`` seconds, with the last reason.
    """
    begun = context.clock.time()
    while reason := await ask():
        context.report.waiting(reason)
        elapsed = context.clock.time() - begun
        if limit is not None and elapsed > limit:
            raise StepFailed(
                f"{what} did not come to pass within {limit:.0f} s: {reason}",
                node=context.step.node,
                next_step="Look at the log of the node, then retry",
            )
        await context.clock.sleep(pause(elapsed))
    context.report.waiting("")
