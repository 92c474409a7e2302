"""Every fault that an upgrade must survive, or refuse, or hand to a person, judged by the truth."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from octotui.upgrade.plan import Options
from tests.rehearsal import (
    Estate,
    assert_as_found,
    assert_safe,
    assert_serves,
    assert_upgraded,
    changes,
    failures,
    quick,
    rehearse,
    rehearse_one,
    started,
)
from tests.simulated_upgrade import INSTALLED, TARGET, Outcome

__all__ = ["quick"]
pytestmark = pytest.mark.usefixtures("quick")

BOTH = ("first-node", "all-nodes")


def upgrade(folder: Path, *faults: str, nodes: int = 3, **options: object) -> Outcome:
    return rehearse_one(folder, nodes=nodes, faults=faults, options=Options(**options))  # type: ignore[arg-type]


# --- refused before anything changes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "node", "words"),
    [
        ("node2:unreachable", "OCTO2", "refuses the connection"),
        ("node2:wrong-credentials", "OCTO2", "refuses the account"),
        ("node2:disk-full", "OCTO2", "free"),
        ("node2:other-version", "OCTO2", "2025.2.13099"),
        ("node1:unreachable", "OCTO1", "refuses the connection"),
        ("node1:no-database-rights", None, "db_owner"),
        ("license:not-compliant", None, "licence"),
        ("cluster:unknown-node", None, "OCTO4"),
        ("api-key:not-administrator", None, "AdministerSystem"),
        ("database:down", None, ""),
    ],
)
def test_refused_by_a_check(tmp_path: Path, fault: str, node: str | None, words: str) -> None:
    outcome = upgrade(tmp_path, fault)
    assert (outcome.state, outcome.code) == ("refused", 3), outcome.lines
    assert changes(outcome) == []
    assert_safe(outcome)
    refusing = [
        e.data for e in outcome.events if e.kind == "finding" and e.data["result"] == "fail"
    ]
    assert any(words in f["evidence"] + f["fix"] for f in refusing), refusing
    assert all(f["fix"] for f in refusing), "a finding that refuses says what to do"
    assert all(f["fix"] in outcome.lines for f in refusing), "and so do the last lines"
    if node:
        assert any(node in (f["node"], *f["evidence"].split()) for f in refusing), refusing


@pytest.mark.parametrize("fault", ["unreachable", "disk-full", "no-database-rights"])
def test_refused_on_a_single_server(tmp_path: Path, fault: str) -> None:
    outcome = upgrade(tmp_path, f"node1:{fault}", nodes=1)
    assert (outcome.state, outcome.code) == ("refused", 3), outcome.lines
    assert changes(outcome) == []


# --- backed out: everything as before ------------------------------------------------------------


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize("rollout", BOTH)
@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ("node1:msi-exit=1603,times=1", "installing.install@OCTO1"),
        ("node1:msi-exit=1602,times=1", "installing.install@OCTO1"),
        ("node1:msi-incomplete,times=1", "installing.install@OCTO1"),
        ("node1:service-stop-lies", "stopping.stop@OCTO1"),
        ("database:upgrade-fails", "migrating.database@OCTO1"),
        ("database:backup-fails", "installing.backup"),
    ],
)
def test_backed_out(tmp_path: Path, fault: str, step: str, rollout: str, nodes: int) -> None:
    outcome = upgrade(tmp_path, fault, nodes=nodes, rollout=rollout)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert step in failures(outcome)
    assert outcome.truth["database"]["upgrades"] == 0
    if not step.startswith("migrating"):
        assert outcome.actions("database-upgrade") == []
    assert failures(outcome)[step]["what"] in outcome.lines, "the cause is told"
    assert outcome.lines.startswith("Rolled back")


def test_an_installer_that_fails_once_more_on_the_way_back_needs_a_person(tmp_path: Path) -> None:
    outcome = upgrade(tmp_path, "node1:msi-exit=1603", nodes=1)
    assert (outcome.state, outcome.code) == ("needs_person", 4), outcome.lines
    assert_safe(outcome)


@pytest.mark.parametrize("fault", ["msi-exit=1603,times=1", "msi-incomplete,times=1"])
def test_another_node_fails_before_the_point_of_no_return(tmp_path: Path, fault: str) -> None:
    outcome = upgrade(tmp_path, f"node2:{fault}", rollout="all-nodes")
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert outcome.actions("database-upgrade") == []


def test_another_node_stops_only_in_words(tmp_path: Path) -> None:
    outcome = upgrade(tmp_path, "node3:service-stop-lies")
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert outcome.actions("msi-install", "database-upgrade") == []


# --- one node of a cluster is left to a person ---------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words", "stands"),
    [
        ("msi-exit=1603", "1603", "Stopped and parked: OCTO2."),
        ("msi-incomplete", "missing", "Stopped and parked: OCTO2."),
        ("service-will-not-start", "ended by itself", "Started, but not proved to serve: OCTO2."),
    ],
)
def test_another_node_fails_after_the_database_upgrade(
    tmp_path: Path, fault: str, words: str, stands: str
) -> None:
    outcome = upgrade(tmp_path, f"node2:{fault}")
    assert (outcome.state, outcome.code) == ("needs_person", 4), outcome.lines
    assert_safe(outcome)
    assert outcome.truth["database"]["upgrades"] == 1
    node = outcome.truth["nodes"]["OCTO2"]
    assert node["service"] == "stopped"
    assert node["watchdog"] == "disabled"
    assert_serves(outcome, TARGET, "OCTO1", "OCTO3")
    for said in (
        words,
        stands,
        f"Serving {TARGET}: OCTO1, OCTO3.",
        "maintenance mode is on.",
        "octotui resume run-1",
        "octotui control run-1 leave-out OCTO2",
    ):
        assert said in outcome.lines
    assert "rollback" not in outcome.lines


def test_the_first_node_does_not_start(tmp_path: Path) -> None:
    outcome = upgrade(tmp_path, "node1:service-will-not-start")
    assert (outcome.state, outcome.code) == ("needs_person", 4), outcome.lines
    assert_safe(outcome)
    assert outcome.truth["database"]["upgrades"] == 1
    assert "restore" in outcome.lines
    assert {"OCTO2", "OCTO3"} == {
        n for n, s in outcome.nodes("service").items() if s == "stopped"
    } - {"OCTO1"}


# --- survived ------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [1, 3])
@pytest.mark.parametrize(
    "faults",
    [
        ("node1:msi-exit=3010",),
        ("node1:msi-exit=1618,times=1",),
        ("node1:installer-busy,times=2",),
        ("node1:watchdog-restarts",),
        ("node1:slow=5",),
        ("database:upgrade-slow=20",),
        ("cluster:slow-drain",),
        ("cluster:api-503=30",),
    ],
    ids=lambda faults: faults[0],
)
def test_survived(tmp_path: Path, faults: tuple[str, ...], nodes: int) -> None:
    assert_upgraded(upgrade(tmp_path, *faults, nodes=nodes))


@pytest.mark.parametrize("fault", ["msi-exit=1618,times=2", "watchdog-restarts", "slow=5"])
@pytest.mark.parametrize("rollout", BOTH)
def test_survived_on_another_node(tmp_path: Path, fault: str, rollout: str) -> None:
    assert_upgraded(upgrade(tmp_path, f"node2:{fault}", rollout=rollout))


@pytest.mark.parametrize("rollout", BOTH)
def test_a_restart_that_windows_wants_is_told(tmp_path: Path, rollout: str) -> None:
    outcome = upgrade(tmp_path, "node2:msi-exit=3010", rollout=rollout)
    assert_upgraded(outcome)
    assert "OCTO2" in outcome.lines
    assert "restart" in outcome.lines


def test_a_wait_for_another_installation_is_shown(tmp_path: Path) -> None:
    outcome = upgrade(tmp_path, "node1:msi-exit=1618,times=2", nodes=1)
    reasons = [e.data["reason"] for e in outcome.events if e.kind == "step.waiting"]
    assert any("another installation is running on OCTO1" in reason for reason in reasons)
    assert len(started(outcome, "installing.install@OCTO1")) == 1


# --- drain ---------------------------------------------------------------------------------------


def test_a_task_that_waits_for_a_person_is_backed_out_at_the_deadline(tmp_path: Path) -> None:
    outcome = upgrade(tmp_path, "cluster:task-waits-for-person", drain_deadline=600.0)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert "waits for a person's answer" in outcome.lines
    assert outcome.actions("service-stop") == []


def test_a_task_that_waits_for_a_person_can_be_cancelled(tmp_path: Path) -> None:
    outcome = upgrade(tmp_path, "cluster:task-waits-for-person", drain_policy="cancel")
    assert_upgraded(outcome)
    assert outcome.actions("task-cancel")


# --- packages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[:-1] + b"x", lambda data: data[: len(data) // 2], lambda data: b"<html>"],
    ids=["tampered", "truncated", "html"],
)
@pytest.mark.parametrize("nodes", [1, 3])
def test_a_spoilt_package_is_never_installed(tmp_path: Path, spoil: object, nodes: int) -> None:
    outcome = rehearse_one(tmp_path, nodes=nodes, spoil=spoil)
    assert (outcome.state, outcome.code) == ("failed", 1), outcome.lines
    assert_as_found(outcome)
    assert changes(outcome) == []
    assert "did not get to the node" in outcome.lines


def test_a_fetch_that_breaks_is_repeated(tmp_path: Path) -> None:
    breaks = iter([True, False, True])

    def spoil(data: bytes) -> bytes:
        return data[:100] if next(breaks, False) else data

    outcome = rehearse_one(tmp_path, nodes=1, spoil=spoil)
    assert_upgraded(outcome)
    reasons = [e.data["reason"] for e in outcome.events if e.kind == "step.waiting"]
    assert any("did not come whole" in reason for reason in reasons)


@pytest.mark.parametrize("maintenance", [False, True])
@pytest.mark.parametrize("fault", ["database:upgrade-fails", "node1:msi-exit=3010"])
def test_maintenance_mode_ends_as_it_was_found(
    tmp_path: Path, maintenance: bool, fault: str
) -> None:
    outcome = rehearse_one(tmp_path, nodes=1, faults=[fault], maintenance=maintenance)
    assert_safe(outcome)
    assert outcome.truth["cluster"]["maintenance"] is maintenance


def test_nothing_is_served_by_two_versions(tmp_path: Path) -> None:
    """Faults at once: a slow node, a busy installer, a watchdog in a hurry, an API that naps."""
    faults = (
        "node1:slow=3", "node2:msi-exit=1618,times=3", "node3:watchdog-restarts",
        "cluster:api-503=60", "cluster:slow-drain",
    )  # fmt: skip
    outcome = upgrade(tmp_path, *faults)
    assert_upgraded(outcome)
    assert INSTALLED not in outcome.nodes("version").values()


# --- the way back --------------------------------------------------------------------------------


def mixed(truth: dict[str, Any]) -> list[Any]:
    """Starts with binaries that do not fit the schema; the one by hand is the first."""
    return [violation for violation in truth["violations"] if violation["rule"] == "R3"]


def test_the_way_back_is_closed_where_somebody_upgraded_the_database_by_hand(
    tmp_path: Path,
) -> None:
    """The new server migrates the schema when it is started, whoever starts it."""

    async def play(estate: Estate) -> Outcome:
        outcome = await estate.attempt(backs_out=False)
        assert outcome.state == "needs_person", outcome.lines
        host = estate.hosts["OCTO1"]
        host.set_start_type("OctopusDeploy", "manual")
        host.start_service("OctopusDeploy")
        await asyncio.sleep(600)
        assert estate.lab.truth()["database"]["version"] == TARGET
        before = mixed(estate.lab.truth())
        journal = estate.journal()
        journal.command("rollback", "", "somebody")
        journal.close()
        outcome = await estate.attempt(backs_out=False)
        assert mixed(outcome.truth) == before, "no old binaries on the new schema"
        return outcome

    outcome = rehearse(tmp_path, play, nodes=2, faults=["database:backup-fails,times=1"])
    assert outcome.state == "needs_person", outcome.lines
    assert outcome.nodes("version")["OCTO1"] == TARGET
