"""What stands between a fault on a node and harm: packages, stops, installers, starts, rollback.

As in ``test_guards_database``: one rule is broken in the lab's world, one step goes on, and the
test asserts the operator's words and what the lab was told to do.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    NodeError,
    NotTrusted,
    OctotuiError,
    TimedOut,
    Unreachable,
)
from octotui.api.facts import LocalAnswer, Task
from octotui.upgrade.interlocks import InterlockRefused
from octotui.upgrade.plan import Options, SmokeTest
from octotui.upgrade.steps.base import StepFailed
from tests.simulated_upgrade import INSTALLED, TARGET
from tests.support.port_estate import rarely
from tests.support.ports import ACCOUNT, Hook, JobRecord, Moment
from tests.support.steps import Stage, assert_helps, on_stage

__all__ = ["rarely"]
pytestmark = pytest.mark.usefixtures("rarely")

ANOTHER = "0" * 64


def package_on(stage: Stage, node: str, version: str) -> str:
    """Where the package of that version lies on a node."""
    return next(path for path in stage.estate.machines[node].files if version in path)


def replace_package(stage: Stage, node: str, version: str, by: str = ANOTHER) -> None:
    stage.estate.machines[node].files[package_on(stage, node, version)] = by


def sha256_of(stage: Stage, version: str) -> str:
    package = stage.lab.catalogue.by_version(version)
    assert package is not None
    return package.sha256


async def failing(stage: Stage, step: str, **changes: Any) -> StepFailed:
    with pytest.raises(StepFailed) as caught:
        await stage.do(step, **changes)
    assert_helps(caught.value, step)
    return caught.value


def calls(stage: Stage, suffix: str) -> list[str]:
    """Records the calls that end so, as they come."""
    made: list[str] = []

    def watch(moment: Moment, call: str) -> None:
        if moment == "before" and call.endswith(suffix):
            made.append(call)

    stage.estate.hook = watch
    return made


def breaking(suffix: str, error: Callable[[], OctotuiError], times: int = 1) -> Hook:
    """Lets the first calls that end so fail before they reach the node."""
    left = [times]

    def broken(moment: Moment, call: str) -> None:
        if moment == "before" and call.endswith(suffix) and left[0]:
            left[0] -= 1
            raise error()

    return broken


# --- R5: packages ---


@pytest.mark.parametrize("phase", ["staging", "stopping"])
@pytest.mark.parametrize("version", [INSTALLED, TARGET])
def test_both_packages_are_verified_on_the_node(tmp_path: Path, phase: str, version: str) -> None:
    """The old one, too: found bad on the way back it would be found in the outage."""

    async def play(stage: Stage) -> None:
        replace_package(stage, "OCTO1", version)
        error = await failing(stage, f"{phase}.prove@OCTO1", attempt=1)
        assert error.what.startswith(f"Octopus.{version}-x64.msi is not proved: its hash is not")
        assert "its signature is HashMismatch" in error.what
        assert error.node == "OCTO1"
        assert error.meaning == (
            "The file on the node is not the one that was published and signed"
        )
        assert error.left == "It was not installed"
        assert "retry fetches and proves it anew" in error.next_step

    on_stage(tmp_path, "maintenance" if phase == "staging" else "stopping", play, nodes=1)


@pytest.mark.parametrize("phase", ["staging", "stopping"])
def test_a_retry_fetches_what_was_refused(tmp_path: Path, phase: str) -> None:
    """As its sentence promises, wherever the package was refused."""

    async def play(stage: Stage) -> None:
        step = f"{phase}.prove@OCTO1"
        stage.ledger.attempts[step] = 1
        replace_package(stage, "OCTO1", TARGET)
        replace_package(stage, "OCTO1", INSTALLED)
        result = await stage.do(step)
        assert result["signer"] == stage.node("OCTO1").signer
        assert sorted(stage.estate.machines["OCTO1"].files.values()) == sorted(
            sha256_of(stage, version) for version in (INSTALLED, TARGET)
        )

    on_stage(tmp_path, "maintenance" if phase == "staging" else "stopping", play, nodes=1)


def test_a_package_that_is_missing_is_not_verified(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        del stage.estate.machines["OCTO1"].files[package_on(stage, "OCTO1", TARGET)]
        error = await failing(stage, "staging.prove@OCTO1", attempt=1)
        assert error.what.endswith("is not proved: the file does not exist")

    on_stage(tmp_path, "maintenance", play, nodes=1)


def test_a_package_of_another_signer_is_refused(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        options = replace(stage.plan.options, signer="CN=Somebody Else")
        stage.plan = replace(stage.plan, options=options)
        del stage.ledger.results["staging.prove@OCTO1"]
        error = await failing(stage, "staging.prove@OCTO1")
        assert "its signer is CN=Octopus Lab Publisher, O=Octopus Lab, not CN=Some" in error.what

    on_stage(tmp_path, "maintenance", play, nodes=1)


def test_whoever_signed_at_staging_has_to_have_signed_later(tmp_path: Path) -> None:
    """By then there may be no installed server any more to compare with."""

    async def play(stage: Stage) -> None:
        stage.node("OCTO1").signer = "CN=Another"
        assert (await stage.do("stopping.prove@OCTO1"))["signer"].startswith("CN=Octopus Lab")
        stage.ledger.results["staging.prove@OCTO1"] = {"signer": "CN=Another"}
        error = await failing(stage, "stopping.prove@OCTO1")
        assert error.what.endswith("not CN=Another")

    on_stage(tmp_path, "stopping", play, nodes=1)


@pytest.mark.parametrize(
    ("phase", "step"), [("installing", "installing.install"), ("joining", "joining.install")]
)
def test_a_package_that_was_replaced_is_not_installed(
    tmp_path: Path, phase: str, step: str
) -> None:
    async def play(stage: Stage) -> None:
        node = "OCTO1" if phase == "installing" else "OCTO2"
        installed = stage.actions("msi-install")
        replace_package(stage, node, TARGET)
        with pytest.raises(InterlockRefused) as caught:
            await stage.do(f"{step}@{node}")
        assert caught.value.what.startswith(
            "refused to install a package: its hash is not the one expected; its signature is Hash"
        )
        assert (caught.value.node, caught.value.left) == (node, "Nothing was done")
        assert stage.actions("msi-install") == installed
        # The retry fetches the right one and installs it.
        stage.ledger.attempts[f"{step}@{node}"] = 1
        assert (await stage.do(f"{step}@{node}"))["version"] == TARGET
        assert stage.violations() == []

    on_stage(tmp_path, phase, play, nodes=2)


def test_a_package_that_was_never_staged_is_not_looked_for_elsewhere(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        del stage.ledger.results["staging.stage@OCTO1"]
        error = await failing(stage, "installing.install@OCTO1")
        assert error.what == "the target package was never staged on OCTO1"
        assert (error.node, error.next_step) == (
            "OCTO1",
            "Retry staging, or install the package by hand",
        )

    on_stage(tmp_path, "installing", play, nodes=1)


def test_a_node_that_fetches_something_else_is_told_three_times(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        name = stage.plan.target.file_name
        stage.estate.packages.replaced[name] = ANOTHER
        stage.estate.machines["OCTO1"].files.clear()
        made = calls(stage, "job-start stage")
        begun = stage.now
        error = await failing(stage, "staging.stage@OCTO1")
        assert error.what.startswith(f"{name} did not get to the node: {name} has the hash 00000")
        assert (error.node, error.left) == ("OCTO1", "Nothing was installed or stopped")
        assert error.next_step == "Make sure that the node can fetch from the source, then retry"
        assert len(made) == 3
        assert stage.report.waits[-1].startswith(f"{name} did not come whole: {name} has the hash")
        assert stage.now - begun == pytest.approx(3 * 15 + 2 * 5, abs=1)
        assert stage.estate.machines["OCTO1"].files == {}

    on_stage(tmp_path, "maintenance", play, nodes=1)


def test_a_node_that_fetches_well_at_the_third_try_goes_on(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        name = stage.plan.target.file_name
        stage.estate.machines["OCTO1"].files.clear()
        stage.estate.packages.replaced[name] = ANOTHER
        seen: list[str] = []

        def heals(moment: Moment, call: str) -> None:
            seen.append(call)
            if moment == "before" and seen.count("OCTO1 job-start stage") == 3:
                stage.estate.packages.replaced.clear()

        stage.estate.hook = heals
        result = await stage.do("staging.stage@OCTO1")
        assert result["target"]["sha256"] == sha256_of(stage, TARGET)
        assert result["installed"]["sha256"] == sha256_of(stage, INSTALLED)
        assert stage.report.waits[-1] == ""

    on_stage(tmp_path, "maintenance", play, nodes=1)


@pytest.mark.parametrize("whole", [True, False])
def test_a_cached_package_is_used_only_with_its_hash(tmp_path: Path, whole: bool) -> None:
    async def play(stage: Stage) -> None:
        cached = stage.world.cache / stage.plan.target.file_name
        cached.write_bytes(b"a package")
        sha256 = hashlib.sha256(b"a package").hexdigest() if whole else ANOTHER
        stage.plan = replace(stage.plan, target=replace(stage.plan.target, sha256=sha256))
        fetched: list[str] = []

        def watch(moment: Moment, call: str) -> None:
            if call.startswith("source download"):
                fetched.append(call)

        stage.estate.hook = watch
        result = await stage.do("staging.download")
        assert (f"source download {TARGET}" in fetched) is not whole
        assert result["target"]["sha256"] == sha256
        assert result["target"]["path"] == str(cached)
        if whole:
            assert result["target"]["size"] == len(b"a package")
            words = f"{cached.name} is in the cache, hash proved\n"
            assert (None, words) in stage.report.logged
        assert f"source download {INSTALLED}" in fetched

    on_stage(tmp_path, "maintenance", play, nodes=1)


def test_a_package_without_a_published_hash_is_not_taken_from_the_cache(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        (stage.world.cache / stage.plan.target.file_name).write_bytes(b"")
        stage.plan = replace(stage.plan, target=replace(stage.plan.target, sha256=""))
        fetched: list[str] = []
        stage.estate.hook = lambda moment, call: fetched.append(call)
        await stage.do("staging.download")
        assert f"source download {TARGET}" in fetched

    on_stage(tmp_path, "maintenance", play, nodes=1)


# --- R7: before the stop ---


async def ready_refuses(stage: Stage) -> str:
    with pytest.raises(InterlockRefused) as caught:
        await stage.do("stopping.ready")
    assert stage.actions("service-stop") == []
    return caught.value.what


def test_nothing_is_stopped_outside_of_maintenance_mode(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.set_maintenance(False)
        assert await ready_refuses(stage) == (
            "refused to stop the cluster: maintenance mode is not on"
        )

    on_stage(tmp_path, "stopping", play, nodes=1)


@pytest.mark.parametrize("node", ["OCTO1", "OCTO2"])
def test_nothing_is_stopped_that_is_not_drained_any_more(tmp_path: Path, node: str) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.set_node(node, draining=False, task_cap=5)
        assert await ready_refuses(stage) == (
            f"refused to stop the cluster: {node} is not drained any more"
        )

    on_stage(tmp_path, "stopping", play, nodes=2)


def test_nothing_is_stopped_while_a_task_runs(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        task = stage.lab.cluster.tasks[0]
        task.state = "Executing"
        assert await ready_refuses(stage) == (
            f"refused to stop the cluster: 1 tasks are running, {task.id} among them"
        )

    on_stage(tmp_path, "stopping", play, nodes=1)


def test_a_node_of_the_cluster_that_the_plan_does_not_name_may_be_undrained(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.plan = replace(stage.plan, nodes=stage.plan.nodes[:1])
        stage.lab.set_node("OCTO2", draining=False, task_cap=5)
        assert await stage.do("stopping.ready") == {}

    on_stage(tmp_path, "stopping", play, nodes=2)


def test_a_cluster_in_order_may_be_stopped(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        assert await stage.do("stopping.ready") == {}

    on_stage(tmp_path, "stopping", play, nodes=2)


# --- draining and maintenance mode ---


class Stubborn:
    """A server on which what is set does not stay."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def set_maintenance(self, on: bool) -> None: ...

    async def set_draining(self, node_id: str, draining: bool) -> None: ...


@pytest.mark.parametrize(
    ("phase", "step", "wanted", "other"),
    [
        ("maintenance", "maintenance.on", "on", "off"),
        ("draining", "finishing.maintenance", "off", "on"),
    ],
)
def test_maintenance_mode_is_read_back(
    tmp_path: Path, phase: str, step: str, wanted: str, other: str
) -> None:
    async def play(stage: Stage) -> None:
        stage.world = replace(stage.world, server=Stubborn(stage.world.server))
        error = await failing(stage, step)
        assert error.what == f"maintenance mode was set {wanted} but is {other}"
        assert error.meaning == "Somebody else, or a script, changes it at the same time"
        assert error.next_step == "Find out who, then retry"

    on_stage(tmp_path, phase, play, nodes=1)


@pytest.mark.parametrize("found", [True, False])
def test_maintenance_mode_goes_back_to_what_was_found(tmp_path: Path, found: bool) -> None:
    async def play(stage: Stage) -> None:
        probe = await stage.probe("finishing.maintenance")
        assert (probe.done, probe.evidence) == (found, "maintenance mode is on")
        on = await stage.probe("maintenance.on")
        assert (on.done, on.evidence) == (True, "maintenance mode is on")
        assert await stage.do("finishing.maintenance") == {"maintenance": found}
        assert stage.lab.maintenance is found
        back = await stage.probe("finishing.maintenance")
        now = "on" if found else "off"
        assert (back.done, back.evidence) == (True, f"maintenance mode is {now}")
        if not found:
            off = await stage.probe("maintenance.on")
            assert (off.done, off.evidence) == (False, "maintenance mode is off")

    on_stage(tmp_path, "draining", play, nodes=1, maintenance=found)


@pytest.mark.parametrize("found", [True, False])
def test_a_drain_flag_goes_back_to_what_was_found(tmp_path: Path, found: bool) -> None:
    async def play(stage: Stage) -> None:
        nodes = tuple(replace(node, draining=found) for node in stage.plan.nodes)
        stage.plan = replace(stage.plan, nodes=nodes)
        await stage.do("finishing.undrain@OCTO2")
        flags = {row.name: row.draining for row in stage.lab.summary()}
        assert flags == {"OCTO1": True, "OCTO2": found}

    on_stage(tmp_path, "stopping", play, nodes=2)


def test_a_drain_flag_is_read_back(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.world = replace(stage.world, server=Stubborn(stage.world.server))
        error = await failing(stage, "finishing.undrain@OCTO2")
        assert error.what == "the drain flag of OCTO2 did not go back to False"
        assert error.node == "OCTO2"
        assert error.next_step == "Look at Configuration > Nodes in Octopus, then retry"

    on_stage(tmp_path, "stopping", play, nodes=2)


def waiting_for_tasks(
    folder: Path, policy: str, *faults: str, deadline: float = 600.0
) -> tuple[Stage, list[tuple[str, str | None]], float, Any]:
    """The stage, what was done to tasks and services, seconds, and the result or the error."""

    async def play(stage: Stage) -> tuple[Stage, list[tuple[str, str | None]], float, Any]:
        for node in stage.plan.nodes:
            await stage.do(f"draining.drain@{node.name}")
        begun = stage.now
        try:
            came: Any = await stage.do("draining.wait")
        except StepFailed as failure:
            came = failure
        done = stage.actions("task-cancel", "service-stop")
        return stage, done, stage.now - begun, came

    options = Options(drain_policy=policy, drain_deadline=deadline)  # type: ignore[arg-type]
    return on_stage(folder, "draining", play, nodes=2, options=options, faults=faults)


def test_running_tasks_are_waited_for(tmp_path: Path) -> None:
    stage, done, took, result = waiting_for_tasks(tmp_path, "wait")
    assert (done, result) == ([], {"cancelled": []})
    assert 30 <= took <= 36
    first = stage.report.waits[0]
    assert first.startswith("2 tasks running, oldest: Deploy Shop release 1.")
    assert first.endswith("Executing)")
    assert stage.report.waits[-1] == ""
    assert stage.report.progressed[0] == "running tasks"
    assert stage.report.counted in ((1, None), (2, None))


def test_one_task_is_one_task(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        for task in stage.lab.cluster.tasks[1:]:
            task.state = "Success"
        await stage.do("draining.drain@OCTO1")
        await stage.do("draining.wait")
        assert stage.report.waits[0].startswith("1 task running, oldest: ")

    on_stage(tmp_path, "draining", play, nodes=2)


def test_tasks_are_waited_for_up_to_the_deadline_and_no_longer(tmp_path: Path) -> None:
    fault = "cluster:task-waits-for-person"
    _, done, took, error = waiting_for_tasks(tmp_path, "wait", fault, deadline=100)
    assert done == []
    assert 100 < took < 110
    assert error.what.startswith("tasks are still running after 105 s: 1 task running, oldest: ")
    assert error.meaning == (
        "ServerTasks-4001 waits for a person's answer and will not end by itself"
    )
    assert error.left == "All nodes are drained and still serve; nothing was stopped"
    assert error.next_step == "Finish or cancel the tasks in Octopus and retry, or roll back"


def test_by_policy_a_person_is_asked_at_once(tmp_path: Path) -> None:
    _, done, took, error = waiting_for_tasks(tmp_path, "ask")
    assert (done, took) == ([], 0)
    assert error.what.startswith("tasks are still running after 0 s: 2 tasks running")
    assert error.meaning == ""


def test_by_policy_tasks_are_cancelled_once_each(tmp_path: Path) -> None:
    stage, done, took, result = waiting_for_tasks(tmp_path, "cancel", "cluster:slow-drain")
    assert took < 10
    assert result == {"cancelled": ["ServerTasks-4001", "ServerTasks-4002"]}
    assert sorted(done) == [("task-cancel", "OCTO1"), ("task-cancel", "OCTO2")]
    said = [text for node, text in stage.report.logged if node is None]
    assert sorted(text.partition(" Deploy")[0] for text in said) == [
        "cancelling ServerTasks-4001",
        "cancelling ServerTasks-4002",
    ]


def test_a_task_that_hangs_in_cancelling_is_named_and_not_cancelled_again(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        task = stage.lab.cluster.tasks[0]
        task.state = "Cancelling"
        for other in stage.lab.cluster.tasks[1:]:
            other.state = "Success"
        made = calls(stage, "cancel-task")
        error = await failing(stage, "draining.wait")
        assert error.meaning == f"{task.id} is being cancelled; that is known to hang"
        assert made == []

    options = Options(drain_policy="cancel", drain_deadline=50)
    on_stage(tmp_path, "draining", play, nodes=1, options=options)


def test_a_task_that_the_key_does_not_see_is_waited_for_and_not_cancelled(tmp_path: Path) -> None:
    class Hidden(Stubborn):
        async def running_tasks(self) -> tuple[Task, ...]:
            return (Task("hidden-1", "a task in another space", "Executing", "", "", False),)

    async def play(stage: Stage) -> None:
        stage.world = replace(stage.world, server=Hidden(stage.world.server))
        made = calls(stage, "cancel-task")
        error = await failing(stage, "draining.wait")
        assert error.what.endswith("oldest: a task in another space (hidden-1, Executing)")
        assert made == []

    options = Options(drain_policy="cancel", drain_deadline=50)
    on_stage(tmp_path, "draining", play, nodes=1, options=options)


# --- stopping ---


def test_what_parking_found_is_kept_for_the_comparison_at_the_end(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        result = await stage.do("stopping.park@OCTO1")
        (service,) = result["services"]
        assert (service["state"], service["start_type"]) == ("running", "automatic")
        assert [task["enabled"] for task in result["watchdog"]] == [True]
        assert stage.node("OCTO1").service.start_type == "disabled"
        assert stage.node("OCTO1").watchdog_enabled is False

    on_stage(tmp_path, "stopping", play, nodes=1)


def test_a_stop_is_believed_only_when_nothing_runs(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await stage.do("stopping.park@OCTO1")
        stage.lab.add_fault("node1:service-stop-lies,times=1")
        error = await failing(stage, "stopping.stop@OCTO1")
        assert error.what.startswith(
            "the node did not stop: service OctopusDeploy is running, Octopus.Server.exe run runs"
        )
        assert error.node == "OCTO1"
        assert error.meaning == (
            "not every Octopus service and process was gone within the time limit"
        )
        assert error.left == (
            "Its services are parked: nothing but a person or octotui starts them"
        )
        probe = await stage.probe("stopping.stop@OCTO1")
        assert (probe.done, probe.evidence[:32]) == (False, "service OctopusDeploy is running")
        stage.ledger.attempts["stopping.stop@OCTO1"] = 1
        await stage.do("stopping.stop@OCTO1")
        probe = await stage.probe("stopping.stop@OCTO1")
        assert (probe.done, probe.evidence) == (True, "everything is stopped")

    on_stage(tmp_path, "stopping", play, nodes=1)


def test_a_stop_whose_job_reports_success_is_looked_at_all_the_same(tmp_path: Path) -> None:
    """Its job ended long ago, when this attempt takes it up; the service was started since."""

    async def play(stage: Stage) -> None:
        record = JobRecord("stop", exit_code=0, result={"problem": ""}, state="ended")
        stage.estate.machines["OCTO1"].jobs["run-1.stop.1"] = record
        error = await failing(stage, "stopping.stop@OCTO1")
        assert error.meaning == "The program said that it had stopped, and it has not"

    on_stage(tmp_path, "stopping", play, nodes=1)


# --- installing ---


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1602, "the installation was cancelled; nothing was changed"),
        (1603, "Windows Installer met a fatal error; it may have rolled its files back"),
        (1605, "that product is not installed"),
        (1619, "the package could not be opened"),
        (1620, "the package is damaged"),
        (1625, "a policy of the node forbids the installation"),
        (1638, "another version of the product is installed already"),
    ],
)
def test_an_installer_that_fails(tmp_path: Path, code: int, words: str) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault(f"node1:msi-exit={code}")
        error = await failing(stage, "installing.install@OCTO1")
        assert error.what == f"the installation ended with exit code {code}: {words}"
        assert (error.node, error.left) == ("OCTO1", "OCTO1 is stopped and parked")
        assert error.log_path.endswith("run-1.msi-target.1/msi.log")
        assert error.meaning == f"The installer's log on the node: {error.log_path}"
        assert "Find the cause in that log" in error.next_step

    on_stage(tmp_path, "installing", play, nodes=1)


@pytest.mark.parametrize(("code", "restart"), [(0, False), (3010, True), (1641, True)])
def test_codes_after_which_the_package_is_installed(
    tmp_path: Path, code: int, restart: bool
) -> None:
    async def play(stage: Stage) -> None:
        if code:
            stage.lab.add_fault(f"node1:msi-exit={code}")
        result = await stage.do("installing.install@OCTO1")
        assert (result["exit_code"], result["reboot_required"]) == (code, restart)
        assert (result["version"], stage.node("OCTO1").version) == (TARGET, TARGET)
        assert result["log"].endswith("msi.log")

    on_stage(tmp_path, "installing", play, nodes=1)


def test_a_code_that_nobody_knows_and_none_at_all(tmp_path: Path) -> None:
    """No exit code is no success: the installer's process was killed or its job says nothing."""

    async def play(stage: Stage) -> None:
        for attempt, (code, result, words) in enumerate(
            (
                (4711, {}, "exit code 4711: an unknown failure"),
                (4711, {"problem": "it said so"}, "exit code 4711: it said so"),
                (None, {}, "exit code None: an unknown failure"),
            ),
            start=1,
        ):
            job = f"run-1.msi-target.{attempt}"
            record = JobRecord("msi-install", exit_code=code, result=result, state="ended")
            stage.estate.machines["OCTO1"].jobs[job] = record
            stage.ledger.attempts["installing.install@OCTO1"] = attempt - 1
            error = await failing(stage, "installing.install@OCTO1")
            assert error.what == f"the installation ended with {words}"
            assert error.meaning == ""

    on_stage(tmp_path, "installing", play, nodes=1)


def test_another_installation_is_waited_for(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:msi-exit=1618,times=3")
        begun = stage.now
        made = calls(stage, "job-start msi-install")
        assert (await stage.do("installing.install@OCTO1"))["exit_code"] == 0
        assert len(made) == 4
        assert stage.now - begun == pytest.approx(3 * (15 + 1) + 75, abs=3)
        assert stage.report.waits == [
            "another installation is running on OCTO1 (1618)",
            "",
        ]
        assert stage.violations() == []

    on_stage(tmp_path, "installing", play, nodes=1)


def test_another_installation_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:msi-exit=1618")
        begun = stage.now
        error = await failing(stage, "installing.install@OCTO1")
        assert "exit code 1618: another installation is running on the node" in error.what
        assert 1800 < stage.now - begun < 1850

    on_stage(tmp_path, "installing", play, nodes=1)


def test_nothing_is_installed_over_a_running_server(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.set_start_type("OCTO1", "manual")
        stage.lab.start_service("OCTO1", "somebody")
        with pytest.raises(InterlockRefused, match="install a package: OCTO1 is not stopped"):
            await stage.do("installing.install@OCTO1")
        assert stage.actions("msi-install") == []
        assert stage.violations() == []

    on_stage(tmp_path, "installing", play, nodes=1)


@pytest.mark.parametrize("what", ["service", "package"])
def test_what_changed_while_another_installation_was_waited_for_is_seen(
    tmp_path: Path, what: str
) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:msi-exit=1618,times=1")

        async def somebody() -> None:
            await stage.world.clock.sleep(10)
            if what == "service":
                stage.lab.set_start_type("OCTO1", "manual")
                stage.lab.start_service("OCTO1", "somebody")
            else:
                replace_package(stage, "OCTO1", TARGET)

        beside = asyncio.ensure_future(somebody())
        with pytest.raises(InterlockRefused, match="refused to install a package"):
            await stage.do("installing.install@OCTO1")
        await beside
        assert stage.node("OCTO1").version == INSTALLED
        assert stage.actions("msi-install") == []

    on_stage(tmp_path, "installing", play, nodes=1)


def test_an_installer_that_leaves_files_out_has_not_succeeded(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:msi-incomplete,times=1")
        error = await failing(stage, "installing.install@OCTO1")
        assert error.what == (
            "the installer reports success, but files are missing (1, among them Octopus.Core.dll)"
        )
        assert (error.node, error.left) == ("OCTO1", "OCTO1 is stopped and parked")
        assert error.log_path.endswith("msi.log")
        probe = await stage.probe("installing.install@OCTO1")
        assert (probe.done, probe.evidence) == (False, "installing again proves it whole")
        stage.ledger.attempts["installing.install@OCTO1"] = 1
        await stage.do("installing.install@OCTO1")
        assert stage.node("OCTO1").missing_files == ()

    on_stage(tmp_path, "installing", play, nodes=1)


@pytest.mark.parametrize("found", ["", INSTALLED])
def test_an_installer_that_changed_nothing_has_not_succeeded(tmp_path: Path, found: str) -> None:
    async def play(stage: Stage) -> None:
        result = {"version": found, "missing": [], "problem": "", "log": "C:/msi.log"}
        record = JobRecord("msi-install", exit_code=0, result=result, state="ended")
        stage.estate.machines["OCTO1"].jobs["run-1.msi-target.1"] = record
        error = await failing(stage, "installing.install@OCTO1")
        seen = found or "unreadable"
        assert error.what == (
            f"the installer reports success, but the version is {seen}, not {TARGET}"
        )

    on_stage(tmp_path, "installing", play, nodes=1)


def test_an_installer_that_starts_the_server_has_not_succeeded(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        result = {"version": TARGET, "missing": [], "problem": ""}
        record = JobRecord("msi-install", exit_code=0, result=result, state="ended")
        stage.estate.machines["OCTO1"].jobs["run-1.msi-target.1"] = record

        def starts(moment: Moment, call: str) -> None:
            if (moment, call) == ("after", "OCTO1 job-start msi-install"):
                stage.lab.set_start_type("OCTO1", "manual")
                stage.lab.start_service("OCTO1", "somebody")

        stage.estate.hook = starts
        error = await failing(stage, "installing.install@OCTO1")
        assert "the installer left something running: service OctopusDeploy is start" in error.what

    on_stage(tmp_path, "installing", play, nodes=1)


# --- R3: starting ---


def test_a_node_whose_binaries_do_not_fit_the_schema_is_not_started(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.node("OCTO1").version = INSTALLED
        with pytest.raises(InterlockRefused) as caught:
            await stage.do("starting.start@OCTO1")
        assert caught.value.what == (
            f"refused to start the node: installed is {INSTALLED}, the database is {TARGET}"
        )
        assert caught.value.node == "OCTO1"
        assert stage.actions("service-start") == []

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_node_that_was_never_stopped_need_not_be_started(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        probe = await stage.probe("rolling_back.start@OCTO1")
        assert (probe.done, probe.evidence) == (True, "the node was never stopped")
        stage.ledger.attempts["stopping.park@OCTO1"] = 1
        assert (await stage.probe("rolling_back.start@OCTO1")).done is False

    on_stage(tmp_path, "stopping", play, nodes=1)


@pytest.mark.parametrize(
    ("begun", "result", "history", "words"),
    [
        (False, False, TARGET, f"installed is {TARGET}, the database is {INSTALLED}"),
        (True, False, TARGET, ""),
        (True, True, TARGET, ""),
        (True, True, INSTALLED, f"installed is {TARGET}, the database is {INSTALLED}"),
    ],
    ids=["no installer was begun", "asked", "not the upgrade's own word", "asked anew"],
)
def test_a_rollback_starts_nodes_by_what_the_database_says_now(
    tmp_path: Path, begun: bool, result: bool, history: str, words: str
) -> None:
    async def play(stage: Stage) -> None:
        if not begun:
            for step in [s for s in stage.ledger.attempts if ".install@" in s]:
                del stage.ledger.attempts[step]
        if not result:
            stage.ledger.results.pop("migrating.database@OCTO1", None)
        stage.lab.cluster.database.history.insert(0, (history, 0.0))
        if words:
            with pytest.raises(InterlockRefused, match=words):
                await stage.do("rolling_back.start@OCTO1")
            assert stage.actions("service-start") == []
        else:
            await stage.do("rolling_back.start@OCTO1")
            assert stage.actions("service-start") == [("service-start", "OCTO1")]

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_service_that_does_not_start(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        record = JobRecord("start", exit_code=1, result={"problem": "it is broken"}, state="ended")
        stage.estate.machines["OCTO1"].jobs["run-1.start.1"] = record
        error = await failing(stage, "starting.start@OCTO1")
        assert error.what == "the service did not start: it is broken"
        assert (error.node, error.left) == ("OCTO1", "The node is stopped")

    on_stage(tmp_path, "starting", play, nodes=1)


# --- serving ---


async def start_first(stage: Stage) -> None:
    await stage.do("starting.start@OCTO1")


def test_a_node_serves_only_with_the_new_version(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await start_first(stage)
        stage.node("OCTO1").service.version = INSTALLED
        probe = await stage.probe("starting.serving@OCTO1")
        assert probe.done is False
        await stage.world.clock.sleep(120)
        probe = await stage.probe("starting.serving@OCTO1")
        assert probe.evidence == f"it answers with {INSTALLED}, not {TARGET}"
        stage.node("OCTO1").service.version = ""
        probe = await stage.probe("starting.serving@OCTO1")
        assert probe.evidence == f"it answers with no version, not {TARGET}"
        stage.node("OCTO1").service.version = TARGET
        probe = await stage.probe("starting.serving@OCTO1")
        assert (probe.done, probe.evidence) == (True, "the node serves")
        assert probe.result == {"serving_at": stage.world.clock.time()}
        back = await stage.probe("rolling_back.serving@OCTO1")
        assert back.evidence == f"it answers with {TARGET}, not {INSTALLED}"

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_node_that_does_not_answer_yet_says_why(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await start_first(stage)
        result = await stage.do("starting.serving@OCTO1")
        assert result == {"serving_at": stage.world.clock.time(), "version": TARGET}
        assert stage.report.waits == ["it does not serve yet: HTTP 503, it is starting", ""]

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_service_that_ends_by_itself_is_not_waited_for(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:service-will-not-start,times=1")
        await start_first(stage)
        begun = stage.now
        error = await failing(stage, "starting.serving@OCTO1")
        assert error.what == "the service was started and ended by itself"
        assert (error.node, error.left) == ("OCTO1", "The node is stopped")
        took = stage.now - begun
        assert 40 <= took <= 65, "recovery actions have half a minute"
        # Its retry starts it again, and only then.
        stage.ledger.attempts["starting.serving@OCTO1"] = 1
        assert (await stage.do("starting.serving@OCTO1"))["version"] == TARGET
        assert stage.actions("service-start") == [("service-start", "OCTO1")] * 2

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_service_that_is_started_again_by_itself_has_its_time(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:service-will-not-start,times=1")
        await start_first(stage)

        async def recovers() -> None:
            while stage.node("OCTO1").service.state != "stopped":
                await stage.world.clock.sleep(1)
                _ = stage.lab.cluster
            await stage.world.clock.sleep(20)
            stage.lab.start_service("OCTO1", "somebody")

        recovery = asyncio.ensure_future(recovers())
        assert (await stage.do("starting.serving@OCTO1"))["version"] == TARGET
        await recovery

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_retry_does_not_start_what_runs(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await start_first(stage)
        stage.ledger.attempts["starting.serving@OCTO1"] = 1
        await stage.do("starting.serving@OCTO1")
        assert stage.actions("service-start") == [("service-start", "OCTO1")]

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_node_that_never_serves_is_given_half_an_hour(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await start_first(stage)
        stage.lab.add_fault("database:down")
        stage.node("OCTO1").service.course.stop()  # type: ignore[union-attr]
        begun = stage.now
        error = await failing(stage, "starting.serving@OCTO1")
        assert error.what == (
            f"OCTO1 serving {TARGET} did not come to pass within 1800 s: "
            "it does not serve yet: HTTP 503, it is starting"
        )
        assert (error.node, error.next_step) == ("OCTO1", "Look at the log of the node, then retry")
        assert 1800 < stage.now - begun < 1820

    on_stage(tmp_path, "starting", play, nodes=1)


def test_a_node_without_an_address_of_its_own_is_asked_from_itself(tmp_path: Path) -> None:
    class Local:
        def __init__(self, inner: Any) -> None:
            self._inner = inner
            self.answers: list[LocalAnswer] = []
            self.asked: list[tuple[str, str, str]] = []

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        async def request(self, instance: str, path: str, api_key: str = "") -> LocalAnswer:
            self.asked.append((instance, path, api_key))
            return self.answers.pop(0)

    async def play(stage: Stage) -> None:
        stage.plan = replace(stage.plan, nodes=(replace(stage.plan.nodes[0], url=""),))
        node = Local(stage.world.nodes["OCTO1"])
        stage.world = replace(stage.world, nodes={"OCTO1": node})
        root = LocalAnswer(200, f'{{"Version": "{TARGET}"}}')
        for answers, words in (
            ([LocalAnswer(0, "")], "it does not serve yet: nobody answers"),
            ([LocalAnswer(503, "")], "it does not serve yet: HTTP 503"),
            ([LocalAnswer(200, "<html>")], "/api answers with something that is not Octopus"),
            ([LocalAnswer(200, "[]")], "/api answers with something that is not Octopus"),
            ([LocalAnswer(200, "{}")], "/api answers with something that is not Octopus"),
            ([root, LocalAnswer(401, "")], "an authenticated read answers HTTP 401"),
            ([LocalAnswer(200, '{"Version": "1.2.3"}'), root], f"1.2.3, not {TARGET}"),
        ):
            node.answers = list(answers)
            probe = await stage.probe("starting.serving@OCTO1")
            assert probe.done is False
            assert probe.evidence.endswith(words)
            assert node.answers == []
        node.asked.clear()
        node.answers = [root, root]
        assert (await stage.probe("starting.serving@OCTO1")).done is True
        assert node.asked == [
            ("OctopusServer", "/api", "API-LAB"),
            ("OctopusServer", "/api/octopusservernodes/summary", "API-LAB"),
        ]

    on_stage(tmp_path, "starting", play, nodes=1)


# --- finishing ---


def test_a_smoke_test_that_fails_keeps_the_run_from_its_end(tmp_path: Path) -> None:
    tests = (
        SmokeTest("https://octopus.lab/app", 200),
        SmokeTest("https://octopus.lab/a", 302),
        SmokeTest("https://octopus.lab/b", 404),
    )

    async def play(stage: Stage) -> None:
        asked: list[tuple[str, int, float]] = []

        class Patient(Stubborn):
            async def smoke(self, url: str, expect: int, timeout: float) -> str:
                asked.append((url, expect, timeout))
                return str(await self._inner.smoke(url, expect, timeout))

        stage.world = replace(stage.world, server=Patient(stage.world.server))
        error = await failing(stage, "finishing.smoke")
        assert asked == [(test.url, test.expect, 60.0) for test in tests]
        assert error.what == (
            "the smoke test failed: https://octopus.lab/a: HTTP 200, not 302; "
            "https://octopus.lab/b: HTTP 200, not 404"
        )
        assert error.left == "The new version runs"
        stage.plan = replace(stage.plan, smoke=tests[:1])
        assert await stage.do("finishing.smoke") == {"passed": ["https://octopus.lab/app"]}

    on_stage(tmp_path, "finishing", play, nodes=1, settings={"smoke": tests})


def differing(folder: Path, change: Callable[[Stage], None]) -> str:
    async def play(stage: Stage) -> str:
        assert await stage.do("finishing.check@OCTO1") == {"version": TARGET}
        change(stage)
        error = await failing(stage, "finishing.check@OCTO1")
        assert error.node == "OCTO1"
        assert error.next_step == "Put it right on the node, then retry"
        probe = await stage.probe("finishing.check@OCTO1")
        assert (probe.done, probe.evidence) == (False, "looking again")
        return error.what.removeprefix("the node is not as it was found: ")

    return on_stage(folder, "finishing", play, nodes=1)


def test_a_start_type_that_is_not_as_it_was(tmp_path: Path) -> None:
    words = differing(tmp_path, lambda stage: stage.lab.set_start_type("OCTO1", "manual"))
    assert words == "the start type of OctopusDeploy is manual, it was automatic"


@pytest.mark.parametrize(("was", "now"), [(True, False), (False, True)])
def test_a_watchdog_that_is_not_as_it_was(tmp_path: Path, was: bool, now: bool) -> None:
    def change(stage: Stage) -> None:
        parked = dict(stage.ledger.results["stopping.park@OCTO1"])
        parked["watchdog"] = [{**task, "enabled": was} for task in parked["watchdog"]]
        stage.ledger.results["stopping.park@OCTO1"] = parked
        stage.lab.set_watchdog("OCTO1", now)

    words = {True: "enabled", False: "disabled"}[was]
    assert differing(tmp_path, change) == (
        f"the watchdog task Octopus Watchdog OctopusServer is not {words} any more"
    )


def test_a_service_that_ran_and_does_not(tmp_path: Path) -> None:
    def change(stage: Stage) -> None:
        stage.node("OCTO1").service.state = "stopped"

    assert differing(tmp_path, change) == "OctopusDeploy is stopped, it was running"


def test_a_service_that_is_gone(tmp_path: Path) -> None:
    def change(stage: Stage) -> None:
        parked = dict(stage.ledger.results["stopping.park@OCTO1"])
        (service,) = parked["services"]
        parked["services"] = [{**service, "name": "OctopusDeploy: Other"}, service]
        stage.ledger.results["stopping.park@OCTO1"] = parked
        stage.lab.set_start_type("OCTO1", "manual")

    assert differing(tmp_path, change) == (
        "the service OctopusDeploy: Other is gone; "
        "the start type of OctopusDeploy is manual, it was automatic"
    )


def test_a_version_that_is_not_the_one_wanted(tmp_path: Path) -> None:
    def change(stage: Stage) -> None:
        stage.node("OCTO1").version = INSTALLED

    assert differing(tmp_path, change) == f"the version is {INSTALLED}, not {TARGET}"


def test_after_a_rollback_the_old_version_is_the_one_wanted(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        error = await failing(stage, "rolling_back.check@OCTO1")
        assert f"the version is {TARGET}, not {INSTALLED}" in error.what

    on_stage(tmp_path, "finishing", play, nodes=1)


@pytest.mark.parametrize("step", ["finishing.log@OCTO1", "finishing.log@OCTO2"])
def test_the_installers_log_is_kept(tmp_path: Path, step: str) -> None:
    async def play(stage: Stage) -> None:
        node = step.partition("@")[2]
        result = await stage.do(step)
        assert result == {"kept": f"{node}-run-1.msi-target.1.log"}
        assert "is returning 0" in stage.report.kept[result["kept"]]
        # Without an installation there is none to keep.
        for done in [s for s in stage.ledger.results if s.endswith(f".install@{node}")]:
            del stage.ledger.results[done]
        assert await stage.do(step) == {"kept": ""}

    on_stage(tmp_path, "finishing", play, nodes=2)


def test_no_upgrade_fails_for_want_of_an_installers_log(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        asked: list[int] = []

        class Locked(Stubborn):
            async def log(self, path: str, *, limit: int = 65536) -> str:
                asked.append(limit)
                raise OSError("it is locked")

        stage.world = replace(stage.world, nodes={"OCTO1": Locked(stage.world.nodes["OCTO1"])})
        assert await stage.do("finishing.log@OCTO1") == {
            "kept": "",
            "problem": "OSError: it is locked",
        }
        assert asked == [1024 * 1024], "bytes from the end: the reason stands far above it"
        stage.ledger.results["joining.install@OCTO1"] = {"log": ""}
        stage.ledger.results["installing.install@OCTO1"] = {}
        assert await stage.do("finishing.log@OCTO1") == {"kept": ""}

    on_stage(tmp_path, "finishing", play, nodes=1)


def test_staged_packages_are_removed(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        assert len(stage.estate.machines["OCTO1"].files) == 2
        result = await stage.do("finishing.unstage@OCTO1")
        assert result["removed"] == [f"Octopus.{v}-x64.msi" for v in (TARGET, INSTALLED)]
        assert stage.estate.machines["OCTO1"].files == {}

    on_stage(tmp_path, "finishing", play, nodes=1)


def test_unparking_says_what_it_put_back(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await start_first(stage)
        assert await stage.do("starting.unpark@OCTO1") == {
            "services": ["OctopusDeploy"],
            "watchdog": ["Octopus Watchdog OctopusServer"],
        }
        assert stage.node("OCTO1").service.start_type == "automatic"

    on_stage(tmp_path, "starting", play, nodes=1)


# --- rolling back ---

SCHEMA = "rolling_back.schema"
DATABASE = "migrating.database@OCTO1"


async def schema_refuses(stage: Stage) -> str:
    with pytest.raises(InterlockRefused) as caught:
        await stage.do(SCHEMA)
    prefix = "refused to roll back without a restore: "
    assert caught.value.what.startswith(prefix)
    return caught.value.what.removeprefix(prefix)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("ended-well", "the database upgrade ended well: only a restore of the backup leads back"),
        ("begun", "a database upgrade was begun, and nobody knows how it ended"),
    ],
)
def test_what_the_run_did_to_the_database_closes_the_way_back(
    tmp_path: Path, note: str, words: str
) -> None:
    """Whatever the history says: it need not name the new version yet."""

    async def play(stage: Stage) -> None:
        stage.ledger.notes[DATABASE] = note
        assert await schema_refuses(stage) == words
        stage.ledger.notes[DATABASE] = "failed"
        assert await stage.do(SCHEMA) == {"schema_version": INSTALLED}

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_changed_schema_closes_the_way_back(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.cluster.database.history.insert(0, (TARGET, 0.0))
        assert await schema_refuses(stage) == f"the database is {TARGET}, not {INSTALLED}"

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_migrator_that_runs_closes_the_way_back(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.start_octopus_server("OCTO1", ["database", "--upgrade"], ACCOUNT)
        assert await schema_refuses(stage) == "a database upgrade is running"

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_before_any_installer_the_database_need_not_be_asked(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        made = calls(stage, "database-state")
        stage.ledger.notes[DATABASE] = "begun"  # would refuse if it counted
        assert await stage.do(SCHEMA) == {"schema_version": INSTALLED}
        assert made == []

    on_stage(tmp_path, "installing", play, nodes=1)


def test_where_no_program_is_left_nobody_can_have_upgraded(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.node("OCTO1").missing_files = ("Octopus.Core.dll",)
        assert await stage.do(SCHEMA) == {"schema_version": ""}

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_another_node_is_asked_where_the_first_has_no_whole_program(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.node("OCTO1").missing_files = ("Octopus.Core.dll",)
        made = calls(stage, "job-start database-state")
        assert await stage.do(SCHEMA) == {"schema_version": INSTALLED}
        assert made == ["OCTO1 job-start database-state", "OCTO2 job-start database-state"]

    on_stage(tmp_path, "migrating", play, nodes=2)


def test_a_job_that_was_lost_is_no_word_about_the_schema(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        def lost(moment: Moment, call: str) -> None:
            if (moment, call) == ("after", "OCTO1 job-start database-state"):
                for record in stage.estate.machines["OCTO1"].jobs.values():
                    if record.kind == "database-state" and record.state == "running":
                        record.state = "lost"

        stage.estate.hook = lost
        error = await failing(stage, SCHEMA)
        assert error.what.startswith("the database-state job on OCTO1 is gone without saying how")
        assert error.outcome_known is False

    on_stage(tmp_path, "migrating", play, nodes=1)


REINSTALL = "rolling_back.reinstall@OCTO1"


def test_a_node_that_was_never_touched_is_not_reinstalled(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        probe = await stage.probe(REINSTALL)
        assert (probe.done, probe.evidence) == (True, f"{INSTALLED} was never replaced")
        stage.node("OCTO1").version = TARGET
        probe = await stage.probe(REINSTALL)
        assert (probe.done, probe.evidence) == (False, f"the installed version is {TARGET}")
        stage.node("OCTO1").version = INSTALLED
        stage.ledger.attempts["installing.install@OCTO1"] = 1
        probe = await stage.probe(REINSTALL)
        assert (probe.done, probe.evidence) == (False, "an installer was begun here")

    on_stage(tmp_path, "installing", play, nodes=1)


def test_the_new_package_is_taken_off_and_the_old_one_put_back(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        result = await stage.do(REINSTALL)
        assert result["version"] == stage.node("OCTO1").version == INSTALLED
        assert stage.actions("msi-uninstall", "msi-install") == [
            ("msi-install", "OCTO1"),
            ("msi-uninstall", "OCTO1"),
            ("msi-install", "OCTO1"),
        ]
        assert stage.violations() == []

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_of_a_rollback_the_log_of_its_own_installer_is_kept(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        assert await stage.do("rolling_back.log@OCTO1") == {"kept": ""}
        await stage.do(REINSTALL)
        kept = (await stage.do("rolling_back.log@OCTO1"))["kept"]
        assert kept == "OCTO1-run-1.msi-installed.1.log"
        assert "is returning 0" in stage.report.kept[kept]

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_an_old_package_that_was_not_replaced_is_only_made_whole(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.ledger.attempts["installing.install@OCTO1"] = 1
        assert (await stage.do(REINSTALL))["version"] == INSTALLED
        assert stage.actions("msi-uninstall", "msi-install") == [("msi-install", "OCTO1")]

    on_stage(tmp_path, "installing", play, nodes=1)


def test_a_node_without_any_package_gets_the_old_one(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        node = stage.node("OCTO1")
        node.version = node.product_code = ""
        assert (await stage.do(REINSTALL))["version"] == INSTALLED
        assert stage.actions("msi-uninstall") == []

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_half_installed_package_is_known_by_its_installers_job(tmp_path: Path) -> None:
    """The program that would tell does not run."""

    async def play(stage: Stage) -> None:
        stage.node("OCTO1").missing_files = ("Octopus.Core.dll",)
        assert (await stage.do(REINSTALL))["version"] == INSTALLED
        assert stage.actions("msi-uninstall") == [("msi-uninstall", "OCTO1")]

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_half_installed_node_of_which_no_job_knows_is_left_alone(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.node("OCTO1").missing_files = ("Octopus.Core.dll",)
        stage.estate.machines["OCTO1"].jobs.clear()
        before = stage.actions("msi-uninstall", "msi-install")
        with pytest.raises(NodeError, match="the configuration of the instance cannot be read"):
            await stage.do(REINSTALL)
        assert stage.actions("msi-uninstall", "msi-install") == before

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_rollbacks_own_installer_that_failed_half_way_is_repeated(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("node1:msi-incomplete,times=1")
        error = await failing(stage, REINSTALL)
        assert "files are missing" in error.what
        stage.ledger.attempts[REINSTALL] = 1
        assert (await stage.do(REINSTALL))["version"] == INSTALLED
        assert stage.node("OCTO1").missing_files == ()
        assert stage.actions("msi-uninstall") == [("msi-uninstall", "OCTO1")]

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_nothing_is_taken_off_before_the_old_package_is_verified(tmp_path: Path) -> None:
    """Without it the node would be left with no program at all."""

    async def play(stage: Stage) -> None:
        replace_package(stage, "OCTO1", INSTALLED)
        with pytest.raises(InterlockRefused, match="its hash is not the one expected"):
            await stage.do(REINSTALL)
        stage.ledger.attempts[REINSTALL] = 1
        stage.estate.packages.replaced[f"Octopus.{INSTALLED}-x64.msi"] = ANOTHER
        error = await failing(stage, REINSTALL)
        assert error.left == "OCTO1 is stopped and parked"
        assert stage.actions("msi-uninstall") == []
        assert stage.node("OCTO1").version == TARGET

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_node_that_was_started_by_hand_is_stopped_before_it_is_reinstalled(
    tmp_path: Path,
) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.set_watchdog("OCTO2", True)
        stage.lab.set_start_type("OCTO2", "manual")
        stage.lab.start_service("OCTO2", "somebody")
        await stage.world.clock.sleep(100)
        stage.ledger.attempts["joining.install@OCTO2"] = 1
        await stage.do("rolling_back.reinstall@OCTO2")
        assert stage.actions("service-stop")[-1] == ("service-stop", "OCTO2")
        assert stage.node("OCTO2").service.start_type == "disabled"
        assert stage.node("OCTO2").watchdog_enabled is False
        assert stage.violations() == []

    on_stage(tmp_path, "migrating", play, nodes=2)


def test_a_package_that_does_not_come_off(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        for attempt, (code, words) in enumerate(
            (
                (1603, "exit code 1603: Windows Installer met a fatal error"),
                (None, "exit code -1: an unknown failure"),
            ),
            start=1,
        ):
            record = JobRecord("msi-uninstall", exit_code=code, result={"log": "C:/x.log"})
            record.state = "ended"
            stage.estate.machines["OCTO1"].jobs[f"run-1.msi-uninstall.{attempt}"] = record
            stage.ledger.attempts[REINSTALL] = attempt - 1
            error = await failing(stage, REINSTALL)
            assert error.what.startswith(f"the new package did not come off: {words}")
            assert (error.node, error.left) == ("OCTO1", "The node is stopped and parked")
            assert error.log_path == "C:/x.log"
        assert stage.node("OCTO1").version == TARGET

    on_stage(tmp_path, "migrating", play, nodes=1)


@pytest.mark.parametrize("code", [3010, 1641, 1605])
def test_a_package_that_came_off(tmp_path: Path, code: int) -> None:
    """1605 is that product is not there: an earlier attempt took it off."""

    async def play(stage: Stage) -> None:
        record = JobRecord("msi-uninstall", exit_code=code, state="ended")
        stage.estate.machines["OCTO1"].jobs["run-1.msi-uninstall.1"] = record
        found = stage.node("OCTO1")
        stage.estate.hook = lambda moment, call: (
            setattr(found, "version", "") or setattr(found, "product_code", "")
            if (moment, call) == ("before", "OCTO1 job-start msi-uninstall")
            else None
        )
        assert (await stage.do(REINSTALL))["version"] == INSTALLED

    on_stage(tmp_path, "migrating", play, nodes=1)


# --- R9: following a job ---


def test_a_job_is_followed_through_lost_connections(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.estate.hook = breaking(
            "job-status msi-install", lambda: ConnectionLost("it broke", node="OCTO1"), times=3
        )
        made: list[str] = []
        inner = stage.estate.hook

        def both(moment: Moment, call: str) -> None:
            if moment == "before":
                made.append(call)
            inner(moment, call)

        stage.estate.hook = both
        await stage.do("installing.install@OCTO1")
        assert made.count("OCTO1 job-start msi-install") == 1
        assert stage.report.waits == ["OCTO1 is out of reach, the job goes on: it broke", ""]
        assert stage.actions("msi-install") == [("msi-install", "OCTO1")]

    on_stage(tmp_path, "installing", play, nodes=1)


@pytest.mark.parametrize("error", [CredentialsRefused, NotTrusted])
@pytest.mark.parametrize("call", ["job-start msi-install", "job-status msi-install"])
def test_a_refused_account_or_certificate_is_not_waited_out(
    tmp_path: Path, error: type[OctotuiError], call: str
) -> None:
    async def play(stage: Stage) -> None:
        begun = stage.now
        stage.estate.hook = breaking(call, lambda: error("no", node="OCTO1"))
        with pytest.raises(error, match="no"):
            await stage.do("installing.install@OCTO1")
        assert stage.now - begun < 60

    on_stage(tmp_path, "installing", play, nodes=1)


@pytest.mark.parametrize("error", [Unreachable, ConnectionLost, TimedOut])
def test_a_node_that_stays_out_of_reach_leaves_the_outcome_unknown(
    tmp_path: Path, error: type[OctotuiError]
) -> None:
    async def play(stage: Stage) -> None:
        stage.estate.hook = breaking(
            "job-status msi-install", lambda: error("it is away", node="OCTO1"), times=10**9
        )
        begun = stage.now
        failure = await failing(stage, "installing.install@OCTO1")
        assert failure.what == (
            "OCTO1 cannot be reached any more, the msi-install job may still run there"
        )
        assert failure.meaning == "OCTO1: it is away."
        assert failure.next_step == (
            "Make the node reachable, then retry: the job is looked for first"
        )
        assert failure.outcome_known is False
        assert 1800 < stage.now - begun < 1810

    on_stage(tmp_path, "installing", play, nodes=1)


@pytest.mark.parametrize(
    ("call", "code", "raised"),
    [
        ("job-status msi-install", "failed", False),
        ("job-status msi-install", "no-answer", False),
        ("job-status msi-install", "bad-request", True),
        ("job-start msi-install", "failed", True),
    ],
)
def test_a_node_that_could_not_look_is_asked_again(
    tmp_path: Path, call: str, code: str, raised: bool
) -> None:
    """What it says of a job that was started is no news; a job that was refused never began."""

    async def play(stage: Stage) -> None:
        stage.estate.hook = breaking(call, lambda: NodeError("it is busy", code=code, node="OCTO1"))
        if raised:
            with pytest.raises(NodeError, match="it is busy"):
                await stage.do("installing.install@OCTO1")
        else:
            await stage.do("installing.install@OCTO1")
            assert stage.report.waits == ["OCTO1 is out of reach, the job goes on: it is busy", ""]

    on_stage(tmp_path, "installing", play, nodes=1)


def test_a_job_that_is_gone_has_an_unknown_outcome(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        record = JobRecord("msi-install", state="lost")
        stage.estate.machines["OCTO1"].jobs["run-1.msi-target.1"] = record
        error = await failing(stage, "installing.install@OCTO1")
        assert error.what == "the msi-install job on OCTO1 is gone without saying how it ended"
        assert error.node == "OCTO1"
        assert error.meaning == (
            "The node was restarted or the process was killed; it may have done its work"
        )
        assert error.outcome_known is False

    on_stage(tmp_path, "installing", play, nodes=1)


def test_all_of_a_jobs_output_is_kept_in_order(tmp_path: Path) -> None:
    """The end may be told together with a part of the output only."""

    async def play(stage: Stage) -> None:
        output = "".join(f"line {number}\n" for number in range(5))
        record = JobRecord("stop", exit_code=0, result={"problem": ""}, output=output)
        record.state = "ended"
        stage.estate.machines["OCTO1"].jobs["run-1.stop.1"] = record
        with pytest.raises(StepFailed):
            await stage.do("stopping.stop@OCTO1")
        assert [text for node, text in stage.report.logged if node == "OCTO1"] == [
            "stopping every Octopus service\n",
            output,
        ]

    on_stage(tmp_path, "stopping", play, nodes=1)
