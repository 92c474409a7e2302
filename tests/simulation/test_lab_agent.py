"""The agent's operations and jobs on a simulated host, in virtual time."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from octotui.api.facts import Services
from octotui.windows.conversion import convert
from octotui_lab.agent import answer, prepare
from octotui_lab.catalogue import PUBLISHER
from octotui_lab.clock import VirtualClock
from octotui_lab.hosts import WindowsHost
from octotui_lab.model.state import Cluster
from octotui_lab.world import World
from tests.lab_estate import OLD, PATCH, Caller, Site, hosts, package, read_answer, world

SITE = "http://site/"


class Lab:
    """One prepared node of a one-node cluster, and its agent."""

    def __init__(self, root: Path, *faults: str, nodes: int = 1) -> None:
        self.clock = VirtualClock()
        self.world: World = world(self.clock, nodes, *faults, root=str(root))
        self.site = Site()
        self.hosts = hosts(self.world, self.site)
        self.host: WindowsHost = self.hosts["OCTO1"]
        for host in self.hosts.values():
            prepare(host)
        self.agent = Caller(self.host)

    @property
    def cluster(self) -> Cluster:
        return self.world.cluster

    async def drain(self) -> None:
        self.world.set_maintenance(True)
        for name in self.world.node_names:
            self.world.set_node(name, draining=True, task_cap=5)
        await self.host.waiter.until(lambda: not any(t.running for t in self.world.tasks()))

    async def stage(self, version: str = PATCH) -> str:
        wanted = package(version)
        job = await self.agent.job(
            f"stage.{version}",
            "stage",
            url=f"{SITE}{wanted.file_name}",
            file_name=wanted.file_name,
            sha256=wanted.sha256,
            size=wanted.size,
        )
        assert job["exit_code"] == 0, job
        return str(job["result"]["path"])

    async def install(
        self, version: str = PATCH, job_id: str = "install", version_told: str = PATCH
    ) -> dict[str, Any]:
        path = await self.stage(version)
        sha256 = package(version).sha256
        await self.agent.call("prove-file", path=path, sha256=sha256, signer="same-as-installed")
        return await self.agent.job(
            job_id,
            "msi-install",
            path=path,
            sha256=sha256,
            install_directory=str(self.host.install_directory),
            version=version_told,
        )


@pytest_asyncio.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    await lab.host.close()


async def test_prepare_makes_the_folder_and_tells_the_agents_hash(lab: Lab) -> None:
    assert read_answer(prepare(lab.host))["result"]["agent_sha256"] == ""
    (lab.host.octotui_directory / "agent.ps1").write_bytes(b"")
    told = read_answer(prepare(lab.host))["result"]
    assert told["directory"] == str(lab.host.octotui_directory)
    assert told["agent_sha256"].startswith("e3b0c442")


async def test_facts(lab: Lab) -> None:
    facts = await lab.agent.call("facts")
    assert set(facts) == {
        "computer", "os", "powershell", "identity", "elevated", "time", "boot_time",
        "install_directory", "version", "signer", "product_code", "instances", "services",
        "watchdog", "disks", "pending_reboot", "installer_busy", "octotui_directory",
    }  # fmt: skip
    assert facts["version"] == OLD
    assert facts["signer"] == PUBLISHER
    assert facts["watchdog"] == [{"name": "Octopus Watchdog OctopusServer", "enabled": True}]
    (instance,) = facts["instances"]
    assert instance["node_name"] == "OCTO1"
    assert instance["database_name"] == "Octopus"
    assert "Password" not in json.dumps(facts)
    (service,) = facts["services"]["services"]
    assert (service["name"], service["instance"]) == ("OctopusDeploy", "OctopusServer")
    assert (service["state"], service["start_type"]) == ("running", "automatic")
    assert facts["services"]["processes"] == [{"process_id": service["process_id"], "verb": "run"}]


async def test_facts_of_faulty_nodes(tmp_path: Path) -> None:
    faults = ("node1:disk-full", "node1:pending-reboot", "node1:installer-busy")
    facts = await Lab(tmp_path, *faults).agent.call("facts")
    assert facts["disks"][0]["free"] < 2**30
    assert facts["pending_reboot"] == ["Component Based Servicing"]
    assert facts["installer_busy"]


@pytest.mark.parametrize(
    ("operation", "line", "message"),
    [
        ("nonsense", b"e30=", "unknown operation nonsense"),
        ("facts", b"not base64!", "base64"),
        ("facts", base64.b64encode(b"{"), "JSON"),
        ("facts", base64.b64encode(b"[]"), "object"),
        ("facts", base64.b64encode(b'{"run": ""}'), "parameters is missing"),
        ("log", base64.b64encode(b'{"parameters": {"path": 7, "limit": 1}}'), "path is not text"),
    ],
)
async def test_bad_requests(lab: Lab, operation: str, line: bytes, message: str) -> None:
    told = read_answer(await answer(lab.host, operation, line, "admin"))
    assert told["error"]["code"] == "bad-request"
    assert message in told["error"]["message"]


async def test_answers_are_ascii(lab: Lab) -> None:
    printed = await answer(lab.host, "größe", b"", "admin")
    assert printed.isascii()
    assert "größe" in read_answer(printed)["error"]["message"]


async def test_staging_downloads_once_and_proves_the_hash(lab: Lab) -> None:
    path = await lab.stage()
    assert Path(path).read_bytes() == b"MSI of 2025.2.13099"
    wanted = package(PATCH)
    again = await lab.agent.job(
        "stage.again", "stage", url=f"{SITE}gone", file_name=wanted.file_name,
        sha256=wanted.sha256, size=None,
    )  # fmt: skip
    assert again["result"] == {
        "path": path, "sha256": wanted.sha256, "size": wanted.size, "problem": "",
    }  # fmt: skip
    staged = [a for a in lab.world.truth()["actions"] if a["action"] == "stage"]
    assert [a["detail"]["file_name"] for a in staged] == [wanted.file_name]


@pytest.mark.parametrize("name", ["../x.msi", "..", "a/b.msi"])
async def test_staging_writes_only_into_its_folder(lab: Lab, name: str) -> None:
    job = await lab.agent.job("s", "stage", url=SITE, file_name=name, sha256="", size=None)
    assert (job["exit_code"], job["result"]["problem"]) == (1, f"{name} is no file name")


async def test_a_tampered_a_truncated_and_a_missing_download(lab: Lab) -> None:
    wanted = package(PATCH)
    problems = []
    for number, spoil in enumerate((lambda d: b"x" + d[1:], lambda d: d[:-1], lambda d: d)):
        lab.site.spoil = spoil
        url = f"{SITE}{wanted.file_name}" if number < 2 else f"{SITE}other"
        job = await lab.agent.job(
            f"stage.{number}", "stage", url=url, file_name=wanted.file_name,
            sha256=wanted.sha256, size=wanted.size,
        )  # fmt: skip
        assert job["exit_code"] == 1
        problems.append(job["result"]["problem"])
    assert "has the hash" in problems[0]
    assert "has 18 bytes, not 19" in problems[1]
    assert "status 404" in problems[2]
    assert list((lab.host.octotui_directory / "packages").iterdir()) == []


async def test_proofs(lab: Lab) -> None:
    path, wanted = await lab.stage(), package(PATCH)
    parameters = {"path": path, "sha256": wanted.sha256, "signer": "same-as-installed"}
    proof = await lab.agent.call("prove-file", **parameters)
    assert proof["proved"]
    assert proof["signature"] == "Valid"
    other = await lab.agent.call("prove-file", **{**parameters, "signer": "CN=Somebody"})
    assert (other["proved"], len(other["reasons"])) == (False, 1)
    Path(path).write_bytes(b"something else")
    changed = await lab.agent.call("prove-file", **parameters)
    assert (changed["proved"], changed["signature"]) == (False, "HashMismatch")
    gone = await lab.agent.call("prove-file", **{**parameters, "path": path + "x"})
    assert (gone["exists"], gone["proved"]) == (False, False)


async def test_parking_and_unparking(lab: Lab) -> None:
    lab.host.set_start_type("OctopusDeploy", "automatic-delayed")
    found = await lab.agent.call("park")
    assert found["services"][0]["start_type"] == "automatic-delayed"
    assert await lab.agent.call("park") == found
    node = lab.world.truth()["nodes"]["OCTO1"]
    assert (node["start_type"], node["watchdog"]) == ("disabled", "disabled")
    assert await lab.agent.call("unpark") == found
    node = lab.world.truth()["nodes"]["OCTO1"]
    assert (node["start_type"], node["watchdog"]) == ("automatic-delayed", "enabled")
    assert await lab.agent.call("unpark") == {"services": [], "watchdog": []}


async def test_stop_and_start(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.call("park")
    begun = lab.clock.now()
    stopped = await lab.agent.job("stop", "stop", timeout=120)
    assert stopped["exit_code"] == 0
    assert 20 <= lab.clock.now() - begun < 21
    assert stopped["result"]["services"][0]["state"] == "stopped"
    assert stopped["result"]["processes"] == []
    assert "Service stopped" in stopped["output"]
    started = await lab.agent.job("start", "start", timeout=120)
    assert started["exit_code"] == 0
    assert started["result"]["services"][0]["state"] == "running"
    assert lab.world.truth()["nodes"]["OCTO1"]["start_type"] == "manual"
    assert lab.world.truth()["violations"] == []


async def test_a_stop_that_lies_is_found_out(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "node1:service-stop-lies")
    await lab.drain()
    job = await lab.agent.job("stop", "stop", timeout=90)
    assert job["exit_code"] == 1
    assert job["result"]["services"][0]["state"] == "running"
    assert "time limit" in job["result"]["problem"]


async def test_whoever_reads_the_configuration_does_not_make_a_node_look_running(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.job("stop", "stop", timeout=90)
    looking = lab.host.start_octopus_server(["show-configuration", "--format=json"], "admin")
    now = convert(await lab.agent.call("services"), Services)
    assert [process.verb for process in now.processes] == ["show-configuration"]
    assert now.proved_stopped
    assert (await lab.agent.job("again", "stop", timeout=1))["exit_code"] == 0
    assert looking.exit_code is None
    await lab.host.waiter.seconds(3)
    assert looking.exit_code == 0


async def test_facts_are_seen_to_read_the_configuration(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.job("stop", "stop", timeout=90)
    reading = asyncio.create_task(lab.agent.call("facts"))
    await lab.host.waiter.seconds(1)
    now = convert(await lab.agent.call("services"), Services)
    assert [process.verb for process in now.processes] == ["show-configuration"]
    assert now.proved_stopped
    assert (await reading)["services"]["processes"] == []


async def test_a_verb_is_not_waited_for_beyond_the_time_limit(lab: Lab) -> None:
    await lab.drain()
    begun = lab.clock.now()
    job = await lab.agent.job("stop", "stop", timeout=5)
    assert lab.clock.now() - begun < 6
    assert job["exit_code"] == 1
    assert "service --stop of instance OctopusServer had not ended" in job["output"]
    assert [process["verb"] for process in job["result"]["processes"]] == ["run", "service"]


async def test_only_what_ran_when_it_was_parked_is_started(lab: Lab) -> None:
    await lab.drain()
    lab.world.set_watchdog("OCTO1", False)
    await lab.agent.job("stop", "stop", timeout=90)
    await lab.agent.call("park")
    job = await lab.agent.job("start", "start", timeout=90)
    problem = "no service was to be started: none ran when the node was parked"
    assert (job["exit_code"], job["result"]["problem"]) == (1, problem)
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "stopped"


async def test_what_was_starting_when_it_was_parked_is_started(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.job("stop", "stop", timeout=90)
    lab.world.start_service("OCTO1", "Start-Service")
    found = await lab.agent.call("park")
    assert found["services"][0]["state"] == "starting"
    await lab.agent.job("again", "stop", timeout=90)
    assert (await lab.agent.job("start", "start", timeout=90))["exit_code"] == 0
    assert lab.world.truth()["nodes"]["OCTO1"]["service"] == "running"


async def test_installing(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.call("park")
    await lab.agent.job("stop", "stop", timeout=90)
    job = await lab.install()
    assert job["exit_code"] == 0
    log = lab.host.octotui_directory / "jobs" / "install" / "msi.log"
    assert job["result"] == {
        "version": PATCH,
        "product_code": package(PATCH).product_code,
        "log": str(log),
        "missing": [],
        "problem": "",
    }
    text = (await lab.agent.call("log", path=str(log), limit=65536))["text"]
    assert "returning 0" in text
    assert len((await lab.agent.call("log", path=str(log), limit=10))["text"]) == 5
    assert (await lab.agent.call("facts"))["version"] == PATCH
    removed = await lab.agent.job(
        "uninstall", "msi-uninstall", product_code=package(PATCH).product_code
    )
    assert removed["exit_code"] == 0
    assert not lab.host.install_directory.exists()
    assert lab.host.home.exists()
    assert (await lab.agent.told("facts"))["error"]["code"] == "not-installed"
    assert lab.world.truth()["violations"] == []


async def test_an_incomplete_installation_names_what_is_missing(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "node1:msi-incomplete")
    await lab.drain()
    job = await lab.install()
    assert job["exit_code"] == 0
    assert job["result"]["missing"] == ["Octopus.Core.dll"]


async def test_an_incomplete_installation_is_mended_by_reinstalling_only(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "node1:msi-incomplete,times=1")
    await lab.drain()
    missing = []
    for number, version in enumerate(("", "", PATCH)):
        job = await lab.install(job_id=f"install-{number}", version_told=version)
        missing.append(job["result"]["missing"])
        assert job["exit_code"] == 0
    assert missing == [["Octopus.Core.dll"], ["Octopus.Core.dll"], []]


async def test_a_file_that_was_changed_after_its_proof_is_not_installed(lab: Lab) -> None:
    path, sha256 = await lab.stage(), package(PATCH).sha256
    Path(path).write_bytes(b"changed")
    job = await lab.agent.job(
        "install", "msi-install", path=path, sha256=sha256, install_directory="/x"
    )
    assert job["exit_code"] == 1
    assert "has the hash" in job["result"]["problem"]
    assert not [a for a in lab.world.truth()["actions"] if a["action"] == "msi-install"]


async def test_one_exclusive_job_at_a_time(lab: Lab) -> None:
    parameters = {"product_code": package(OLD).product_code}
    first, second = await asyncio.gather(
        lab.agent.job("one", "msi-uninstall", **parameters),
        lab.agent.job("two", "msi-uninstall", **parameters),
    )
    assert first["exit_code"] == 0
    assert (second["exit_code"], second["result"]) == (1, {"problem": "busy"})


async def test_database_state_backup_and_upgrade(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.call("park")
    await lab.agent.job("stop", "stop", timeout=90)
    backup = await lab.agent.job("backup", "backup", instance="OctopusServer", path="/backup/")
    assert backup["exit_code"] == 0
    told = backup["result"]
    assert told["file"].startswith("/backup/Octopus-2025")
    assert told["verified"] is True
    assert told["finished"] - told["started"] == pytest.approx(60)
    assert "100 percent processed." in backup["output"]
    await lab.install()
    upgrade = await lab.agent.job("upgrade", "database-upgrade", instance="OctopusServer")
    assert upgrade["exit_code"] == 0
    assert "Executing SQL Server script" in upgrade["output"]
    state = (await lab.agent.job("state", "database-state", instance="OctopusServer"))["result"]
    assert state["state"]["reachable"]
    assert state["state"]["db_owner"] is True
    assert state["state"]["identity"] == "NT AUTHORITY\\SYSTEM"
    assert [row["version"] for row in state["state"]["history"]][:2] == [PATCH, OLD]
    assert state["state"]["nodes"][0]["name"] == "OCTO1"
    assert not state["state"]["migrator_running"]
    assert lab.world.truth()["violations"] == []


async def test_a_migrator_at_work_is_seen(lab: Lab) -> None:
    await lab.drain()
    await lab.agent.call("park")
    await lab.agent.job("stop", "stop", timeout=90)
    await lab.install()
    run_as = {"kind": "account", "username": "OCTOLAB\\sql", "password": "x"}
    parameters = {"instance": "OctopusServer"}
    await lab.agent.call(
        "job-start", id="up", kind="database-upgrade", parameters=parameters, run_as=run_as
    )
    await lab.host.waiter.seconds(10)
    services = await lab.agent.call("services")
    assert [process["verb"] for process in services["processes"]] == ["database"]
    state = (await lab.agent.job("state", "database-state", **parameters))["result"]["state"]
    assert state["migrator_running"]


async def test_output_that_cannot_be_kept_ends_no_job(lab: Lab) -> None:
    output = lab.host.octotui_directory / "jobs" / "upgrade" / "output.txt"
    await lab.drain()
    await lab.install()
    upgrade = lab.agent.job("upgrade", "database-upgrade", instance="OctopusServer")
    under_way = asyncio.create_task(upgrade)
    while not output.parent.is_dir():
        await asyncio.sleep(0)
    output.unlink(missing_ok=True)
    output.mkdir()
    job = await under_way
    assert (job["exit_code"], job["result"]["problem"]) == (0, "")
    assert str(output) in job["result"]["output_problem"]


async def test_a_database_without_rights_and_one_that_is_down(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "node1:no-database-rights")
    parameters = {"instance": "OctopusServer"}
    state = (await lab.agent.job("one", "database-state", **parameters))["result"]["state"]
    assert (state["reachable"], state["db_owner"]) == (True, False)
    lab.world.add_fault("database:down")
    state = (await lab.agent.job("two", "database-state", **parameters))["result"]["state"]
    assert not state["reachable"]
    assert "not accessible" in state["problem"]
    backup = await lab.agent.job("three", "backup", instance="OctopusServer", path="\\\\b\\c")
    assert backup["exit_code"] == 1
    assert backup["result"]["file"].startswith("\\\\b\\c\\Octopus-")
    assert backup["result"]["verified"] is False


async def test_jobs_are_started_once_and_outlive_their_callers(lab: Lab) -> None:
    await lab.drain()
    lab.world.set_watchdog("OCTO1", False)
    call = {"id": "stop.1", "kind": "stop", "parameters": {"timeout": 60}}
    job = await lab.agent.call("job-start", **call, run_as={"kind": "system"})
    assert job["state"] == "running"
    watching = asyncio.create_task(lab.agent.call("job-status", id="stop.1", offset=0, wait=30))
    await asyncio.sleep(0)
    watching.cancel()
    again = await lab.agent.call("job-start", **call, run_as={"kind": "system"})
    assert again["state"] == "running"
    other = await lab.agent.told(
        "job-start", id="stop.1", kind="start", parameters={"timeout": 1},
        run_as={"kind": "system"},
    )  # fmt: skip
    assert other["error"]["code"] == "job-conflict"
    end = await lab.agent.job("stop.1", "stop", timeout=60)
    assert end["state"] == "ended"
    stops = [a for a in lab.world.truth()["actions"] if a["action"] == "service-stop"]
    assert len(stops) == 1


async def test_a_job_whose_host_died_is_lost(lab: Lab) -> None:
    await lab.agent.call(
        "job-start", id="x", kind="stop", parameters={"timeout": 60}, run_as={"kind": "system"}
    )
    await lab.host.close()
    job = await lab.agent.call("job-status", id="x", offset=0, wait=0)
    assert (job["state"], job["exit_code"]) == ("lost", None)
    absent = await lab.agent.call("job-status", id="y", offset=0, wait=0)
    assert absent["state"] == "absent"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"id": "Capital"}, "no id of a job"),
        ({"id": "../x"}, "no id of a job"),
        ({"kind": "dance"}, "unknown kind of job dance"),
        ({"run_as": {"kind": "king"}}, "unknown kind of run_as king"),
        ({"run_as": {"kind": "account", "username": "a"}}, "password is missing"),
    ],
)
async def test_jobs_that_cannot_be_started(
    lab: Lab, wrong: dict[str, object], message: str
) -> None:
    good = {"id": "x", "kind": "stop", "parameters": {}, "run_as": {"kind": "system"}}
    told = await lab.agent.told("job-start", **{**good, **wrong})
    assert told["error"]["code"] == "bad-request"
    assert message in told["error"]["message"]


async def test_requests_go_to_the_first_listen_prefix(lab: Lab) -> None:
    lab.world.set_listen_prefixes("OCTO1", ["http://+:81/octopus/", "https://x/"])
    lab.site.answers["http://localhost:81/octopus/api"] = (200, "y" * 70000)
    told = await lab.agent.call("request", instance="OctopusServer", path="/api", api_key="API-1")
    assert (told["status"], len(told["body"])) == (200, 65536)
    assert lab.site.asked == [("http://localhost:81/octopus/api", {"X-Octopus-ApiKey": "API-1"})]
    nothing = await lab.agent.call("request", instance="OctopusServer", path="/no", api_key="")
    assert nothing == {"status": 0, "body": ""}
    other = await lab.agent.told("request", instance="Other", path="/", api_key="")
    assert other["error"]["code"] == "no-such-instance"


async def test_logs_only_from_our_folders(lab: Lab) -> None:
    log = lab.host.home / "Logs" / "OctopusServer.txt"
    told = await lab.agent.call("log", path=str(log), limit=100)
    assert OLD in told["text"]
    assert await lab.agent.call("log", path=f"{log}.none", limit=100) == {"text": ""}
    for outside in ("/etc/passwd", f"{lab.host.home}/../../secret"):
        refused = await lab.agent.told("log", path=outside, limit=100)
        assert not refused["ok"]


async def test_unstaging(lab: Lab) -> None:
    await lab.stage()
    name = package(PATCH).file_name
    assert await lab.agent.call("unstage", file_names=[name, "none.msi"]) == {"removed": [name]}
    assert not (await lab.agent.told("unstage", file_names=["../agent.ps1"]))["ok"]
