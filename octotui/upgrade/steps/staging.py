"""Staging: both packages fetched once here and then by every node, and proved there."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

from octotui.api.facts import Job
from octotui.api.source import Package
from octotui.upgrade.steps.base import NOT_DONE, Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.waits import follow_job, problem_of

#: How often a node tries to fetch a package, and the pause between, seconds.
FETCHES = 3
FETCH_PAUSE = 5.0

#: What a fetch leaves that fails while every node serves.
NOTHING_DONE = "Nothing was installed or stopped"


def packages(context: StepContext) -> tuple[tuple[str, Package], ...]:
    """What is staged: the package to install, and the installed one for backing out."""
    plan = context.plan
    both = (("target", plan.target), ("installed", plan.installed))
    return tuple((name, package) for name, package in both if package is not None)


def staged(context: StepContext, node: str, name: str) -> tuple[str, str]:
    """Path on the node and SHA-256 of a staged package."""
    result = context.result(f"staging.stage@{node}")
    if name not in result:
        raise StepFailed(
            f"the {name} package was never staged on {node}",
            node=node,
            next_step="Retry staging, or install the package by hand",
        )
    entry = result[name]
    return str(entry["path"]), str(entry["sha256"])


def signer(context: StepContext, node: str) -> str:
    """Who has to have signed: whoever was proved to at staging, when the installed server was

    whole. Later there may be no installed server to compare with.
    """
    proved = context.result(f"staging.prove@{node}").get("signer")
    return str(proved or context.plan.options.signer)


class Download(Step):
    """Downloads both packages to the cache here, hashing them on the way."""

    kind = "download"
    interruptible = True

    async def probe(self, context: StepContext) -> Probe:
        return NOT_DONE  # apply looks at the cache itself

    async def apply(self, context: StepContext) -> Result:
        result = {}
        for name, package in packages(context):
            result[name] = await self._fetch(context, package)
        return result

    async def _fetch(self, context: StepContext, package: Package) -> Result:
        target = context.world.cache / package.file_name
        if await asyncio.to_thread(_has_hash, target, package.sha256):
            context.report.log(None, f"{package.file_name} is in the cache, hash proved\n")
            size = target.stat().st_size
            return {"path": str(target), "sha256": package.sha256, "size": size}
        target.parent.mkdir(parents=True, exist_ok=True)

        def progress(done: int, total: int | None) -> None:
            context.report.progress(package.file_name, done, total)

        fetched = await context.world.source.download(package, target, progress)
        return {"path": str(target), "sha256": fetched.sha256, "size": fetched.size}


def _has_hash(path: Path, sha256: str) -> bool:
    if not sha256 or not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


class Stage(Step):
    """The node fetches both packages by a job of its own."""

    kind = "stage"
    interruptible = True

    async def apply(self, context: StepContext) -> Result:
        result: dict[str, Result] = {}
        for name, package in packages(context):
            job = await _fetch(context, name, package, f"stage-{name}", NOTHING_DONE)
            result[name] = {"path": job.result["path"], "sha256": job.result["sha256"]}
        return result


async def fetch_again(context: StepContext, name: str) -> None:
    """Has the step's node fetch a package anew where the file there is not the one expected.

    For a retry of what refused that file: nobody has to find and replace it by hand.
    """
    package = next(package for each, package in packages(context) if each == name)
    stopped = context.step.phase not in ("staging", "stopping")
    left = f"{context.step.node} is stopped and parked" if stopped else NOTHING_DONE
    await _fetch(context, name, package, f"stage-{name}-{context.step.phase}", left)


async def _fetch(
    context: StepContext, name: str, package: Package, job_name: str, left: str
) -> Job:
    """A fetch that fails is repeated: it harms nothing, and the next often goes through."""
    downloaded = context.result("staging.download")[name]
    parameters = {
        "url": package.url,
        "file_name": package.file_name,
        "sha256": downloaded["sha256"],
        "size": downloaded["size"],
    }
    for part in range(FETCHES):
        job_id = context.job_id(job_name, part)
        job = await follow_job(context, context.node, job_id, "stage", parameters)
        problem = problem_of(job)
        if not problem:
            context.report.waiting("")
            return job
        context.report.waiting(f"{package.file_name} did not come whole: {problem}")
        if part + 1 < FETCHES:
            await context.clock.sleep(FETCH_PAUSE)
    raise StepFailed(
        f"{package.file_name} did not get to the node: {problem}",
        node=context.step.node,
        left=left,
        next_step="Make sure that the node can fetch from the source, then retry",
    )


class ProveStaged(Step):
    """Hash, signature and signer of every staged package, on the node itself."""

    kind = "prove-staged"

    async def apply(self, context: StepContext) -> Result:
        assert context.step.node is not None
        wanted = found = signer(context, context.step.node)
        for name, package in packages(context):
            path, sha256 = staged(context, context.step.node, name)
            if context.attempt > 1:
                await fetch_again(context, name)
            proof = await context.node.prove_file(path, sha256, wanted)
            if not proof.proved:
                raise StepFailed(
                    f"{package.file_name} is not proved: {'; '.join(proof.reasons)}",
                    node=context.step.node,
                    meaning="The file on the node is not the one that was published and signed",
                    left="It was not installed",
                    next_step="Find out who changed it; retry fetches and proves it anew",
                )
            found = proof.signer
        return {"signer": found}


class Unstage(Step):
    """Removes the staged packages from the node."""

    kind = "unstage"

    async def apply(self, context: StepContext) -> Result:
        names = tuple(package.file_name for _, package in packages(context))
        await context.node.unstage(names)
        return {"removed": list(names)}
