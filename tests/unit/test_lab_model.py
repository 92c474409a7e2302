"""The simulated cluster behaves like the facts in the domain notes, defects included."""

from __future__ import annotations

import json

import pytest

from octotui_lab.clock import ManualClock
from tests.lab_estate import NEW, OLD, PATCH, Operator, package, world


def operator(*faults: str, nodes: int = 3, speed: float = 1.0) -> Operator:
    clock = ManualClock(speed=speed)
    return Operator(world(clock, nodes, *faults), clock)


# -- time ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [1.0, 60.0, 600.0])
def test_durations_shrink_with_speed_and_events_keep_their_own_time(speed: float) -> None:
    lab = operator(nodes=1, speed=speed)
    begun = lab.clock.now()
    lab.server("OCTO1", "service", "--stop")
    # Nobody looks for a long time; what happened meanwhile happened when it was due.
    lab.pass_time(10_000)
    lab.world.cluster.nodes["OCTO1"].watchdog_enabled = False
    (stopped, *_) = [a for a in lab.world.truth()["actions"] if a["action"] == "service-stopped"]
    assert stopped["at"] - begun == pytest.approx(20 / speed)


# -- services --------------------------------------------------------------------------------------


def test_a_node_boots_before_it_serves() -> None:
    lab = operator(nodes=1)
    lab.close()
    assert lab.world.rest_state("OCTO1") == "refused"
    lab.world.set_start_type("OCTO1", "manual")
    lab.server("OCTO1", "service", "--start")
    seen = []
    for _ in range(7):
        seen.append(lab.world.rest_state("OCTO1"))
        lab.pass_time(10)
    assert seen == ["refused", *["booting"] * 5, "up"]


def test_a_disabled_service_does_not_start() -> None:
    lab = operator(nodes=1)
    lab.close()
    program = lab.server("OCTO1", "service", "--start")
    assert program.exit_code == 1
    assert "disabled" in program.lines[-1]


def test_the_watchdog_starts_what_was_stopped_unless_parked() -> None:
    lab = operator(nodes=2)
    lab.drain_all()
    lab.world.set_watchdog("OCTO2", False)
    for name in lab.world.node_names:
        lab.stop(name)
    lab.pass_time(300)
    assert lab.actions("service-start") == [("service-start", "OCTO1")]
    assert lab.world.truth()["actions"][-1]["detail"].get("by") != "service --start"


def test_the_watchdog_leaves_a_disabled_service_alone() -> None:
    lab = operator("node1:watchdog-restarts", nodes=1)
    lab.drain_all()
    lab.world.set_start_type("OCTO1", "disabled")
    lab.stop("OCTO1")
    lab.pass_time(1000)
    assert lab.actions("service-start") == []


def test_a_watchdog_that_restarts_at_once() -> None:
    lab = operator("node1:watchdog-restarts", nodes=1)
    lab.drain_all()
    lab.stop("OCTO1")
    lab.pass_time(22)
    assert lab.actions("service-start") == [("service-start", "OCTO1")]


def test_a_stop_that_lies_ends_with_0_and_stops_nothing() -> None:
    lab = operator("node1:service-stop-lies,times=1", nodes=1)
    lab.drain_all()
    program = lab.server("OCTO1", "service", "--stop", seconds=46)
    assert program.exit_code == 0
    assert "could not be stopped" in program.lines[-1]
    assert lab.world.rest_state("OCTO1") == "up"
    lab.server("OCTO1", "service", "--stop", seconds=21)
    assert lab.world.rest_state("OCTO1") == "refused"


def test_a_service_that_will_not_start_is_running_for_a_moment() -> None:
    lab = operator("node1:service-will-not-start,times=1", nodes=1)
    lab.close()
    lab.world.set_start_type("OCTO1", "manual")
    program = lab.server("OCTO1", "service", "--start", seconds=6)
    assert program.exit_code == 0
    lab.pass_time(30)
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "stopped"
    lab.start("OCTO1")
    assert lab.world.rest_state("OCTO1") == "up"


def test_a_slow_node_takes_longer() -> None:
    lab = operator("node1:slow=3", nodes=1)
    lab.drain_all()
    lab.pass_time(60)
    lab.stop("OCTO1")
    lab.pass_time(59)
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "running"
    lab.pass_time(2)
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "stopped"


def test_other_nodes_notice_a_clean_stop_seconds_later() -> None:
    lab = operator(nodes=2)
    lab.drain_all()
    lab.stop("OCTO2")
    lab.pass_time(20.5)
    assert not lab.world.summary()[1].offline
    lab.pass_time(3)
    assert lab.world.summary()[1].offline


# -- tasks -----------------------------------------------------------------------------------------


def test_tasks_of_a_drained_node_end_and_no_new_one_begins() -> None:
    lab = operator(nodes=2)
    assert [s.running_tasks for s in lab.world.summary()] == [1, 1]
    lab.world.set_node("OCTO1", draining=True, task_cap=5)
    lab.pass_time(100)
    assert [s.running_tasks for s in lab.world.summary()] == [0, 1]
    lab.world.set_node("OCTO1", draining=False, task_cap=5)
    lab.pass_time(21)
    assert [s.running_tasks for s in lab.world.summary()] == [1, 1]


def test_a_slow_drain_takes_ten_times_as_long() -> None:
    lab = operator("cluster:slow-drain", nodes=1)
    lab.world.set_maintenance(True)
    lab.world.set_node("OCTO1", draining=True, task_cap=5)
    lab.pass_time(299)
    assert lab.world.summary()[0].running_tasks == 1
    lab.pass_time(2)
    assert lab.world.summary()[0].running_tasks == 0


def test_a_task_that_waits_for_a_person_ends_only_by_cancelling() -> None:
    lab = operator("cluster:task-waits-for-person", nodes=2)
    lab.drain_all()
    lab.pass_time(10_000)
    (waiting,) = [t for t in lab.world.tasks() if t.running]
    assert waiting.node == "OCTO1"
    assert lab.world.waits_for_person(waiting)
    assert lab.world.cancel_task(waiting.id)
    assert waiting.state == "Cancelling"
    lab.pass_time(3)
    assert waiting.state == "Canceled"
    assert not lab.world.cancel_task(waiting.id)
    assert lab.actions("task-cancel") == [("task-cancel", "OCTO1")]


# -- Windows Installer -----------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1602, 1603, 1605, 1618, 1619, 1620, 1625, 1638])
def test_a_failing_msi_leaves_the_old_version(code: int) -> None:
    lab = operator(f"node1:msi-exit={code},times=1", nodes=1)
    lab.close()
    assert lab.install() == code
    assert lab.world.truth()["nodes"]["OCTO1"]["version"] == OLD
    assert lab.install() == 0
    assert lab.world.truth()["nodes"]["OCTO1"]["version"] == PATCH
    assert lab.world.truth()["nodes"]["OCTO1"]["installs"] == 1


@pytest.mark.parametrize("code", [1641, 3010])
def test_codes_that_are_successes(code: int) -> None:
    lab = operator(f"node1:msi-exit={code}", nodes=1)
    lab.close()
    assert lab.install() == code
    assert lab.world.truth()["nodes"]["OCTO1"]["version"] == PATCH
    assert lab.world.cluster.nodes["OCTO1"].pending_reboot == ["PendingFileRenameOperations"]


def test_the_msi_stops_the_service_itself_and_does_not_start_it() -> None:
    lab = operator(nodes=1)
    lab.drain_all()
    lab.world.set_watchdog("OCTO1", False)
    lab.install()
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "stopped"
    assert lab.actions("service-stop", "service-start") == []


def test_two_installations_at_once() -> None:
    lab = operator(nodes=1)
    lab.close()
    wanted = package(PATCH)
    lab.world.file_proved("OCTO1", wanted.sha256)
    arguments = lab.msi_arguments("OCTO1")
    first = lab.world.start_msiexec("OCTO1", arguments, "admin", wanted.sha256)
    second = lab.world.start_msiexec("OCTO1", arguments, "admin", wanted.sha256)
    lab.pass_time(80)
    assert (first.exit_code, second.exit_code) == (0, 1618)


def test_a_package_that_is_none() -> None:
    lab = operator(nodes=1)
    missing = lab.world.start_msiexec("OCTO1", lab.msi_arguments("OCTO1"), "admin", None)
    strange = lab.world.start_msiexec("OCTO1", ["/i", "x.msi", "/quiet"], "admin", "0" * 64)
    nothing = lab.world.start_msiexec("OCTO1", ["/quiet"], "admin", None)
    lab.pass_time(5)
    assert missing.exit_code == 1619
    assert strange.exit_code == 1618  # the first one still held the mutex
    assert nothing.exit_code == 1618
    strange = lab.world.start_msiexec("OCTO1", ["/i", "x.msi", "/quiet"], "admin", "0" * 64)
    lab.pass_time(5)
    nothing = lab.world.start_msiexec("OCTO1", ["/quiet"], "admin", None)
    lab.pass_time(5)
    assert (strange.exit_code, nothing.exit_code) == (1620, 1639)


def test_an_older_package_installs_only_after_the_newer_one_was_uninstalled() -> None:
    lab = operator(nodes=1)
    lab.close()
    lab.install(version=PATCH)
    assert lab.install(version=OLD) == 1603
    wrong = lab.world.start_msiexec("OCTO1", ["/x", "{no-such}", "/quiet"], "admin", None)
    lab.pass_time(5)
    assert wrong.exit_code == 1605
    removed = lab.world.start_msiexec(
        "OCTO1", ["/x", package(PATCH).product_code, "/quiet", "/norestart"], "admin", None
    )
    lab.pass_time(40)
    assert removed.exit_code == 0
    assert lab.world.truth()["nodes"]["OCTO1"]["version"] == ""
    with pytest.raises(FileNotFoundError):
        lab.server("OCTO1", "version")
    assert lab.install(version=OLD) == 0
    assert lab.world.truth()["nodes"]["OCTO1"]["version"] == OLD
    # The service is not the package's: it is still registered, and starts again.
    lab.start()
    assert lab.world.rest_state("OCTO1") == "up"


def test_a_full_disk_fails_the_msi() -> None:
    lab = operator("node1:disk-full", nodes=1)
    lab.close()
    assert lab.install() == 1603


def test_an_incomplete_installation_does_not_run() -> None:
    lab = operator("node1:msi-incomplete", nodes=1)
    lab.close()
    assert lab.install() == 0
    assert lab.server("OCTO1", "version").exit_code == -2147450740
    lab.world.set_start_type("OCTO1", "manual")
    assert lab.world.start_service("OCTO1", "Start-Service") == ""
    lab.pass_time(60)
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "stopped"


# -- the database ----------------------------------------------------------------------------------


def test_a_failing_upgrade_is_rolled_back() -> None:
    lab = operator("database:upgrade-fails,times=1")
    lab.close()
    lab.back_up()
    lab.install()
    program = lab.upgrade_database()
    said = "\n".join(program.lines)
    assert program.exit_code == 1
    for marker in ("Beginning transaction", "Upgrade failed due to", "will be rolled back"):
        assert marker in said
    assert lab.world.truth()["database"]["version"] == OLD
    assert lab.upgrade_database().exit_code == 0
    assert lab.world.truth()["database"] | {"backups": []} == {
        "version": PATCH,
        "upgrades": 1,
        "backups": [],
    }


def test_lines_come_while_the_upgrade_goes_on() -> None:
    lab = operator()
    lab.close()
    lab.back_up()
    lab.install()
    program = lab.server("OCTO1", "database", "--upgrade", seconds=60)
    running = sum("Executing SQL Server script" in line for line in program.lines)
    lab.pass_time(60)
    assert 0 < running < sum("Executing SQL Server script" in line for line in program.lines)
    assert program.exit_code == 0


def test_a_killed_upgrade_is_rolled_back() -> None:
    lab = operator(nodes=1)
    lab.close()
    lab.back_up()
    lab.install()
    program = lab.server("OCTO1", "database", "--upgrade", seconds=60)
    assert lab.world.kill_process("OCTO1", program.id)
    lab.pass_time(200)
    assert program.exit_code == -1
    assert lab.world.truth()["database"]["version"] == OLD
    assert lab.upgrade_database().exit_code == 0


def test_an_unknown_node_keeps_the_database_from_being_upgraded() -> None:
    lab = operator("cluster:unknown-node")
    assert [s.name for s in lab.world.summary()] == ["OCTO1", "OCTO2", "OCTO3", "OCTO4"]
    lab.close()
    lab.install()
    program = lab.upgrade_database()
    assert program.exit_code == 1
    assert "OCTO4" in program.lines[-2]


def test_a_license_that_does_not_comply_fails_a_precondition() -> None:
    lab = operator("license:not-compliant", nodes=1)
    assert not lab.world.license_compliant()
    lab.close()
    lab.install()
    program = lab.upgrade_database()
    assert program.exit_code == 1
    assert any("- FAIL License" in line for line in program.lines)
    assert lab.world.truth()["database"]["version"] == OLD


def test_a_slow_upgrade_takes_its_time() -> None:
    lab = operator("database:upgrade-slow=10", nodes=1)
    lab.close()
    lab.install()
    program = lab.server("OCTO1", "database", "--upgrade", seconds=1199)
    assert program.exit_code is None
    lab.pass_time(2)
    assert program.exit_code == 0


def test_a_database_that_is_down() -> None:
    lab = operator(nodes=1)
    lab.world.add_fault("database:down")
    assert lab.world.rest_state("OCTO1") == "booting"
    assert "not accessible" in lab.sql("SELECT IS_MEMBER('db_owner')").error
    assert lab.upgrade_database().exit_code == 1
    assert lab.world.remove_fault("database", "down")
    assert lab.world.rest_state("OCTO1") == "up"


def test_backups_fail_and_are_refused() -> None:
    lab = operator("database:backup-fails,times=1", "node2:no-database-rights")
    text = "BACKUP DATABASE [Octopus] TO DISK = N'/b/it''s.bak' WITH COPY_ONLY, CHECKSUM, STATS = 5"
    failed = lab.sql(text)
    assert "terminating abnormally" in failed.error
    assert failed.messages[-1] == "40 percent processed."
    assert "permission denied" in lab.sql(text, "OCTO2").error
    assert lab.sql(text).error == ""
    assert lab.sql("RESTORE VERIFYONLY FROM DISK = N'/b/it''s.bak' WITH CHECKSUM").error == ""
    assert "Cannot open" in lab.sql("RESTORE VERIFYONLY FROM DISK = N'/b/other.bak'").error
    (backup,) = lab.world.truth()["database"]["backups"]
    assert backup["file"] == "/b/it's.bak"
    assert backup["verified"]


def test_a_restore_brings_schema_and_maintenance_mode_back() -> None:
    lab = operator(nodes=1)
    lab.close()
    lab.back_up()
    lab.install()
    lab.upgrade_database()
    lab.world.set_maintenance(False)
    restored = lab.sql("RESTORE DATABASE [Octopus] FROM DISK = N'/backup/Octopus.bak' WITH REPLACE")
    assert restored.error == ""
    assert lab.world.truth()["database"]["version"] == OLD
    assert lab.world.maintenance
    assert lab.actions("database-restore") == [("database-restore", "OCTO1")]


def test_what_the_agent_reads_of_the_database() -> None:
    lab = operator("node2:no-database-rights")
    who = "SELECT IS_MEMBER('db_owner') AS owner, CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS [version], SUSER_SNAME()"  # noqa: E501
    assert lab.sql(who).rows == [
        {"owner": 1, "version": "16.0.4135.4", "Column3": "OCTOLAB\\admin"}
    ]
    assert lab.sql(who, "OCTO2").rows[0]["owner"] == 0
    newest = lab.sql("SELECT TOP (1) [Version] FROM [dbo].[OctopusServerInstallationHistory]")
    assert newest.rows == [{"Version": OLD}]
    nodes = lab.sql("SELECT Name FROM dbo.OctopusServerNode ORDER BY Name;")
    assert [row["Name"] for row in nodes.rows] == ["OCTO1", "OCTO2", "OCTO3"]
    for bad in ("SELECT Nothing FROM dbo.OctopusServerNode", "SELECT 1 FROM dbo.Nothing", "DROP X"):
        assert lab.sql(bad).error


# -- Octopus.Server.exe ----------------------------------------------------------------------------


def test_configuration_comes_after_log_lines_and_holds_the_password() -> None:
    lab = operator(nodes=1)
    lab.world.set_listen_prefixes("OCTO1", ["http://localhost:1/", "https://localhost:2/"])
    shown = lab.server("OCTO1", "show-configuration", "--format=json", "--console")
    assert shown.exit_code is None
    lab.pass_time(3)
    assert shown.exit_code == 0
    lines = shown.lines
    assert not lines[0].startswith("{")
    told = json.loads("\n".join(lines[1:]))
    assert told["Octopus.WebPortal.ListenPrefixes"] == "http://localhost:1/,https://localhost:2/"
    assert "Password=" in told["Octopus.Storage.ExternalDatabaseConnectionString"]
    assert told["Octopus.Server.NodeName"] == "OCTO1"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (["version"], 0, OLD),
        (["list-instances"], 0, "OctopusServer"),
        (["frobnicate"], 2, "not supported"),
        (["service", "--stop", "--instance=Other"], 1, "has not been configured"),
        (["database"], 1, "--upgrade"),
        (["service"], 1, "--start"),
    ],
)
def test_small_verbs(arguments: list[str], exit_code: int, says: str) -> None:
    program = operator(nodes=1).server("OCTO1", *arguments)
    assert program.exit_code == exit_code
    assert says in program.lines[-1]


def test_a_node_can_be_drained_from_the_command_line() -> None:
    lab = operator(nodes=1)
    program = lab.server("OCTO1", "node", "--drain=true", "--wait=600", seconds=29)
    assert program.exit_code is None
    lab.pass_time(3)
    assert program.exit_code == 0
    assert lab.world.summary()[0].draining


# -- the rest --------------------------------------------------------------------------------------


def test_an_api_that_answers_503_for_a_while() -> None:
    lab = operator(nodes=1)
    lab.world.add_fault("cluster:api-503=30")
    assert lab.world.rest_state("OCTO1") == "booting"
    lab.pass_time(31)
    assert lab.world.rest_state("OCTO1") == "up"


def test_a_node_of_another_version() -> None:
    lab = operator("node2:other-version")
    assert [lab.world.serving_version(n) for n in lab.world.node_names] == [OLD, PATCH, OLD]
    assert lab.broken == []


def test_faults_that_only_skins_apply() -> None:
    lab = operator("node2:unreachable,times=1", "download:tampered", "api-key:not-administrator")
    assert lab.world.fault("OCTO1", "unreachable") is None
    assert lab.world.take_fault("OCTO2", "unreachable") == ""
    assert lab.world.fault("OCTO2", "unreachable") is None
    assert lab.world.take_fault_of("download", "tampered") == ""
    assert lab.world.fault_of("download", "tampered") == ""
    assert not lab.world.api_key_administers()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"nodes": 0}, "at least one node"), ({"version": NEW + "1"}, "no package")],
)
def test_a_lab_that_cannot_be(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError) as refused:
        world(ManualClock(), **wrong)  # type: ignore[arg-type]
    assert says in str(refused.value)


def test_the_truth_tells_how_long_things_took() -> None:
    lab = operator(nodes=1, speed=10)
    lab.close()
    lab.back_up()
    lab.install()
    lab.upgrade_database()
    took = {a["action"]: a["detail"].get("seconds") for a in lab.world.truth()["actions"]}
    for action, seconds in {
        "service-stop": 2.0,
        "backup": 6.0,
        "msi-install": 7.5,
        "database-upgrade": 12.0,
    }.items():
        assert took[action] == pytest.approx(seconds), action
