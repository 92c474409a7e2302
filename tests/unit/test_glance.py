"""A look at a cluster without a secret: every answer and every way of there being none."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from octotui.cli import glance as command
from octotui.octopus import glance
from octotui.octopus.glance import ClusterGlance, NodeGlance, Onlooker

CLUSTER = "https://octopus.example.com"
ROOT = {"Application": "Octopus Deploy", "Version": "2025.1.2"}
PING = {"Id": "OctopusServerNodes-A", "IsOffline": False, "IsInMaintenanceMode": False}
HEALTHY = {"IsOperatingNormally": True, "IsEntireClusterReadOnly": False}


class Site:
    """Answers by host and the end of the path; a callable is called with the request."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.requests: list[httpx.Request] = []

    def says(self, what: str, answer: Any, host: str = "octopus.example.com") -> None:
        self.answers[host, what] = answer

    def node(self, name: str, ping: Any = PING, root: Any = ROOT) -> tuple[str, str]:
        host = f"{name.lower()}.example.com"
        self.says("ping", ping, host)
        self.says("api", root, host)
        return name, f"https://{host}"

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[request.url.host, request.url.path.rpartition("/")[2]]
        if callable(answer):
            answer = await answer(request) if asyncio.iscoroutinefunction(answer) else answer()
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        return httpx.Response(200, json=answer)

    async def look(self, *nodes: tuple[str, str], url: str = CLUSTER) -> ClusterGlance:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as client:
            return await Onlooker(client).look(url, nodes)


@pytest.fixture
def site() -> Site:
    site = Site()
    for what, answer in (("api", ROOT), ("ping", PING), ("health", HEALTHY)):
        site.says(what, answer)
    return site


def page(status: int = 200, title: str = "Sign in") -> httpx.Response:
    return httpx.Response(status, html=f"<html><head><title>{title}</title></head></html>")


async def test_online_and_no_secret_is_sent(site: Site) -> None:
    seen = await site.look(site.node("OCTO1"), ("OCTO2", ""), url=f"{CLUSTER}/octopus/")
    assert seen == ClusterGlance(
        "online", "2025.1.2", "", (NodeGlance("OCTO1", "online", "2025.1.2"),)
    )
    assert {request.method for request in site.requests} == {"GET"}
    assert not any("x-octopus-apikey" in r.headers or "cookie" in r.headers for r in site.requests)
    assert not any("authorization" in request.headers for request in site.requests)
    asked = {r.url.path for r in site.requests if r.url.host == "octopus.example.com"}
    assert asked == {
        "/octopus/api",
        "/octopus/api/octopusservernodes/ping",
        "/octopus/api/serverstatus/health",
    }


def teapot(**body: Any) -> httpx.Response:
    return httpx.Response(418, json=body) if body else httpx.Response(418)


@pytest.mark.parametrize(
    ("health", "ping", "state", "words"),
    [
        (teapot(IsEntireClusterReadOnly=True), PING, "maintenance", "read only"),
        (teapot(IsEntireClusterDrainingTasks=True), PING, "draining", "all its nodes drain"),
        (teapot(Description="The licence is not complied with."), PING, "partly", "licence"),
        (teapot(IsOperatingNormally=False), PING, "partly", "not normal"),
        (httpx.Response(401, json={}), PING, "online", ""),
        (httpx.Response(404), PING, "online", ""),
        (httpx.ReadTimeout("slow"), PING, "online", ""),
        (HEALTHY, teapot(IsInMaintenanceMode=True), "draining", "no new tasks"),
        (HEALTHY, teapot(IsOffline=True), "offline", "counts itself as offline"),
        (HEALTHY, teapot(), "draining", "drains its tasks or is offline"),
        (HEALTHY, httpx.Response(503), "starting", "503"),
        (HEALTHY, httpx.Response(404), "answers", "HTTP 404"),
        (HEALTHY, httpx.Response(401, json={"ErrorMessage": "log in"}), "answers", "log in"),
        (HEALTHY, httpx.ConnectError("gone"), "answers", "gone"),
    ],
)
async def test_what_the_cluster_says_of_itself(
    site: Site, health: Any, ping: Any, state: str, words: str
) -> None:
    site.says("health", health)
    site.says("ping", ping)
    seen = await site.look()
    assert (seen.health, seen.version) == (state, "2025.1.2")
    assert words in seen.reason
    assert bool(words) == bool(seen.reason)


def because(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def not_trusted() -> Exception:
    cause = ssl.SSLCertVerificationError("certificate verify failed")
    cause.verify_message = "self-signed certificate"
    return because(httpx.ConnectError("tls"), cause)


@pytest.mark.parametrize(
    ("root", "state", "words"),
    [
        (
            because(httpx.ConnectError("no"), ConnectionRefusedError()),
            "unreachable",
            "connection refused",
        ),
        (
            because(httpx.ConnectError("no"), socket.gaierror(socket.EAI_NONAME, "none")),
            "unreachable",
            "the name octopus.example.com is not known",
        ),
        (not_trusted(), "unreachable", "not trusted: self-signed certificate"),
        (httpx.ConnectTimeout("slow"), "unreachable", "no answer in time"),
        (httpx.RemoteProtocolError("broken"), "unreachable", "broken"),
        (httpx.Response(503), "starting", "HTTP 503"),
        (httpx.Response(502), "unreachable", "HTTP 502"),
        (httpx.Response(418), "unreachable", "HTTP 418"),
        (page(), "other", 'a page titled "Sign in"'),
        (page(403, "Forbidden"), "other", "HTTP 403: Forbidden"),
        (httpx.Response(200, json=[1]), "other", "not Octopus"),
        (httpx.Response(200, json={"Version": 3}), "other", "without a version"),
        (httpx.Response(200, text="x" * 100_000), "other", "more than Octopus would"),
        (
            httpx.Response(302, headers={"Location": "https://u:pw@sso.example.com/?t=1"}),
            "other",
            "it redirects to https://sso.example.com",
        ),
    ],
)
async def test_why_there_is_no_version(site: Site, root: Any, state: str, words: str) -> None:
    site.says("api", root)
    seen = await site.look()
    assert (seen.health, seen.version) == (state, "")
    assert words in seen.reason
    assert "pw" not in seen.reason


async def test_a_server_that_trickles_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glance, "PATIENCE", 0.05)

    async def forever(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    site.says("api", forever)
    seen = await site.look()
    assert (seen.health, seen.reason) == ("unreachable", "no answer within 0 s")


async def test_what_a_server_says_cannot_steer_the_terminal(site: Site) -> None:
    site.says("api", {"Version": "2025\x1b[2J.1" + "9" * 500})
    seen = await site.look()
    assert seen.version.isprintable()
    assert len(seen.version) <= 160


async def test_nodes_are_told_one_by_one_and_make_up_the_whole(site: Site) -> None:
    refused = because(httpx.ConnectError("no"), ConnectionRefusedError())
    seen = await site.look(
        site.node("A"),
        site.node("B", teapot(IsInMaintenanceMode=True), {"Version": "2025.2.9"}),
        site.node("C", refused, refused),
    )
    assert (seen.health, seen.reason) == ("partly", "1 of 3 nodes online")
    assert seen.version == "2025.1.2 and 2025.2.9"
    assert seen.nodes == (
        NodeGlance("A", "online", "2025.1.2"),
        NodeGlance("B", "draining", "2025.2.9", "it takes no new tasks"),
        NodeGlance("C", "unreachable", "", "connection refused"),
    )


async def test_the_balancer_s_word_is_checked_against_the_nodes(site: Site) -> None:
    drained = teapot(IsInMaintenanceMode=True)
    seen = await site.look(site.node("A", drained), site.node("B", drained))
    assert (seen.health, seen.reason) == ("draining", "no node takes new tasks")
    site.says("ping", drained)
    seen = await site.look(site.node("A"), site.node("B"))
    assert (seen.health, seen.reason) == ("online", "")
    site.says("api", httpx.Response(502))
    seen = await site.look(site.node("A"), site.node("B"))
    assert (seen.health, seen.version) == ("unreachable", "2025.1.2")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("nonsense\n", "line 1"),
        ("[octopus]", "octopus.url must be an address"),
        ("octopus = 3", "a table [octopus]"),
        ("nodes = 3\n[octopus]\nurl='https://a'", "[[nodes]]"),
        ("[octopus]\nurl='https://a'\n[[nodes]]\nhost='x'", "needs a name"),
        ("[octopus]\nurl='https://a'\n[[nodes]]\nname='x'\nurl='ftp://b'", "nodes.x.url"),
        ("[octopus]\nurl='https://me:HUNTER2@a'", "must not carry"),
        ("[octopus]\nurl='https://me:HUNTER2\u2100@a'", "octopus.url must be an address"),
    ],
)
def test_a_profile_with_faults_is_told_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    site = Site()
    for what, answer in (("api", ROOT), ("ping", PING), ("health", HEALTHY)):
        site.says(what, answer, "good.example.com")
    use(monkeypatch, site)
    (tmp_path / "bad.toml").write_text(text, encoding="utf-8")
    (tmp_path / "good.toml").write_text("[octopus]\nurl = 'https://good.example.com'\n")
    files = [str(tmp_path / f"{name}.toml") for name in ("bad", "good")]
    result = CliRunner().invoke(command.glance, [*files, "--json"])
    told = {Path(row["profile"]).stem: row for row in map(json.loads, result.output.splitlines())}
    assert told["bad"]["health"] == "fault"
    assert fault in told["bad"]["reason"]
    assert "HUNTER2" not in result.output
    assert (told["good"]["health"], told["good"]["version"]) == ("online", "2025.1.2")
    assert len(site.requests) == 3


def test_the_lines_and_the_profiles_of_both_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    use(monkeypatch, site)
    monkeypatch.setattr("octotui.profile.find.profile_folders", lambda: (tmp_path, tmp_path / "-"))
    result = CliRunner().invoke(command.glance, [])
    assert "octotui demo" in result.output
    name, url = site.node("OCTO1", teapot(IsInMaintenanceMode=True))
    (tmp_path / "prod.toml").write_text(
        f"[octopus]\nurl = '{CLUSTER}'\n[[nodes]]\nname = '{name}'\nurl = '{url}'\n"
    )
    (tmp_path / "odd.toml").write_text(f"[octopus]\nurl = '{CLUSTER}'\nca = 'none.pem'\n")
    lines = CliRunner().invoke(command.glance, []).output.splitlines()
    assert "prod  2025.1.2  draining: no node takes new tasks" in lines
    assert "  OCTO1  2025.1.2  draining: it takes no new tasks" in lines
    assert any(line.startswith("odd   profile with faults: ") for line in lines)
    assert any("none.pem cannot be read" in line for line in lines)


def use(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """The command asks that site in place of the network."""
    client: Callable[..., httpx.AsyncClient] = httpx.AsyncClient
    transport = httpx.MockTransport(site)
    monkeypatch.setattr(httpx, "AsyncClient", lambda **_: client(transport=transport))


#: The command with a resolver that never answers for one name, and with little patience.
STUCK = """
import socket, sys, threading
from octotui.cli.main import main
from octotui.octopus import glance
real = socket.getaddrinfo
def look_up(host, *rest, **options):
    if host in ("stuck.example.com", b"stuck.example.com"):
        threading.Event().wait()
    return real(host, *rest, **options)
socket.getaddrinfo = look_up
glance.PATIENCE = 0.2
main()
"""


def test_it_ends_while_a_name_is_being_looked_up(tmp_path: Path) -> None:
    files = [tmp_path / "stuck.toml", tmp_path / "here.toml"]
    for path, host in zip(files, ("stuck.example.com", "127.0.0.1:9"), strict=True):
        path.write_text(f"[octopus]\nurl = 'https://{host}'\n")
    ended = subprocess.run(
        [sys.executable, "-c", STUCK, "glance", "--json", *map(str, files)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = {Path(row["profile"]).stem: row for row in map(json.loads, ended.stdout.splitlines())}
    assert told["stuck"]["reason"] == "no answer within 0 s"
    assert told["here"]["reason"] == "connection refused"
