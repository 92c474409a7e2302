"""Installing: the package on a node, proved before and after; the backup beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from octotui.api.backup import BackupEvidence, BackupRequest
from octotui.api.facts import Job, Services
from octotui.api.node import NodeOperations
from octotui.upgrade.interlocks import demand, describe, no_backup, not_proved, not_stopped
from octotui.upgrade.steps.base import Probe, Result, Step, StepContext, StepFailed
from octotui.upgrade.steps.staging import fetch_again, signer, staged
from octotui.upgrade.steps.waits import follow_job
from octotui.upgrade.together import together

#: Windows Installer's codes (``domain.md`` 8.1): what they mean for the person.
MEANINGS: Mapping[int, str] = {
    0: "installed",
    3010: "installed; Windows wants a restart",
    1641: "installed; Windows is restarting",
    1602: "the installation was cancelled; nothing was changed",
    1603: "Windows Installer met a fatal error; it may have rolled its files back",
    1605: "that product is not installed",
    1618: "another installation is running on the node",
    1619: "the package could not be opened",
    1620: "the package is damaged",
    1625: "a policy of the node forbids the installation",
    1638: "another version of the product is installed already",
}

#: Codes after which the product is in place.
INSTALLED = (0, 3010, 1641)

#: Another installation holds Windows Installer: waiting is harmless, and it usually ends.
BUSY = 1618
BUSY_LIMIT = 1800.0
BUSY_PAUSE = 15.0


async def observe_services(context: StepContext) -> dict[str, Services]:
    """The services of every node, now. Nodes that were left out are looked at too."""
    names = context.plan.node_names
    observed = await together(_services(context.world.nodes[name]) for name in names)
    return dict(zip(names, observed, strict=True))


async def _services(node: NodeOperations) -> Services:
    return await node.services()


async def verify_package(context: StepContext, node: NodeOperations, name: str) -> None:
    """Verifies a staged package on the node once more. Raises StepFailed, InterlockRefused."""
    path, sha256 = staged(context, node.name, name)
    proof = await node.prove_file(path, sha256, signer(context, node.name))
    demand("install a package", not_proved(proof), node=node.name)


async def install(context: StepContext, node: NodeOperations, name: str, version: str) -> Result:
    """Proves and installs a staged package and proves what is there afterwards.

    ``name`` is ``target`` or ``installed``. File and services are looked at right before, and again
    after each wait for another installation. Raises StepFailed, InterlockRefused.
    """
    path, sha256 = staged(context, node.name, name)
    if context.attempt > 1:
        await fetch_again(context, name)
    directory = context.plan.node(node.name).install_directory
    parameters = {
        "path": path,
        "sha256": sha256,
        "install_directory": directory,
        "version": version,
    }
    begun = context.clock.time()
    part = 0
    while True:
        await verify_package(context, node, name)
        services = await node.services()
        demand("install a package", not_stopped({node.name: services}), node=node.name)
        job_id = context.job_id(f"msi-{name}", part)
        job = await follow_job(context, node, job_id, "msi-install", parameters)
        if job.exit_code != BUSY or context.clock.time() - begun > BUSY_LIMIT:
            break
        part += 1
        context.report.waiting(f"another installation is running on {node.name} (1618)")
        await context.clock.sleep(BUSY_PAUSE)
    context.report.waiting("")
    code = job.exit_code
    log_path = str(job.result.get("log") or "")
    if code not in INSTALLED:
        problem = str(job.result.get("problem") or "")
        meaning = MEANINGS.get(code if code is not None else -1, problem or "an unknown failure")
        raise StepFailed(
            f"the installation ended with exit code {code}: {meaning}",
            node=node.name,
            meaning=f"The installer's log on the node: {log_path}" if log_path else "",
            left=f"{node.name} is stopped and parked",
            next_step="Find the cause in that log, put it right, then retry",
            log_path=log_path,
        )
    await _prove_installed(node, version, job, log_path)
    return {"exit_code": code, "reboot_required": code != 0, "version": version, "log": log_path}


async def _prove_installed(node: NodeOperations, version: str, job: Job, log_path: str) -> None:
    """An installer's success proves nothing (``domain.md`` 8.1): files and version do.

    The job looked at them. The node's facts are not asked for: where files are missing, the
    program that would tell them does not run.
    """
    installed, missing = job.result.get("version"), job.result.get("missing")
    problems = []
    if installed != version:
        problems.append(f"the version is {installed or 'unreadable'}, not {version}")
    if isinstance(missing, list | tuple) and missing:
        some = ", ".join(str(name) for name in missing[:3])
        problems.append(f"files are missing ({len(missing)}, among them {some})")
    services = await node.services()
    if not services.proved_stopped:
        problems.append(f"the installer left something running: {describe(services)}")
    if problems:
        raise StepFailed(
            f"the installer reports success, but {'; '.join(problems)}",
            node=node.name,
            left=f"{node.name} is stopped and parked",
            next_step="Look at the installer's log on the node, then retry",
            log_path=log_path,
        )


class InstallTarget(Step):
    """The new package on one node."""

    kind = "install-target"

    async def probe(self, context: StepContext) -> Probe:
        # An interrupted installer may have written the program and not the rest.
        return Probe(False, "installing again proves it whole")

    async def apply(self, context: StepContext) -> Result:
        return await install(context, context.node, "target", context.plan.to_version)


class BeginBackup(Step):
    """Starts the full backup, with every node proved stopped.

    A step of its own because no installer may run before it has read the configuration: that is
    done by the very program that the installer replaces.
    """

    kind = "begin-backup"

    async def apply(self, context: StepContext) -> Result:
        demand("back up the database", not_stopped(await observe_services(context)))
        attempt_id = context.job_id("backup")
        await context.world.backup.begin(_request(context, attempt_id))
        return {"attempt_id": attempt_id}


def _request(context: StepContext, attempt_id: str) -> BackupRequest:
    return BackupRequest(
        attempt_id=attempt_id,
        first_node=context.first,
        instance=context.plan.node(context.plan.first_node).instance,
        nodes=context.world.nodes,
        output=lambda text: context.report.log(context.plan.first_node, text),
    )


class TakeBackup(Step):
    """The full backup carried to its end, and verified."""

    kind = "backup"

    async def apply(self, context: StepContext) -> Result:
        attempt_id = str(context.result("installing.backup-begin")["attempt_id"])
        evidence = await context.world.backup.take(_request(context, attempt_id))
        demand("count this as a backup", no_backup(evidence))
        return asdict(evidence)


def backup_evidence(context: StepContext) -> BackupEvidence | None:
    result = context.result("installing.backup")
    return BackupEvidence(**result) if result else None
