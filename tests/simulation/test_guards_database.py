"""The point of no return: nothing but the guard under test stands between a fault and the database.

Each test brings a run up to a hold, breaks one rule in the lab's world and lets one step go on. It
asserts the words that an operator reads, and that the lab was told to do nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from octotui.api.backup import BackupEvidence, BackupRequest
from octotui.api.errors import OctotuiError
from octotui.upgrade.interlocks import InterlockRefused
from octotui.upgrade.steps.base import StepFailed
from tests.simulated_upgrade import INSTALLED, TARGET
from tests.support.port_estate import rarely
from tests.support.ports import ACCOUNT, JobRecord, Moment
from tests.support.steps import Stage, assert_helps, on_stage

__all__ = ["rarely"]
pytestmark = pytest.mark.usefixtures("rarely")

DATABASE = "migrating.database@OCTO1"
SEEN = "installing.last-seen"
BEGIN = "installing.backup-begin"
BACKUP = "installing.backup"


def refused(
    folder: Path,
    phase: str,
    step: str,
    break_it: Callable[[Stage], Awaitable[None]],
    *,
    error: type[OctotuiError] = InterlockRefused,
    **settings: Any,
) -> OctotuiError:
    """The error with which a step refuses once the world is as ``break_it`` leaves it.

    Asserts that the step changed nothing.
    """

    async def play(stage: Stage) -> OctotuiError:
        await break_it(stage)
        before = len(stage.lab.truth()["actions"])
        with pytest.raises(error) as caught:
            await stage.do(step)
        assert_helps(caught.value, step)
        made = [a["action"] for a in stage.lab.truth()["actions"][before:]]
        assert set(made) <= {"serving", "service-stopped", "service-start"}, made
        return caught.value

    return on_stage(folder, phase, play, nodes=2, **settings)


async def started_by_hand(stage: Stage, node: str = "OCTO2") -> None:
    stage.lab.set_start_type(node, "manual")
    assert stage.lab.start_service(node, "somebody") == ""


async def migrator_runs(stage: Stage, node: str = "OCTO2") -> None:
    stage.lab.start_octopus_server(node, ["database", "--upgrade"], ACCOUNT)


async def heartbeat_seen(stage: Stage) -> None:
    """A node ran while nobody looked, and was stopped again."""
    await started_by_hand(stage)
    await stage.world.clock.sleep(90)
    stage.lab.stop_service("OCTO2", "somebody")
    await stage.world.clock.sleep(90)


# --- R6: noted and backed up only while nothing runs ---


@pytest.mark.parametrize("node", ["OCTO1", "OCTO2"])
@pytest.mark.parametrize(
    ("step", "act"),
    [(SEEN, "note when the nodes were last seen"), (BEGIN, "back up the database")],
)
def test_nothing_is_noted_or_backed_up_while_a_service_runs(
    tmp_path: Path, step: str, act: str, node: str
) -> None:
    error = refused(tmp_path, "installing", step, lambda stage: started_by_hand(stage, node))
    assert f"refused to {act}: {node} is not stopped (service OctopusDeploy is start" in error.what
    assert "Octopus.Server.exe run runs as process" in error.what
    assert (error.left, error.next_step) == (
        "Nothing was done",
        "Put right what is named here, then retry",
    )


@pytest.mark.parametrize("step", [SEEN, BEGIN])
def test_a_migrator_without_a_service_counts_as_running(tmp_path: Path, step: str) -> None:
    async def play(stage: Stage) -> None:
        await migrator_runs(stage)
        with pytest.raises(InterlockRefused, match=r"OCTO2 is not stopped \(Octopus.Server.exe da"):
            await stage.do(step)
        assert stage.actions("backup") == []

    on_stage(tmp_path, "installing", play, nodes=2)


@pytest.mark.parametrize("step", [SEEN, BEGIN])
def test_every_node_is_looked_at_however_many(tmp_path: Path, step: str) -> None:
    """The first, the last and one between; a program that only reads is no reason to refuse."""

    async def play(stage: Stage) -> None:
        stage.lab.start_octopus_server("OCTO3", ["show-configuration"], ACCOUNT)
        for node in ("OCTO1", "OCTO4"):
            await started_by_hand(stage, node)
        with pytest.raises(InterlockRefused) as caught:
            await stage.do(step)
        named = {reason.partition(" ")[0] for reason in caught.value.reasons}
        assert named == {"OCTO1", "OCTO4"}

    on_stage(tmp_path, "installing", play, nodes=4)


def test_when_nodes_were_last_seen_is_noted_for_every_node_of_the_database(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        seen = (await stage.do(SEEN))["last_seen"]
        assert sorted(seen) == ["OCTO1", "OCTO2"]
        assert all(re.match(r"\d{4}-\d\d-\d\dT", text) for text in seen.values())

    on_stage(tmp_path, "installing", play, nodes=2)


def test_a_database_that_cannot_be_asked_is_not_passed_over(tmp_path: Path) -> None:
    async def down(stage: Stage) -> None:
        stage.lab.add_fault("database:down")

    error = refused(tmp_path, "installing", SEEN, down, error=StepFailed)
    assert error.what.startswith("the database cannot be asked: A network-related")
    assert error.left == "Every node is stopped and parked; nothing was installed"
    assert "Make the database reachable" in error.next_step


# --- R6: a backup is one only if it was verified ---


class Unverified:
    """A backup plugin that does not verify what it made."""

    def __init__(self, evidence: BackupEvidence) -> None:
        self.evidence = evidence

    async def begin(self, request: BackupRequest) -> None: ...

    async def take(self, request: BackupRequest) -> BackupEvidence:
        return self.evidence


EVIDENCE = BackupEvidence("octopus.bak", "Octopus", 1.0, 2.0, verified="")


def test_a_backup_that_was_not_verified_counts_as_none(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.world = replace(stage.world, backup=Unverified(EVIDENCE))
        await stage.do(BEGIN)
        with pytest.raises(
            InterlockRefused,
            match=r"refused to count this as a backup: the backup octopus\.bak was not verified",
        ):
            await stage.do(BACKUP)
        stage.world = replace(stage.world, backup=Unverified(replace(EVIDENCE, verified="RESTORE")))
        assert (await stage.do(BACKUP))["verified"] == "RESTORE"

    on_stage(tmp_path, "installing", play, nodes=1)


def test_a_backup_whose_begin_is_repeated_is_begun_anew(tmp_path: Path) -> None:
    """A second attempt has another name, so that it is not the first one's failure again."""

    async def play(stage: Stage) -> None:
        first = await stage.do(BEGIN)
        second = await stage.do(BEGIN)
        assert first["attempt_id"] != second["attempt_id"]
        assert first["attempt_id"].startswith("run-1.backup.")

    on_stage(tmp_path, "installing", play, nodes=1)


# --- R1, R2, R3, R6: the interlocks of the database upgrade ---


def no_upgrade(folder: Path, break_it: Callable[[Stage], Awaitable[None]], **settings: Any) -> str:
    error = refused(folder, "migrating", DATABASE, break_it, **settings)
    assert error.what.startswith("refused to upgrade the database: ")
    assert error.node == "OCTO1"
    return error.what.removeprefix("refused to upgrade the database: ")


async def nothing(stage: Stage) -> None: ...


def test_an_undisturbed_upgrade_of_the_database(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        result = await stage.do(DATABASE)
        assert result == {"schema_version": TARGET, "parts": 1}
        assert stage.report.notes == ["begun", "ended-well"]
        assert stage.actions("database-upgrade") == [("database-upgrade", "OCTO1")]
        assert stage.violations() == []
        assert stage.report.progressed[-1] == "24 scripts so far: Database upgrade completed"
        assert stage.report.waits == []

    on_stage(tmp_path, "migrating", play, nodes=2)


@pytest.mark.parametrize("node", ["OCTO1", "OCTO2"])
def test_no_upgrade_while_a_service_runs(tmp_path: Path, node: str) -> None:
    async def play(stage: Stage) -> str:
        if node == "OCTO2":  # what is not installed yet has the old schema's version
            await started_by_hand(stage, node)
        else:  # the first node has the new binaries: its server would upgrade at its start
            stage.node(node).service.state = "starting"
            stage.node(node).service.process_id = 4711
        with pytest.raises(InterlockRefused) as caught:
            await stage.do(DATABASE)
        assert stage.actions("database-upgrade", "database-upgrade-refused") == []
        assert stage.report.notes == [], "begun was noted before it was certain"
        return caught.value.what

    said = on_stage(tmp_path, "migrating", play, nodes=2)
    assert f"{node} is not stopped (service OctopusDeploy is " in said


def test_no_upgrade_beside_somebody_elses_migrator(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await migrator_runs(stage)
        with pytest.raises(InterlockRefused, match=r"OCTO2 is not stopped \(Octopus.Server.exe da"):
            await stage.do(DATABASE)
        assert [n for _, n in stage.actions("database-upgrade")] in ([], ["OCTO2"])

    on_stage(tmp_path, "migrating", play, nodes=2)


def test_no_upgrade_beside_a_migrator_on_the_first_node(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await migrator_runs(stage, "OCTO1")
        with pytest.raises(InterlockRefused, match="a database upgrade is running"):
            await stage.do(DATABASE)

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_no_upgrade_without_a_backup(tmp_path: Path) -> None:
    async def lost(stage: Stage) -> None:
        del stage.ledger.results[BACKUP]

    assert no_upgrade(tmp_path, lost) == "there is no backup of the database"


def test_no_upgrade_with_a_backup_that_was_not_verified(tmp_path: Path) -> None:
    async def unverified(stage: Stage) -> None:
        found = stage.ledger.results[BACKUP]
        stage.ledger.results[BACKUP] = {**found, "verified": ""}

    assert re.fullmatch(r"the backup .*\.bak was not verified", no_upgrade(tmp_path, unverified))


def test_no_upgrade_with_binaries_of_another_version(tmp_path: Path) -> None:
    async def old(stage: Stage) -> None:
        stage.node("OCTO1").version = INSTALLED

    said = no_upgrade(tmp_path, old)
    assert said == f"installed is {INSTALLED}, the database is {TARGET}"


def test_no_upgrade_of_a_schema_that_is_not_the_one_found(tmp_path: Path) -> None:
    async def changed(stage: Stage) -> None:
        database = stage.lab.cluster.database
        database.history.insert(0, ("2025.3.14287", stage.lab.schedule.now))

    said = no_upgrade(tmp_path, changed)
    assert said == f"the database is 2025.3.14287, not {INSTALLED}"


def test_no_upgrade_of_a_database_without_history(tmp_path: Path) -> None:
    async def empty(stage: Stage) -> None:
        stage.lab.cluster.database.history.clear()

    said = no_upgrade(tmp_path, empty)
    assert said == f"the database is of an unknown version, not {INSTALLED}"


def test_no_upgrade_of_a_database_that_cannot_be_asked(tmp_path: Path) -> None:
    async def down(stage: Stage) -> None:
        stage.lab.add_fault("database:down")

    assert no_upgrade(tmp_path, down).startswith(
        "the state of the database is unknown (A network-related"
    )


def test_no_upgrade_after_a_node_has_run_since_the_backup(tmp_path: Path) -> None:
    said = no_upgrade(tmp_path, heartbeat_seen)
    assert said == (
        "OCTO2 has run since it was proved stopped, and the backup may lack what it wrote"
    )


def test_no_upgrade_where_nobody_noted_when_nodes_were_last_seen(tmp_path: Path) -> None:
    async def forgotten(stage: Stage) -> None:
        del stage.ledger.results[SEEN]

    assert no_upgrade(tmp_path, forgotten) == "when every node was last seen was never noted"


def test_a_node_that_the_database_knows_of_only_now_has_run(tmp_path: Path) -> None:
    async def unknown(stage: Stage) -> None:
        seen = dict(stage.ledger.results[SEEN]["last_seen"])
        del seen["OCTO2"]
        stage.ledger.results[SEEN] = {"last_seen": seen}

    assert no_upgrade(tmp_path, unknown).startswith("OCTO2 has run since it was proved stopped")


def test_every_reason_is_named_at_once(tmp_path: Path) -> None:
    async def all_of_it(stage: Stage) -> None:
        del stage.ledger.results[BACKUP]
        await heartbeat_seen(stage)

    said = no_upgrade(tmp_path, all_of_it)
    assert said.startswith("there is no backup of the database; OCTO2 has run since")


def test_begun_is_noted_before_the_migrator_is_started(tmp_path: Path) -> None:
    """A runner that dies between the two must know that the schema may have been touched."""

    async def play(stage: Stage) -> None:
        order: list[str] = []
        stage.report.on_note = order.append

        def watch(moment: Moment, call: str) -> None:
            if (moment, call) == ("before", "OCTO1 job-start database-upgrade"):
                order.append("the job is started")

        stage.estate.hook = watch
        await stage.do(DATABASE)
        assert order == ["begun", "the job is started", "ended-well"]

    on_stage(tmp_path, "migrating", play, nodes=1)


# --- what became of it ---


def test_a_failed_upgrade_says_what_the_database_is_now(tmp_path: Path) -> None:
    async def play(stage: Stage) -> StepFailed:
        stage.lab.add_fault("database:upgrade-fails,times=1")
        with pytest.raises(StepFailed) as caught:
            await stage.do(DATABASE)
        assert stage.report.notes == ["begun", "failed"]
        return caught.value

    error = on_stage(tmp_path, "migrating", play, nodes=1)
    assert error.what == "the database upgrade failed: the database upgrade ended with 1"
    assert error.node == "OCTO1"
    assert error.meaning.startswith("Its last lines: Executing SQL Server script ")
    assert error.meaning.count(" | ") == 4, "five lines are enough"
    assert error.meaning.endswith("will be rolled back | Failed upgrading database schema")
    assert error.left == f"The database is unchanged, still {INSTALLED}"
    assert error.next_step == "Rolling back needs no restore. Or put the cause right and retry"
    assert error.outcome_known is True


@pytest.mark.parametrize(
    ("version", "left"),
    [(TARGET, f"The database is {TARGET}"), ("", "The database is in an unknown state")],
)
def test_a_failed_upgrade_of_a_changed_schema_says_so(
    tmp_path: Path, version: str, left: str
) -> None:
    """The program ends with an error after it has committed."""

    async def play(stage: Stage) -> StepFailed:
        stage.lab.add_fault("database:upgrade-fails,times=1")

        def committed(moment: Moment, call: str) -> None:
            if call == "OCTO1 job-start database-state" and stage.report.notes[-1:] == ["failed"]:
                history = stage.lab.cluster.database.history
                history[:] = [(version, 0.0)] if version else []

        stage.estate.hook = committed
        with pytest.raises(StepFailed) as caught:
            await stage.do(DATABASE)
        return caught.value

    error = on_stage(tmp_path, "migrating", play, nodes=1)
    assert error.left == left
    assert error.next_step == (
        "Do not start anything. Retry looks first; a restore is a person's decision"
    )
    assert error.outcome_known is False


def test_a_heartbeat_that_lags_behind_the_stop_is_waited_for(tmp_path: Path) -> None:
    """The server refuses while another node looks alive; nothing was changed, so it is repeated."""

    async def play(stage: Stage) -> None:
        row = stage.lab.cluster.database.rows["OCTO2"]
        row.alive_until = stage.lab.schedule.now + 25
        result = await stage.do(DATABASE)
        refusals = stage.actions("database-upgrade-refused")
        assert result["parts"] == len(refusals) + 1 > 1
        assert stage.lab.truth()["database"]["upgrades"] == 1
        assert stage.report.notes == [*["begun", "failed"] * len(refusals), "begun", "ended-well"]
        assert stage.report.waits == [
            "Octopus still takes another node for alive; its heartbeat lags behind the stop",
            "",
        ]

    on_stage(tmp_path, "migrating", play, nodes=2)


def migrator_said(stage: Stage, output: str) -> None:
    """The first part has ended with an error already, and said this."""
    record = JobRecord("database-upgrade", exit_code=1, output=output, state="ended")
    stage.estate.machines["OCTO1"].jobs["run-1.database-upgrade.1"] = record


@pytest.mark.parametrize(
    ("line", "repeated"),
    [
        ("Another node looks alive: OCTO2", True),
        ("ANOTHER NODE IS RUNNING", True),
        ("there is another Octopus Server node online", True),
        ("the other node OCTO2 is still online", True),
        ("Another process is running", False),
        ("this node is running", False),
        ("another node was found", False),
        ("the other nodes were stopped", False),
        ("a script failed", False),
    ],
)
def test_only_a_refusal_because_of_a_live_node_is_repeated(
    tmp_path: Path, line: str, repeated: bool
) -> None:
    async def play(stage: Stage) -> None:
        migrator_said(stage, f"2025-11-30 22:15:01.0001   1234      1  ERROR  {line}\n")
        if repeated:
            assert (await stage.do(DATABASE))["parts"] == 2
        else:
            with pytest.raises(StepFailed) as caught:
                await stage.do(DATABASE)
            assert caught.value.meaning == f"Its last lines: {line}"
            assert stage.actions("database-upgrade") == []

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_long_line_is_shown_by_its_end(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        migrator_said(stage, "first\n" + "x" * 50 + "y" * 100 + "\nhalf a li")
        with pytest.raises(StepFailed):
            await stage.do(DATABASE)
        assert stage.report.progressed == ["0 scripts so far: " + "y" * 100]

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_node_that_looks_alive_for_good_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.cluster.database.rows["OCTO2"].alive_until = float("inf")
        begun = stage.now
        with pytest.raises(StepFailed) as caught:
            await stage.do(DATABASE)
        assert "Another node looks alive: OCTO2" in caught.value.meaning
        waited = stage.now - begun
        assert 600 <= waited <= 640
        assert len(stage.actions("database-upgrade-refused")) <= 40, "it is not asked all the time"
        assert stage.lab.truth()["database"]["upgrades"] == 0

    on_stage(tmp_path, "migrating", play, nodes=2)


def test_another_failure_is_not_repeated(tmp_path: Path) -> None:
    """A script that fails names no live node: trying again would only take longer."""

    async def play(stage: Stage) -> None:
        stage.lab.add_fault("database:upgrade-fails")
        with pytest.raises(StepFailed):
            await stage.do(DATABASE)
        assert stage.actions("database-upgrade") == [("database-upgrade", "OCTO1")]

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_an_upgrade_whose_end_cannot_be_looked_at_is_done_all_the_same(tmp_path: Path) -> None:
    """Exit code 0 is the proof: the step fails, and its retry upgrades nothing again."""

    async def play(stage: Stage) -> None:
        def goes_down(note: str) -> None:
            if note == "ended-well":
                stage.lab.add_fault("database:down")

        stage.report.on_note = goes_down
        with pytest.raises(StepFailed) as caught:
            await stage.do(DATABASE)
        assert caught.value.what.startswith(
            "the upgrade ended well, but now the database cannot be asked: A network-related"
        )
        assert caught.value.node == "OCTO1"
        assert caught.value.left == "Every node is stopped and parked; the backup is at hand"
        assert "it is not upgraded again" in caught.value.next_step
        stage.ledger.notes[DATABASE] = stage.report.notes[-1]
        stage.ledger.attempts[DATABASE] = 1
        probe = await stage.probe(DATABASE)
        assert (probe.done, probe.evidence) == (True, "the upgrade ended well")
        assert probe.result == {"again": True}

    on_stage(tmp_path, "migrating", play, nodes=1)


@pytest.mark.parametrize(
    ("result", "words"), [({"problem": "it is broken"}, "it is broken"), ({}, "no answer")]
)
def test_a_job_that_says_nothing_of_the_database_is_no_word_about_it(
    tmp_path: Path, result: dict[str, str], words: str
) -> None:
    async def play(stage: Stage) -> None:
        def silent(moment: Moment, call: str) -> None:
            if (moment, call) == ("after", "OCTO1 job-start database-state"):
                for record in stage.estate.machines["OCTO1"].jobs.values():
                    if record.kind == "database-state" and record.state == "running":
                        record.state, record.exit_code, record.result = "ended", 1, dict(result)

        stage.estate.hook = silent
        with pytest.raises(StepFailed) as caught:
            await stage.probe(DATABASE)
        assert caught.value.what == f"the state of the database could not be read: {words}"
        assert caught.value.next_step == "Look at the node's log, then retry"

    on_stage(tmp_path, "migrating", play, nodes=1)


# --- R9: what is in doubt is looked at, never repeated ---


def test_a_probe_of_an_upgrade_that_never_began(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        probe = await stage.probe(DATABASE)
        assert (probe.done, probe.evidence) == (False, f"the database is {INSTALLED}")

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_probe_finds_the_upgrade_done(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.cluster.database.history.insert(0, (TARGET, 0.0))
        probe = await stage.probe(DATABASE)
        assert (probe.done, probe.evidence) == (True, f"the database is {TARGET} already")
        assert probe.result == {"again": True}

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_probe_that_cannot_ask_is_in_doubt(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.lab.add_fault("database:down")
        probe = await stage.probe(DATABASE)
        assert probe.done is None
        assert probe.evidence.startswith("the database cannot be asked: A network-related")

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_probe_waits_for_a_migrator_that_still_runs(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        await migrator_runs(stage, "OCTO1")
        looks: list[str] = []
        stage.estate.hook = lambda moment, call: looks.append(f"{moment} {call}")
        probe = await stage.probe(DATABASE)
        assert probe.done is True
        assert 2 <= looks.count("before OCTO1 job-start database-state") <= 6
        assert stage.report.waits == ["a database upgrade that was begun before still runs"]
        assert stage.lab.truth()["database"]["upgrades"] == 1

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_an_upgrade_that_goes_on_is_attached_to_and_not_begun_again(tmp_path: Path) -> None:
    """The runner died; the same attempt finds its job, whose interlocks held when it began."""

    async def play(stage: Stage) -> None:
        context = stage.context(DATABASE)
        job = context.job_id("database-upgrade")
        assert job == "run-1.database-upgrade.1"
        await stage.world.nodes["OCTO1"].start_job(
            job, "database-upgrade", {"instance": "OctopusServer"}
        )
        probe = await stage.probe(DATABASE)
        assert (probe.done, probe.evidence) == (
            False,
            "the upgrade is still running; it is waited for",
        )
        assert (await stage.do(DATABASE))["parts"] == 1
        assert stage.lab.truth()["database"]["upgrades"] == 1
        assert stage.actions("database-upgrade") == [("database-upgrade", "OCTO1")]

    on_stage(tmp_path, "migrating", play, nodes=1)


def test_a_part_that_failed_before_the_runner_died_is_judged_and_not_believed(
    tmp_path: Path,
) -> None:
    """Attached to the newest part: its refusal is repeated, its predecessors are not."""

    async def play(stage: Stage) -> None:
        stage.lab.cluster.database.rows["OCTO2"].alive_until = stage.lab.schedule.now + 5
        context = stage.context(DATABASE)
        node = stage.world.nodes["OCTO1"]
        for part in (0, 1):
            job = context.job_id("database-upgrade", part)
            await node.start_job(job, "database-upgrade", {"instance": "OctopusServer"})
            while (await node.job(job)).state == "running":
                await stage.world.clock.sleep(1)
        assert (await stage.do(DATABASE))["parts"] == 3
        assert stage.report.notes == ["begun", "failed", "begun", "ended-well"]
        assert stage.lab.truth()["database"]["upgrades"] == 1
        assert stage.violations() == []

    on_stage(tmp_path, "migrating", play, nodes=2)
