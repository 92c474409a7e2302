"""Octopus Server's own report: the lab's answer, our client, and the bundle with it."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from octotui.api.errors import ApiKeyRefused, ServerError, ServerNotReady
from octotui.octopus import HttpOctopusServer
from octotui_lab.octopus_report import DATABASE_PASSWORD, MASTER_KEY
from tests.command_line import lab_up, octotui
from tests.lab.rest_estate import KEY, RestEstate, rest_estate

REPORT = "/api/serverstatus/system-report"
PLENTY = 10_000_000


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[RestEstate]:
    async with rest_estate(tmp_path) as estate:
        yield estate


async def test_the_lab_gives_administrators_a_zip(lab: RestEstate) -> None:
    root = (await lab.get(f"{lab.nodes['OCTO2']}/api")).json()
    assert root["Links"]["SystemReport"] == REPORT
    answer = await lab.get(lab.nodes["OCTO2"] + REPORT)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert "Logs/OCTO2/OctopusServer.txt" in archive.namelist()
        assert MASTER_KEY in archive.read("Configuration.json").decode()
    assert (await lab.get(lab.nodes["OCTO2"] + REPORT, key=None)).status_code == 401
    await lab.stop("OCTO2")
    with pytest.raises(httpx.TransportError):
        await lab.get(lab.nodes["OCTO2"] + REPORT)


async def test_who_does_not_administer_gets_none(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, "api-key:not-administrator") as lab:
        assert (await lab.get(lab.nodes["OCTO1"] + REPORT)).status_code == 403
        server = lab.server()
        with pytest.raises(ApiKeyRefused, match="system-report"):
            await server.system_report(io.BytesIO(), PLENTY)
        await server.close()


async def test_the_report_is_read_below_a_virtual_directory_too(tmp_path: Path) -> None:
    async with rest_estate(tmp_path, directory="/octopus") as lab:
        server, file = lab.server(), io.BytesIO()
        await server.system_report(file, PLENTY)
        assert zipfile.ZipFile(file).testzip() is None
        with pytest.raises(ServerError, match="more than is taken"):
            await server.system_report(io.BytesIO(), 100)
        await server.close()


async def test_nobody_gives_one_while_the_cluster_is_down(lab: RestEstate) -> None:
    server = lab.server(patience=0)
    await lab.stop("OCTO1")
    await lab.stop("OCTO2")
    with pytest.raises(ServerNotReady, match="503"):
        await server.system_report(io.BytesIO(), PLENTY)
    await server.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, headers={"Content-Type": "text/html"}, text="<title>Log in"), "page"),
        (httpx.Response(302, headers={"Location": "https://other.example.com/"}), "web page"),
        (httpx.Response(404, json={"ErrorMessage": "There is none"}), "There is none"),
    ],
)
async def test_something_else_in_its_place_is_told(answer: httpx.Response, words: str) -> None:
    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api":
            return httpx.Response(200, json={"Links": {}})
        return answer

    transport = httpx.MockTransport(answered)
    server = HttpOctopusServer("https://octopus.example.com", SecretStr(KEY), transport=transport)
    with pytest.raises(ServerError, match=words):
        await server.system_report(io.BytesIO(), PLENTY)
    await server.close()


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_bundle_of_a_failed_upgrade_with_the_server_up_and_gone(tmp_path: Path) -> None:
    with lab_up(tmp_path, faults=["database:upgrade-fails"]) as lab:
        assert octotui("upgrade", lab.profile, "--yes", "--headless").code == 1
        folder = lab.profile.with_name("lab.toml.lab")
        secrets = [(folder / name).read_text() for name in ("api-key", "winrm-password")]
        secrets += [MASTER_KEY, DATABASE_PASSWORD, DATABASE_PASSWORD[-6:]]
        ended = octotui("bundle", "--json")
    told = json.loads(ended.stdout)
    assert told["server"].startswith("https://")
    assert [m["what"] for m in told["missing"]] == ["server/system-report/memory.dmp"]
    files = members(Path(told["path"]))
    for name, data in files.items():
        assert not data.startswith(b"PK"), "zips in it are unpacked, for them to be masked"
        for secret in secrets:
            assert secret.encode() not in data, name
            assert secret.encode("utf-16-le") not in data, name
    settings = json.loads(files["server/system-report/Configuration.json"])
    assert settings["Octopus.Storage.MasterKey"] == "***"
    assert settings["Octopus.Storage.ExternalDatabaseConnectionString"].endswith("=true")
    assert files["server/system-report/Tasks.zip/ServerTasks-1.txt"] == b"used key ***\n"
    assert "Invalid column name" in files["journal/events.jsonl"].decode()
    assert "rolled back" in files["README.txt"].decode()

    ended = octotui("bundle", told["run"], "--to", tmp_path / "gone.zip")
    assert ended.code == 0, ended.said
    lines = [line for line in ended.stdout.splitlines() if "not in it" in line]
    assert [line.split(": ")[1] for line in lines] == ["the server's system report"]
    assert "the profile cannot be used" in lines[0]
    gone = members(tmp_path / "gone.zip")
    assert not [name for name in gone if name.startswith("server/")]
    assert set(gone) == {name for name in files if not name.startswith("server/")}
    run = Path(os.environ["OCTOTUI_STATE_DIR"]) / "runs" / told["run"]
    (run / "run.db").unlink()
    ended = octotui("bundle", told["run"], "--no-server", "--to", tmp_path / "journal-gone.zip")
    assert ended.code == 0, ended.said
    assert "part of the journal: it cannot be opened" in ended.stdout
    assert {name for name in gone if name.startswith("logs/")} <= set(
        members(tmp_path / "journal-gone.zip")
    )
    assert not (run / "run.db").exists()
    again = octotui("bundle", told["run"], "--to", tmp_path / "gone.zip")
    assert (again.code, "is there already" in again.stderr) == (2, True)


def test_in_the_outage_the_bundle_is_made_without_the_server(tmp_path: Path) -> None:
    with lab_up(tmp_path, nodes=1, faults=["node1:msi-exit=1603"]) as lab:
        profile = lab.profile.read_text()
        lab.profile.write_text(profile.replace("[upgrade]", '[upgrade]\non_failure = "ask"'))
        assert octotui("upgrade", lab.profile, "--yes", "--headless").code == 4
        ended = octotui("bundle", "--json")
    told = json.loads(ended.stdout)
    assert told["server"] == ""
    [missing] = told["missing"]
    assert missing["what"] == "the server's system report"
    files = members(Path(told["path"]))
    assert [name for name in files if "msi" in name.lower()], list(files)
