"""``octotui lab``: everything answers once it says so, and nothing is left when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import tomli
from click.testing import CliRunner
from pydantic import SecretStr

from octotui.api import NodeAddress, SecretReference
from octotui.api.errors import CredentialsRefused, OctotuiError, SourceError, Unreachable
from octotui.octopus import open_server
from octotui.plugins import Plugins
from octotui.profile import load_profile
from octotui_downloads.official import OfficialSource
from octotui_downloads.provider import OfficialSettings
from octotui_lab.cli import lab
from octotui_lab.estate import Estate, EstateOptions
from octotui_lab.faults import KINDS
from octotui_lab.profile_file import HEADER
from octotui_winrm.settings import WinrmSettings
from octotui_winrm.transport import WinrmTransport

COMMAND = [sys.executable, "-c", "from octotui_lab.cli import lab; lab()"]


class FileSecrets:
    """Resolves ``file:`` references beside a profile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, reference: SecretReference) -> SecretStr:
        assert reference.scheme == "file"
        return SecretStr((self._folder / reference.target).read_text())


@asynccontextmanager
async def estate(folder: Path, *faults: str, nodes: int = 2) -> AsyncIterator[Estate]:
    options = EstateOptions(nodes, 3600.0, faults, folder / "lab.toml")
    async with Estate(options) as running:
        yield running


def profile(path: Path) -> dict[str, Any]:
    return tomli.loads(path.read_text(encoding="utf-8"))


@asynccontextmanager
async def transport(path: Path, number: int) -> AsyncIterator[WinrmTransport]:
    """octotui's own WinRM to the K-th node of a profile."""
    written = profile(path)
    node = written["nodes"][number - 1]
    settings = WinrmSettings.model_validate(written["transports"]["winrm"] | node["settings"])
    address = NodeAddress(node["name"], node["host"])
    opened = WinrmTransport(address, settings, FileSecrets(path.parent))
    try:
        yield opened
    finally:
        await opened.close()


async def test_the_profile_leads_to_everything(tmp_path: Path) -> None:
    async with estate(tmp_path) as running:
        written = profile(running.profile.path)
        assert written["upgrade"] == {
            "to": "latest",
            "source": "official",
            "first": "OCTO1",
            "hold": [],
            "drain": {"policy": "wait", "deadline": "10s"},
        }
        octopus = written["octopus"]
        key = (tmp_path / octopus["api_key"].removeprefix("file:")).read_text()
        server = open_server(octopus["url"], SecretStr(key), ca=Path(octopus["ca"]))
        assert [node.name for node in await server.nodes()] == ["OCTO1", "OCTO2"]
        for node in written["nodes"]:
            assert (await server.serving(node["url"])).serving is True
        (smoke,) = written["smoke"]
        assert await server.smoke(smoke["url"], smoke["expect"], 10.0) == ""
        await server.close()
        for number, name in ((1, b"OCTO1"), (2, b"OCTO2")):
            async with transport(running.profile.path, number) as winrm:
                told = await winrm.run(["hostname"], timeout=30)
                assert (told.exit_code, told.stdout.strip()) == (0, name)


def official(path: Path) -> OfficialSource:
    """octotui's own source, as a profile says."""
    return OfficialSource(OfficialSettings.model_validate(profile(path)["sources"]["official"]))


async def test_the_download_site_has_every_version(tmp_path: Path) -> None:
    async with estate(tmp_path, nodes=1) as running:
        source = official(running.profile.path)
        offered = {release.version for release in await source.releases()}
        assert offered == {package.version for package in running.world.catalogue.packages}
        newest = running.world.catalogue.packages[-1]
        package = await source.locate(newest.version)
        assert (package.sha256, package.size) == (newest.sha256, newest.size)
        await source.download(package, tmp_path / "package.msi", lambda done, total: None)
        await source.close()


async def test_a_counted_fault_of_the_site_ends(tmp_path: Path) -> None:
    async with estate(tmp_path, "download:tampered,times=1", nodes=1) as running:
        source = official(running.profile.path)
        package = await source.locate("2025.2.13099")
        with pytest.raises(SourceError):
            await source.download(package, tmp_path / "package.msi", lambda done, total: None)
        await source.download(package, tmp_path / "package.msi", lambda done, total: None)
        await source.close()


async def test_every_node_has_a_place_of_its_own(tmp_path: Path) -> None:
    async with estate(tmp_path, nodes=3) as running:
        nodes = profile(running.profile.path)["nodes"]
        places = {(node["host"], node["settings"]["port"]) for node in nodes}
        assert len(places) == len({node["url"] for node in nodes}) == 3
        if sys.platform == "linux":
            assert len({node["host"] for node in nodes}) == 3
        for node in nodes:
            assert running.world.listen_prefixes(node["name"]) == (f"{node['url']}/",)


async def test_secrets_are_for_their_owner_and_go_with_the_lab(tmp_path: Path) -> None:
    async with estate(tmp_path, nodes=1) as running:
        text = running.profile.path.read_text()
        folder = running.profile.folder
        if os.name == "posix":
            assert folder.stat().st_mode & 0o777 == 0o700
        for name in ("api-key", "winrm-password"):
            file = folder / name
            assert file.read_text() not in text
            if os.name == "posix":
                assert file.stat().st_mode & 0o777 == 0o600
        roots = [Path(node.root) for node in running.world.cluster.nodes.values()]
        assert all(root.is_dir() for root in roots)
    assert not folder.exists()
    assert not any(root.exists() for root in roots)


async def test_two_labs_are_the_same_cluster_with_other_secrets(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with estate(tmp_path / name, nodes=1) as running:
            key = (running.profile.folder / "api-key").read_text()
            seen.append((running.world.installation_id, key))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] != seen[1][1]
    options = EstateOptions(1, 3600.0, (), tmp_path / "lab.toml", installation_id="another")
    async with Estate(options) as told_otherwise:
        assert told_otherwise.world.installation_id == "another"


@pytest.mark.parametrize(
    ("fault", "error"),
    [("node2:unreachable", Unreachable), ("node2:wrong-credentials", CredentialsRefused)],
)
async def test_faults_of_remote_management(
    tmp_path: Path, fault: str, error: type[OctotuiError]
) -> None:
    async with estate(tmp_path, fault) as running, httpx.AsyncClient() as client:
        path = running.profile.path
        async with transport(path, 1) as healthy, transport(path, 2) as faulty:
            assert (await healthy.run(["hostname"], timeout=30)).exit_code == 0
            with pytest.raises(error):
                await faulty.run(["hostname"], timeout=30)
        url = f"{running.control_url}/fault"
        answer = await client.post(url, json={"fault": fault.replace("node2", "node1")})
        assert answer.status_code == 200
        async with transport(path, 1) as faulty:
            with pytest.raises(error):
                await faulty.run(["hostname"], timeout=30)


async def test_the_control_endpoint(tmp_path: Path) -> None:
    async with (
        estate(tmp_path) as running,
        httpx.AsyncClient(base_url=running.control_url) as control,
    ):
        truth = (await control.get("/truth")).json()
        assert list(truth["nodes"]) == ["OCTO1", "OCTO2"]
        assert truth["violations"] == []
        assert (await control.get("/health")).json()["nodes"] == {"OCTO1": "up", "OCTO2": "up"}
        running.world.set_maintenance(True)
        final = (await control.get("/truth", params={"final": "true"})).json()
        assert [violation["rule"] for violation in final["violations"]] == ["R8"]
        for body, words in (
            ({"fault": "node9:slow=2"}, "there is no node9"),
            ({"fault": 7}, "SCOPE:NAME"),
            ([], "no JSON object"),
        ):
            answer = await control.post("/fault", json=body)
            assert (answer.status_code, words in answer.text) == (400, True)
        services = await control.post("/windows/OCTO1/services")
        assert services.json()["services"][0]["state"] == "running"
        assert (await control.post("/windows/OCTO1/nonsense")).status_code == 400
        assert (await control.post("/windows/OCTO7/services")).status_code == 404
        assert (await control.post("/stop")).status_code == 200
        await running.stopped()


async def test_what_is_not_a_labs_profile_is_never_written_over(tmp_path: Path) -> None:
    precious = tmp_path / "lab.toml"
    precious.write_text("[octopus]\n")
    with pytest.raises(ValueError, match="was not written by a lab"):
        async with estate(tmp_path, nodes=1):
            pass
    assert precious.read_text() == "[octopus]\n"
    precious.write_text(f"{HEADER}\nleft over\n")
    async with estate(tmp_path, nodes=1):
        assert "left over" not in precious.read_text()


async def test_the_end_of_one_lab_leaves_its_successor_alone(tmp_path: Path) -> None:
    async with estate(tmp_path, nodes=1) as first:
        successor = Estate(EstateOptions(1, 60.0, (), first.profile.path))
        await successor.__aenter__()
    try:
        written = profile(successor.profile.path)
        assert Path(written["octopus"]["ca"]).is_file()
        async with transport(successor.profile.path, 1) as winrm:
            assert (await winrm.run(["hostname"], timeout=30)).exit_code == 0
    finally:
        await successor.__aexit__()
    assert not successor.profile.folder.exists()


async def test_the_profile_has_no_fault_for_octotui(tmp_path: Path) -> None:
    async with estate(tmp_path) as running:
        loaded = load_profile(running.profile.path, Plugins.load())
        assert [node.name for node in loaded.nodes] == ["OCTO1", "OCTO2"]
        assert loaded.upgrade.hold_is_written
        assert loaded.upgrade.hold == ()


BAD_OPTIONS: list[tuple[list[str], str]] = [
    ([], "--profile"),
    (["--profile=x.toml", "--nodes=0"], "0 is not in the range"),
    (["--profile=x.toml", "--speed=0"], "0.0 is not in the range"),
    (["--profile=x.toml", "--fault=node1:explodes"], "unknown fault 'explodes'"),
    (["--profile=x.toml", "--fault=node4:slow=2"], "there is no node4"),
    (["--profile=missing/x.toml"], "there is no folder"),
    (["--profile=."], "is a folder"),
    (["--profile=x.toml", "--powershell=missing"], "does not exist"),
]


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS)
def test_bad_options_are_a_sentence(
    options: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(lab, ["up", *options])
    assert told.exit_code == 2
    assert words in told.output
    assert list(tmp_path.iterdir()) == []


def test_a_powershell_that_is_none(tmp_path: Path) -> None:
    program = tmp_path / "pwsh"
    program.write_text("not a program")
    told = CliRunner().invoke(
        lab, ["up", f"--profile={tmp_path / 'lab.toml'}", f"--powershell={program}"]
    )
    assert told.exit_code == 1
    assert "cannot be started" in told.output
    assert list(tmp_path.iterdir()) == [program]


def test_every_fault_is_listed() -> None:
    told = CliRunner().invoke(lab, ["faults"])
    assert told.exit_code == 0
    assert all(kind.usage in told.output and kind.does in told.output for kind in KINDS)


def by_signal(number: signal.Signals) -> Callable[[subprocess.Popen[str], str], None]:
    return lambda child, _: child.send_signal(number)


def by_request(_: subprocess.Popen[str], control: str) -> None:
    httpx.post(f"{control}/stop")


@pytest.mark.parametrize(
    "end",
    [by_signal(signal.SIGTERM), by_signal(signal.SIGINT), by_request],
    ids=["SIGTERM", "SIGINT", "request"],
)
def test_lab_up_as_a_program(tmp_path: Path, end: Callable[[Any, str], None]) -> None:
    file, temporary = tmp_path / "lab.toml", tmp_path / "temporary"
    temporary.mkdir()
    child = subprocess.Popen(
        [*COMMAND, "up", "--nodes=1", f"--profile={file}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)},
    )
    assert child.stdout is not None
    ready = child.stdout.readline().split()
    try:
        assert ready[0] == "ready"
        assert ready[2] == f"profile={file}"
        control = ready[1].removeprefix("control=")
        assert httpx.get(f"{control}/truth").json()["nodes"]["OCTO1"]["service"] == "running"
        assert profile(file)["nodes"][0]["name"] == "OCTO1"
        end(child, control)
        stdout, stderr = child.communicate(timeout=20)
    finally:
        child.kill()
    assert (child.returncode, stdout, stderr) == (0, "", "")
    assert list(temporary.iterdir()) == []
    assert [entry.name for entry in tmp_path.iterdir() if entry != temporary] == ["lab.toml"]
