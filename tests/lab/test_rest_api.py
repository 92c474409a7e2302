"""The lab's REST API against what is known of Octopus' own, asked by plain httpx."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.lab.rest_estate import RestEstate, rest_estate
from tests.lab_estate import OLD


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[RestEstate]:
    async with rest_estate(tmp_path) as estate:
        yield estate


async def test_the_root_is_for_everybody_and_has_the_links(lab: RestEstate) -> None:
    answer = await lab.get(f"{lab.nodes['OCTO2']}/api", key=None)
    assert answer.status_code == 200
    assert answer.headers["Octopus-Node"] == "OCTO2"
    root = answer.json()
    assert (root["Application"], root["Version"], root["ApiVersion"]) == (
        "Octopus Deploy",
        OLD,
        "3.0.0",
    )
    assert root["Links"]["OctopusServerClusterSummary"] == "/api/octopusservernodes/summary"
    assert root["Links"]["Tasks"].startswith("/api/tasks{/id}{?")


@pytest.mark.parametrize("key", [None, "API-WRONG"])
@pytest.mark.parametrize(
    "path",
    [
        "octopusservernodes",
        "octopusservernodes/all",
        "octopusservernodes/summary",
        "maintenanceconfiguration",
        "tasks",
        "licenses/licenses-current-status",
        "serverstatus",
        "users/me",
    ],
)
async def test_without_a_good_key_there_is_nothing(
    lab: RestEstate, path: str, key: str | None
) -> None:
    answer = await lab.get(f"{lab.nodes['OCTO1']}/api/{path}", key=key)
    assert answer.status_code == 401
    assert answer.json()["ErrorMessage"]


async def test_a_wrong_key_is_refused_even_at_the_root(lab: RestEstate) -> None:
    assert (await lab.get(f"{lab.nodes['OCTO1']}/api", key="API-WRONG")).status_code == 401


async def test_unknown_paths_and_methods(lab: RestEstate) -> None:
    api = f"{lab.nodes['OCTO1']}/api"
    assert (await lab.get(f"{api}/nowhere")).status_code == 404
    assert (await lab.get(f"{api}/octopusservernodes/OctopusServerNodes-X")).status_code == 404
    assert (await lab.post(f"{api}/octopusservernodes")).status_code == 405
    assert (await lab.put(f"{api}/maintenanceconfiguration", ["on"])).status_code == 400


async def test_nodes_in_their_four_forms(lab: RestEstate) -> None:
    nodes = f"{lab.nodes['OCTO1']}/api/octopusservernodes"
    page = (await lab.get(nodes, take="1", skip="1")).json()
    assert (page["TotalResults"], page["NumberOfPages"]) == (2, 2)
    assert [node["Name"] for node in page["Items"]] == ["OCTO2"]
    everything = (await lab.get(f"{nodes}/all")).json()
    assert [node["Id"] for node in everything] == [
        "OctopusServerNodes-OCTO1",
        "OctopusServerNodes-OCTO2",
    ]
    one = (await lab.get(f"{nodes}/OctopusServerNodes-OCTO1")).json()
    assert one["MaxConcurrentTasks"] == 5
    assert one["IsInMaintenanceMode"] is False
    details = (await lab.get(f"{nodes}/OctopusServerNodes-OCTO1/details")).json()
    row = (await lab.get(f"{nodes}/summary")).json()["Nodes"][0]
    assert details["RunningTasks"] == row["RunningTaskCount"] == 1
    assert row["IsOffline"] is False
    assert row["Version"] == OLD
    assert row["Links"]["Node"] == "/api/octopusservernodes/OctopusServerNodes-OCTO1"


async def test_draining_a_node_and_what_its_ping_says(lab: RestEstate) -> None:
    nodes = f"{lab.nodes['OCTO2']}/api/octopusservernodes"
    one = f"{nodes}/OctopusServerNodes-OCTO1"
    assert (await lab.get(f"{lab.nodes['OCTO1']}/api/octopusservernodes/ping", None)).is_success
    node = (await lab.get(one)).json()
    answer = await lab.put(one, {**node, "IsInMaintenanceMode": True})
    assert answer.json()["IsInMaintenanceMode"] is True
    ping = await lab.get(f"{lab.nodes['OCTO1']}/api/octopusservernodes/ping", None)
    assert ping.status_code == 418
    assert ping.json()["Name"] == "OCTO1"
    assert (await lab.get(f"{nodes}/ping", None)).status_code == 200
    assert (await lab.get(f"{nodes}/summary")).json()["Nodes"][0]["RunningTaskCount"] == 1
    await lab.pass_time(31)
    assert (await lab.get(f"{nodes}/summary")).json()["Nodes"][0]["RunningTaskCount"] == 0
    assert [a["action"] for a in lab.world.truth()["actions"]].count("drain-on") == 1


async def test_a_task_cap_left_out_of_a_put_becomes_zero(lab: RestEstate) -> None:
    one = f"{lab.nodes['OCTO1']}/api/octopusservernodes/OctopusServerNodes-OCTO1"
    await lab.put(one, {"Id": "OctopusServerNodes-OCTO1", "IsInMaintenanceMode": True})
    assert (await lab.get(one)).json()["MaxConcurrentTasks"] == 0


async def test_maintenance_mode(lab: RestEstate) -> None:
    api = f"{lab.nodes['OCTO1']}/api"
    before = (await lab.get(f"{api}/maintenanceconfiguration")).json()
    assert (before["Id"], before["IsInMaintenanceMode"]) == ("maintenance", False)
    after = await lab.put(
        f"{api}/maintenanceconfiguration", {**before, "IsInMaintenanceMode": True}
    )
    assert after.json()["IsInMaintenanceMode"] is True
    other = f"{lab.nodes['OCTO2']}/api"
    assert (await lab.get(f"{other}/serverstatus")).json()["IsInMaintenanceMode"] is True
    health = await lab.get(f"{other}/serverstatus/health", None)
    assert health.status_code == 418
    assert health.json()["IsEntireClusterReadOnly"] is True
    assert lab.world.truth()["cluster"]["maintenance"] is True


async def test_tasks_by_their_filters(lab: RestEstate) -> None:
    tasks = f"{lab.nodes['OCTO1']}/api/tasks"
    running = (await lab.get(tasks, running="true")).json()
    assert running["TotalCounts"] == {"Executing": 2}
    assert running["TotalCountsInOtherSpaces"] == {}
    task = running["Items"][0]
    assert (task["State"], task["IsCompleted"], task["HasPendingInterruptions"]) == (
        "Executing",
        False,
        False,
    )
    mine = (await lab.get(tasks, running="true", node="OctopusServerNodes-OCTO2")).json()["Items"]
    assert {task["ServerNode"] for task in mine} == {"OctopusServerNodes-OCTO2"}
    assert (await lab.get(tasks, states="Success")).json()["Items"] == []
    assert len((await lab.get(tasks, take="1")).json()["Items"]) == 1
    spaced = f"{lab.nodes['OCTO1']}/api/Spaces-1/tasks"
    assert len((await lab.get(spaced, active="true")).json()["Items"]) == 2
    assert (await lab.get(tasks, take="many")).status_code == 400


async def test_cancelling_a_task(lab: RestEstate) -> None:
    tasks = f"{lab.nodes['OCTO1']}/api/tasks"
    task = (await lab.get(tasks, running="true")).json()["Items"][0]
    answer = await lab.post(f"{lab.nodes['OCTO1']}{task['Links']['Cancel']}")
    assert answer.json()["State"] == "Cancelling"
    await lab.pass_time(3)
    ended = (await lab.get(f"{tasks}/{task['Id']}")).json()
    assert (ended["State"], ended["IsCompleted"]) == ("Canceled", True)
    assert (await lab.post(f"{tasks}/{task['Id']}/cancel")).status_code == 400
    assert (await lab.post(f"{tasks}/ServerTasks-99999/cancel")).status_code == 404


async def test_the_rest_of_what_an_administrator_reads(lab: RestEstate) -> None:
    api = f"{lab.nodes['OCTO1']}/api"
    status = (await lab.get(f"{api}/licenses/licenses-current-status")).json()
    assert status["IsCompliant"] is True
    assert (await lab.get(f"{api}/licenses/licenses-current")).json()["SerialNumber"]
    assert (await lab.get(f"{api}/serverstatus/system-info")).json()["Version"] == OLD
    assert (await lab.get(f"{api}/serverstatus/health", None)).json()["IsOperatingNormally"]
    folders = (await lab.get(f"{api}/configuration/server-folders/values")).json()
    assert folders["LogsDirectory"].endswith("Octopus/Logs")
    assert (await lab.get(f"{api}/users/me")).json()["IsService"] is True


async def test_a_key_without_administersystem(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "api-key:not-administrator", nodes=1) as lab:
        api = f"{lab.nodes['OCTO1']}/api"
        for path in ("octopusservernodes/summary", "maintenanceconfiguration"):
            answer = await lab.get(f"{api}/{path}")
            assert answer.status_code == 403
            assert "AdministerSystem" in answer.json()["ErrorMessage"]
        document = {"IsInMaintenanceMode": True}
        assert (await lab.put(f"{api}/maintenanceconfiguration", document)).status_code == 403
        task = (await lab.get(f"{api}/tasks", running="true")).json()["Items"][0]
        lab.world.set_maintenance(True)
        refused = await lab.post(f"{api}/tasks/{task['Id']}/cancel")
        assert (refused.status_code, "maintenance mode" in refused.text) == (403, True)
        lab.world.set_maintenance(False)
        assert (await lab.post(f"{api}/tasks/{task['Id']}/cancel")).status_code == 200


async def test_a_stopped_service_refuses_connections_and_a_booting_one_answers_503(
    lab: RestEstate,
) -> None:
    url = f"{lab.nodes['OCTO1']}/api"
    assert (await lab.get(url)).status_code == 200
    await lab.stop("OCTO1")
    with pytest.raises(httpx.ConnectError):
        await lab.get(url)
    where = httpx.URL(url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((where.host, where.port), 2)
    await lab.start("OCTO1", 10)
    booting = await lab.get(url)
    assert booting.status_code == 503
    assert "html" in booting.headers["Content-Type"]
    await lab.pass_time(51)
    assert (await lab.get(url)).status_code == 200
    assert (await lab.get(f"{lab.nodes['OCTO2']}/api")).status_code == 200


@pytest.mark.parametrize("speaks", [True, False])
async def test_an_open_connection_does_not_outlive_the_process(
    lab: RestEstate, speaks: bool
) -> None:
    url = httpx.URL(lab.nodes["OCTO1"])
    trust = ssl.create_default_context(cafile=lab.ca) if speaks else None
    reader, writer = await asyncio.open_connection(url.host, url.port, ssl=trust)
    await lab.settle(lambda: False)
    await lab.stop("OCTO1")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""
    writer.transport.abort()


async def test_the_fault_api_503_ends(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "cluster:api-503=30", nodes=1) as lab:
        url = f"{lab.nodes['OCTO1']}/api"
        assert (await lab.get(url)).status_code == 503
        assert (await lab.get(f"{lab.balancer}/api")).status_code == 503
        await lab.pass_time(31)
        assert (await lab.get(url)).status_code == 200


async def test_an_unknown_node_is_listed(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "cluster:unknown-node", nodes=1) as lab:
        nodes = (await lab.get(f"{lab.nodes['OCTO1']}/api/octopusservernodes/all")).json()
        assert len(nodes) == 2


async def test_a_task_that_waits_for_a_person(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "cluster:task-waits-for-person", nodes=2) as lab:
        tasks = f"{lab.nodes['OCTO1']}/api/tasks"
        waiting = (await lab.get(tasks, hasPendingInterruptions="true")).json()["Items"]
        assert [task["HasPendingInterruptions"] for task in waiting] == [True]


async def test_a_licence_that_is_not_complied_with(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "license:not-compliant", nodes=1) as lab:
        api = f"{lab.nodes['OCTO1']}/api"
        status = (await lab.get(f"{api}/licenses/licenses-current-status")).json()
        assert status["IsCompliant"] is False
        assert status["Limits"][0]["Disposition"] == "Error"


async def test_the_balancer_takes_turns_and_leaves_drained_nodes_out(lab: RestEstate) -> None:
    async def who() -> set[str]:
        url = f"{lab.balancer}/api"
        return {(await lab.get(url)).headers["Octopus-Node"] for _ in range(4)}

    assert await who() == {"OCTO1", "OCTO2"}
    lab.world.set_node("OCTO1", draining=True, task_cap=5)
    assert await who() == {"OCTO2"}
    lab.world.set_node("OCTO2", draining=True, task_cap=5)
    assert await who() == {"OCTO1", "OCTO2"}, "with all drained, those that run get the requests"
    await lab.stop("OCTO1")
    assert await who() == {"OCTO2"}
    await lab.stop("OCTO2")
    assert (await lab.get(f"{lab.balancer}/api")).status_code == 503


async def test_the_portal_is_below_the_virtual_directory(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, nodes=1, directory="/octopus") as lab:
        assert (await lab.get(f"{lab.balancer}/app", None)).status_code == 200
        moved = await lab.get(lab.balancer, None)
        assert (moved.status_code, moved.headers["Location"]) == (302, "/octopus/app")
        root = (await lab.get(f"{lab.balancer}/api", None)).json()
        assert root["Links"]["Self"] == "/octopus/api"
        outside = lab.balancer.removesuffix("/octopus")
        assert (await lab.get(f"{outside}/api", None)).status_code == 404


async def test_waiting_for_a_service_does_not_move_the_world(
    lab: RestEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conditions that did would be asked again by what they let happen, without end."""

    def moved() -> None:
        raise AssertionError("the world was moved on")

    await lab.settle(lambda: False)
    monkeypatch.setattr(lab.world.schedule, "advance", moved)
    lab.world.schedule.changed()
