"""Every safety rule is broken on purpose, and the lab sees it."""

from __future__ import annotations

import pytest

from octotui_lab.clock import ManualClock
from tests.lab_estate import NEW, OLD, PATCH, Operator, package, world


@pytest.fixture
def operator() -> Operator:
    clock = ManualClock()
    return Operator(world(clock), clock)


def upgrade(operator: Operator) -> None:
    """The documented order, first node first."""
    operator.close()
    operator.back_up()
    operator.install("OCTO1")
    operator.upgrade_database()
    operator.start("OCTO1")
    for name in ("OCTO2", "OCTO3"):
        operator.install(name)
        operator.start(name)
    for name in operator.world.node_names:
        operator.world.set_node(name, draining=False, task_cap=5)
    operator.world.set_maintenance(False)


def test_the_documented_order_breaks_no_rule(operator: Operator) -> None:
    upgrade(operator)
    truth = operator.world.truth(final=True)
    assert truth["violations"] == []
    assert truth["database"]["version"] == PATCH
    assert truth["database"]["upgrades"] == 1
    assert {n["version"] for n in truth["nodes"].values()} == {PATCH}
    assert all(n["serving"] and n["installs"] == 1 for n in truth["nodes"].values())
    assert operator.actions("serving") == [
        ("serving", "OCTO1"),
        ("serving", "OCTO2"),
        ("serving", "OCTO3"),
    ]


def test_r1_an_upgrade_is_asked_for_while_another_node_runs(operator: Operator) -> None:
    operator.drain_all()
    operator.park_all()
    operator.stop("OCTO1")
    operator.stop("OCTO2")
    operator.pass_time(25)
    operator.install("OCTO1")
    program = operator.upgrade_database()
    assert program.exit_code == 1
    assert any("Another node looks alive: OCTO3" in line for line in program.lines)
    assert operator.broken == ["R1"]
    assert operator.world.truth()["database"]["version"] == OLD


def test_r1_a_node_starts_while_the_database_is_upgraded(operator: Operator) -> None:
    operator.close()
    operator.back_up()
    operator.install("OCTO1")
    operator.server("OCTO1", "database", "--upgrade", seconds=20)
    operator.world.set_start_type("OCTO2", "manual")
    operator.server("OCTO2", "service", "--start", seconds=1)
    assert operator.broken == ["R1"]


def test_r2_a_second_successful_upgrade(operator: Operator) -> None:
    operator.close()
    operator.back_up()
    operator.install("OCTO1")
    operator.upgrade_database()
    assert operator.broken == []
    operator.upgrade_database()
    assert operator.broken == ["R2"]
    assert operator.world.truth()["database"]["upgrades"] == 2


def test_r2_does_not_mind_the_next_upgrade_of_a_cluster_that_served(operator: Operator) -> None:
    upgrade(operator)
    operator.close()
    operator.sql("BACKUP DATABASE [Octopus] TO DISK = N'/backup/2.bak' WITH COPY_ONLY")
    operator.sql("RESTORE VERIFYONLY FROM DISK = N'/backup/2.bak'")
    operator.install("OCTO1", NEW)
    operator.upgrade_database()
    assert operator.broken == []
    assert operator.world.truth()["database"]["version"] == NEW


def test_r3_old_binaries_start_on_a_new_schema(operator: Operator) -> None:
    operator.close()
    operator.back_up()
    operator.install("OCTO1")
    operator.upgrade_database()
    operator.start("OCTO2")
    assert operator.broken == ["R3"]
    # The server itself refuses (I#6366): Running for a moment, then gone.
    assert operator.world.rest_state("OCTO2") == "refused"
    assert operator.world.truth()["nodes"]["OCTO2"]["service"] == "stopped"


def test_r3_new_binaries_start_on_the_old_schema_and_upgrade_it(operator: Operator) -> None:
    operator.close()
    operator.back_up()
    operator.install("OCTO1")
    operator.start("OCTO1")
    assert operator.broken[0] == "R3"
    operator.pass_time(125)
    assert operator.world.rest_state("OCTO1") == "up"
    assert operator.world.truth()["database"]["version"] == PATCH


def test_r4_two_versions_serve(operator: Operator) -> None:
    operator.world.set_maintenance(True)
    operator.world.set_node("OCTO1", draining=True, task_cap=5)
    operator.pass_time(31)
    operator.stop("OCTO1")
    operator.pass_time(25)
    operator.install("OCTO1")
    operator.start("OCTO1")
    operator.pass_time(130)
    assert operator.world.rest_state("OCTO1") == "up"
    assert "R4" in operator.broken


def test_r5_an_unproved_file_is_installed(operator: Operator) -> None:
    operator.close()
    operator.install("OCTO1", prove=False)
    assert operator.broken == ["R5"]


def test_r5_a_proof_on_another_node_proves_nothing(operator: Operator) -> None:
    operator.close()
    operator.world.file_proved("OCTO2", package(PATCH).sha256)
    operator.install("OCTO1", prove=False)
    assert operator.broken == ["R5"]


def test_r6_no_backup(operator: Operator) -> None:
    operator.close()
    operator.install("OCTO1")
    operator.upgrade_database()
    assert operator.broken == ["R6"]


def test_r6_a_backup_begun_before_the_last_node_was_stopped(operator: Operator) -> None:
    operator.drain_all()
    operator.park_all()
    operator.back_up()
    operator.stop_all()
    operator.install("OCTO1")
    operator.upgrade_database()
    assert operator.broken == ["R6"]


def test_r6_a_backup_that_was_not_verified(operator: Operator) -> None:
    operator.close()
    operator.sql("BACKUP DATABASE [Octopus] TO DISK = N'/backup/x.bak' WITH COPY_ONLY")
    operator.install("OCTO1")
    operator.upgrade_database()
    assert operator.broken == ["R6"]


def test_r7_a_stop_outside_of_maintenance_mode(operator: Operator) -> None:
    operator.drain_all()
    operator.world.set_maintenance(False)
    operator.stop("OCTO1")
    assert operator.broken == ["R7"]


def test_r7_a_stop_of_a_node_that_is_not_drained(operator: Operator) -> None:
    operator.drain_all()
    operator.world.set_node("OCTO1", draining=False, task_cap=5)
    operator.stop("OCTO1")
    assert operator.broken == ["R7"]


def test_r7_a_stop_while_tasks_run(operator: Operator) -> None:
    operator.world.set_maintenance(True)
    operator.world.set_node("OCTO1", draining=True, task_cap=5)
    operator.stop("OCTO1")
    assert operator.broken == ["R7"]
    operator.pass_time(21)
    assert [t.state for t in operator.world.tasks() if t.node == "OCTO1"] == ["Failed"]


def test_r7_cancelled_tasks_and_waived_ones_may_end_with_the_service(operator: Operator) -> None:
    operator.world.set_maintenance(True)
    for name in ("OCTO1", "OCTO2"):
        operator.world.set_node(name, draining=True, task_cap=5)
    for task in operator.world.tasks():
        if task.node == "OCTO1":
            assert operator.world.cancel_task(task.id)
    operator.world.waive_drain("OCTO2")
    operator.pass_time(3)
    operator.stop("OCTO1")
    operator.stop("OCTO2")
    assert operator.broken == []


@pytest.mark.parametrize("found", [True, False])
def test_r8_is_judged_at_the_end_against_what_was_found(found: bool) -> None:
    lab = world(ManualClock(), 1, maintenance=found)
    assert lab.truth(final=True)["violations"] == []
    lab.set_maintenance(not found)
    assert [v["rule"] for v in lab.truth(final=True)["violations"]] == ["R8"]
    assert lab.truth()["violations"] == []


@pytest.mark.parametrize(
    ("without", "word"),
    [
        ("RUNMANAGERONEXIT=no", "RUNMANAGERONEXIT"),
        ("INSTALLLOCATION", "INSTALLLOCATION"),
        ("/norestart", "/norestart"),
        ("/quiet", "/quiet"),
    ],
)
def test_an_argument_that_msiexec_lacks(operator: Operator, without: str, word: str) -> None:
    operator.close()
    wanted = package(PATCH)
    operator.world.file_proved("OCTO1", wanted.sha256)
    arguments = [a for a in operator.msi_arguments("OCTO1") if not a.startswith(without)]
    operator.world.start_msiexec("OCTO1", arguments, "admin", wanted.sha256)
    (violation,) = operator.world.truth()["violations"]
    assert violation["rule"] == "MSI"
    assert word in violation["detail"]


def test_another_install_directory_than_the_one_in_use(operator: Operator) -> None:
    operator.close()
    wanted = package(PATCH)
    operator.world.file_proved("OCTO1", wanted.sha256)
    arguments = [*operator.msi_arguments("OCTO1")[:-1], 'INSTALLLOCATION="/elsewhere"']
    operator.world.start_msiexec("OCTO1", arguments, "admin", wanted.sha256)
    assert operator.broken == ["MSI"]
