"""A look without a secret at the lab's servers, over real sockets and TLS."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.rest_estate import RestEstate, rest_estate
from tests.lab_estate import OLD


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[RestEstate]:
    async with rest_estate(tmp_path) as estate:
        yield estate


def write_profile(lab: RestEstate, path: Path, *, ca: bool = True) -> Path:
    lines = ["[octopus]", f"url = '{lab.balancer}'", f"ca = '{lab.ca}'" if ca else ""]
    for name, url in lab.nodes.items():
        lines += ["[[nodes]]", f"name = '{name}'", f"url = '{url}'"]
    path.write_text("\n".join(lines))
    return path


async def look(*profiles: Path) -> list[dict[str, Any]]:
    """What the command itself tells, as the screen starts it."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "octotui", "glance", "--json", *map(str, profiles),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await child.communicate()
    assert child.returncode == 0
    return [json.loads(line) for line in output.splitlines()]


def nodes(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(node["health"], node["version"], node["reason"]) for node in told["nodes"]]


async def test_up_drained_in_maintenance_and_stopped(lab: RestEstate, tmp_path: Path) -> None:
    profile = write_profile(lab, tmp_path / "lab.toml")
    [told] = await look(profile)
    assert (told["health"], told["version"], told["reason"]) == ("online", OLD, "")
    assert nodes(told) == [("online", OLD, "")] * 2

    lab.world.set_node("OCTO1", draining=True, task_cap=5)
    [told] = await look(profile)
    assert (told["health"], told["reason"]) == ("partly", "1 of 2 nodes online")
    assert nodes(told)[0] == ("draining", OLD, "it takes no new tasks")

    lab.world.set_node("OCTO2", draining=True, task_cap=5)
    [told] = await look(profile)
    assert (told["health"], told["version"]) == ("draining", OLD)

    for name in lab.nodes:
        lab.world.set_node(name, draining=False, task_cap=5)
    server = lab.server()
    await server.set_maintenance(True)
    [told] = await look(profile)
    assert (told["health"], told["version"]) == ("maintenance", OLD)
    await server.set_maintenance(False)
    await server.close()

    await lab.stop("OCTO1")
    [told] = await look(profile)
    assert (told["health"], told["reason"]) == ("partly", "1 of 2 nodes online")
    assert nodes(told) == [("unreachable", "", "connection refused"), ("online", OLD, "")]

    await lab.start("OCTO1", 10)
    [told] = await look(profile)
    assert nodes(told)[0][0] == "starting"

    await lab.pass_time(60)
    await lab.stop("OCTO1")
    await lab.stop("OCTO2")
    [told] = await look(profile)
    assert told["health"] in ("starting", "unreachable")
    assert told["version"] == ""
    assert [node[0] for node in nodes(told)] == ["unreachable"] * 2


async def test_an_authority_that_is_not_trusted(lab: RestEstate, tmp_path: Path) -> None:
    [told] = await look(write_profile(lab, tmp_path / "lab.toml", ca=False))
    assert told["health"] == "unreachable"
    assert "is not trusted" in told["reason"]
    assert told["version"] == ""
