"""The REST client: what it asks for, what it makes of the answers, and how long it is patient."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from octotui.api.errors import ApiKeyRefused, OctotuiError, ServerError, ServerNotReady
from octotui.api.facts import License, Task
from octotui.octopus import HttpOctopusServer
from tests.virtual_time import run_virtually

KEY = "API-SECRETSECRETSECRET"
ROOT = {
    "Application": "Octopus Deploy",
    "Version": "2025.2.13071",
    "InstallationId": "11111111-2222-3333-4444-555555555555",
    "Links": {
        "Self": "/api",
        "CurrentLicenseStatus": "/api/licenses/licenses-current-status",
        "MaintenanceConfiguration": "/api/maintenanceconfiguration",
        "OctopusServerClusterSummary": "/api/octopusservernodes/summary",
        "OctopusServerNodes": "/api/octopusservernodes{/id}{?skip,take,ids,partialName}",
        "ServerStatus": "/api/serverstatus",
        "Tasks": "/api/tasks{/id}{?skip,active,running,node,take,ids}",
    },
}
NODE = {
    "Id": "OctopusServerNodes-OCTO1",
    "Name": "OCTO1",
    "MaxConcurrentTasks": 7,
    "IsInMaintenanceMode": False,
    "SomethingNewer": ["kept"],
    "Links": {},
}
SUMMARY = {
    "Nodes": [
        {**NODE, "IsOffline": False, "LastSeen": "2026-01-02T03:04:05.000+00:00"}
        | {"RunningTaskCount": 2, "Version": "2025.2.13071"},
        {**NODE, "Id": "OctopusServerNodes-OCTO2", "Name": "OCTO2", "IsInMaintenanceMode": True}
        | {"IsOffline": True, "LastSeen": None, "RunningTaskCount": 0},
    ]
}
PAGE = "<html><head><title>Sign in to\n Example</title></head><body>please</body></html>"

Answer = Callable[[httpx.Request], httpx.Response]


class Site:
    """An Octopus Server of prepared answers, which keeps every request."""

    def __init__(self, prefix: str = "") -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[tuple[str, str], Answer | Any] = {
            ("GET", f"{prefix}/api"): ROOT,
            ("GET", f"{prefix}/api/octopusservernodes/summary"): SUMMARY,
            ("GET", f"{prefix}/api/octopusservernodes/OctopusServerNodes-OCTO1"): NODE,
            ("GET", f"{prefix}/api/maintenanceconfiguration"): {
                "Id": "maintenance",
                "IsInMaintenanceMode": False,
            },
            ("GET", f"{prefix}/api/licenses/licenses-current-status"): {
                "IsCompliant": True,
                "ComplianceSummary": "All is well",
                "EffectiveExpiryDate": "2027-01-01",
            },
            ("GET", f"{prefix}/api/serverstatus"): {
                "MaintenanceExpires": "2027-01-01",
                "MaximumAvailableVersionCoveredByLicense": "2025.4.10428",
            },
        }

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.get((request.method, request.url.path))
        if callable(answer):
            return answer(request)
        if answer is None:
            return httpx.Response(404, json={"ErrorMessage": "There is nothing here"})
        return httpx.Response(200, json=answer)

    def server(self, url: str = "https://octopus.example.com", **options: Any) -> HttpOctopusServer:
        return HttpOctopusServer(
            url, SecretStr(KEY), transport=httpx.MockTransport(self), **options
        )

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]


@pytest.fixture
def site() -> Site:
    return Site()


def refused(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no", request=request) from ConnectionRefusedError(111, "refused")


def then(*answers: Answer | httpx.Response) -> Answer:
    """One answer after the other, the last one for ever."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        now = left.pop(0) if len(left) > 1 else left[0]
        return now if isinstance(now, httpx.Response) else now(request)

    return answer


async def test_facts_are_those_of_the_cluster(site: Site) -> None:
    facts = await site.server().facts()
    assert facts.version == "2025.2.13071"
    assert facts.installation_id == ROOT["InstallationId"]
    assert facts.maintenance is False
    assert facts.license == License(True, "All is well", "2027-01-01")
    assert (facts.maintenance_expires, facts.covered_version) == ("2027-01-01", "2025.4.10428")
    first, second = facts.nodes
    assert (first.id, first.name) == ("OctopusServerNodes-OCTO1", "OCTO1")
    assert (first.max_concurrent_tasks, first.running_tasks, first.draining) == (7, 2, False)
    assert first.version == "2025.2.13071"
    assert (second.draining, second.offline, second.last_seen) == (True, True, "")
    assert second.version == ""


async def test_every_call_carries_the_key(site: Site) -> None:
    await site.server().facts()
    assert {request.headers["X-Octopus-ApiKey"] for request in site.requests} == {KEY}
    assert not any(KEY in str(request.url) for request in site.requests)


@pytest.mark.parametrize("status", [403, 404])
async def test_a_licence_status_one_may_not_see_is_unknown(site: Site, status: int) -> None:
    for path in ("/api/licenses/licenses-current-status", "/api/serverstatus"):
        site.answers["GET", path] = lambda _: httpx.Response(status, json={"ErrorMessage": "No."})
    facts = await site.server().facts()
    assert facts.license == License(None, "No.", "")
    assert facts.covered_version == ""


async def test_maintenance_mode_is_put_as_a_whole_resource(site: Site) -> None:
    site.answers["PUT", "/api/maintenanceconfiguration"] = {"IsInMaintenanceMode": True}
    await site.server().set_maintenance(True)
    assert json.loads(site.requests[-1].content) == {
        "Id": "maintenance",
        "IsInMaintenanceMode": True,
    }


async def test_draining_keeps_the_task_cap_and_what_we_do_not_know(site: Site) -> None:
    path = "/api/octopusservernodes/OctopusServerNodes-OCTO1"
    site.answers["PUT", path] = NODE
    await site.server().set_draining("OctopusServerNodes-OCTO1", True)
    assert json.loads(site.requests[-1].content) == {**NODE, "IsInMaintenanceMode": True}


async def test_a_node_without_a_task_cap_is_not_written(site: Site) -> None:
    path = "/api/octopusservernodes/OctopusServerNodes-OCTO1"
    site.answers["GET", path] = {**NODE, "MaxConcurrentTasks": None}
    with pytest.raises(ServerError, match="without MaxConcurrentTasks"):
        await site.server().set_draining("OctopusServerNodes-OCTO1", True)
    assert not any(request.method == "PUT" for request in site.requests)


def tasks_page(items: list[dict[str, Any]], total: int, **counts: Any) -> dict[str, Any]:
    return {"Items": items, "TotalResults": total, **counts}


def task(number: int, **more: Any) -> dict[str, Any]:
    return {
        "Id": f"ServerTasks-{number}",
        "Description": f"Deploy {number}",
        "State": "Executing",
        "ServerNode": "OctopusServerNodes-OCTO1",
        "StartTime": "2026-01-02T03:04:05.000+00:00",
        "HasPendingInterruptions": False,
    } | more


async def test_running_tasks_of_all_pages(site: Site) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        assert request.url.params["running"] == "true"
        skip, take = (int(request.url.params[name]) for name in ("skip", "take"))
        everything = [task(number) for number in range(230)]
        everything[229] |= {"State": "Cancelling", "HasPendingInterruptions": True}
        return httpx.Response(200, json=tasks_page(everything[skip : skip + take], 230))

    site.answers["GET", "/api/tasks"] = page
    tasks = await site.server().running_tasks()
    assert len({task.id for task in tasks}) == 230
    assert tasks[-1] == Task(
        id="ServerTasks-229",
        description="Deploy 229",
        state="Cancelling",
        node_id="OctopusServerNodes-OCTO1",
        started="2026-01-02T03:04:05.000+00:00",
        waits_for_person=True,
    )
    assert site.asked.count("GET /api/tasks") == 3


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"TotalCounts": {"Executing": 1, "Success": 40}}, 0),
        ({"TotalCounts": {"Executing": 2, "Cancelling": 1}}, 2),
        ({"TotalCounts": {"Executing": 1}, "TotalCountsInOtherSpaces": {"Executing": 3}}, 3),
        ({"TotalCountsInOtherSpaces": {"Queued": 9}}, 0),
    ],
)
async def test_tasks_in_spaces_that_the_key_does_not_see_count(
    site: Site, counts: dict[str, Any], hidden: int
) -> None:
    site.answers["GET", "/api/tasks"] = tasks_page([task(1)], 1, **counts)
    tasks = await site.server().running_tasks()
    assert [task.id for task in tasks[:1]] == ["ServerTasks-1"]
    assert len(tasks) == 1 + hidden


async def test_cancelling_asks_once_and_forgives_a_task_that_has_ended(site: Site) -> None:
    path = "/api/tasks/ServerTasks-1"
    site.answers["POST", f"{path}/cancel"] = lambda _: httpx.Response(400, json={})
    site.answers["GET", path] = task(1, IsCompleted=True)
    await site.server().cancel_task("ServerTasks-1")
    assert site.asked.count(f"POST {path}/cancel") == 1

    site.answers["GET", path] = task(1, IsCompleted=False)
    with pytest.raises(ServerError, match="HTTP 400"):
        await site.server().cancel_task("ServerTasks-1")


async def test_an_action_is_never_repeated(site: Site) -> None:
    site.answers["POST", "/api/tasks/ServerTasks-1/cancel"] = lambda _: httpx.Response(503)
    with pytest.raises(ServerNotReady):
        await site.server().cancel_task("ServerTasks-1")
    assert site.asked.count("POST /api/tasks/ServerTasks-1/cancel") == 1


STATUSES = [
    (400, {"ErrorMessage": "Bad.", "Errors": ["Worse."]}, ServerError, "HTTP 400: Bad. Worse."),
    (401, {"ErrorMessage": "You must be logged in"}, ApiKeyRefused, "AdministerSystem"),
    (403, {"ErrorMessage": "You lack a permission"}, ApiKeyRefused, "AdministerSystem"),
    (404, {"ErrorMessage": "There is nothing here"}, ServerError, "There is nothing here"),
    (405, {}, ServerError, "HTTP 405"),
    (409, {"ErrorMessage": "Changed by somebody else"}, ServerError, "somebody else"),
    (418, {}, ServerNotReady, "HTTP 418"),
    (500, {"ErrorMessage": "Oops", "FullException": "at Octopus.Core"}, ServerError, "Oops"),
    (502, PAGE, ServerNotReady, "HTTP 502"),
    (503, PAGE, ServerNotReady, "HTTP 503"),
    (504, PAGE, ServerNotReady, "HTTP 504"),
    (403, PAGE, ApiKeyRefused, "Sign in to Example"),
    (500, PAGE, ServerError, "Sign in to Example"),
    (200, PAGE, ServerError, 'a web page with the title "Sign in to Example"'),
    (200, "plainly nothing", ServerError, "no JSON object"),
    (200, [1, 2], ServerError, "no JSON object"),
    (200, {"Nodes": "none"}, ServerError, "without Nodes"),
    (200, {"Nodes": [{"Id": 1}]}, ServerError, "without Id"),
    (204, "", ServerError, "no JSON object"),
]


@pytest.mark.parametrize(("status", "body", "kind", "words"), STATUSES)
async def test_what_a_status_means(
    site: Site, status: int, body: Any, kind: type[OctotuiError], words: str
) -> None:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    path = "/api/octopusservernodes/summary"
    site.answers["GET", path] = lambda _: httpx.Response(status, content=content)
    with pytest.raises(kind) as raised:
        await site.server(patience=0).nodes()
    assert type(raised.value) is kind or kind is ServerNotReady
    assert words in str(raised.value)
    assert "Octopus.Core" not in str(raised.value)


def test_patience_with_a_server_that_is_not_ready(site: Site) -> None:
    """Half a second between answers of 503, a second after a connection that fails."""
    starting = httpx.Response(503)
    site.answers["GET", "/api"] = then(refused, refused, starting, starting, starting, site_root)

    async def ask() -> float:
        assert (await site.server().facts()).version == "2025.2.13071"
        return asyncio.get_running_loop().time()

    assert run_virtually(ask()) == pytest.approx(2 * 1.0 + 3 * 0.5)


def site_root(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=ROOT)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refused, "connection refused, for 60 s"),
        (httpx.Response(503), "answers HTTP 503, for 60 s"),
    ],
)
def test_patience_ends(site: Site, answer: Answer, words: str) -> None:
    site.answers["GET", "/api"] = then(answer)

    async def ask() -> float:
        with pytest.raises(ServerNotReady, match=words):
            await site.server().facts()
        return asyncio.get_running_loop().time()

    assert 59 <= run_virtually(ask()) <= 60


def test_a_change_that_may_have_been_made_says_so(site: Site) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    site.answers["PUT", "/api/maintenanceconfiguration"] = lost

    async def ask() -> None:
        with pytest.raises(ServerNotReady) as raised:
            await site.server().set_maintenance(True)
        assert raised.value.outcome_known is False

    run_virtually(ask())


@pytest.mark.parametrize(
    "end", [refused, httpx.Response(503), httpx.Response(500), httpx.Response(401)]
)
def test_an_answer_that_was_lost_stays_unknown_whatever_came_after_it(
    site: Site, end: Answer | httpx.Response
) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("slow", request=request)

    site.answers["PUT", "/api/maintenanceconfiguration"] = then(lost, end)

    async def ask() -> None:
        with pytest.raises(ServerError) as raised:
            await site.server().set_maintenance(True)
        assert raised.value.outcome_known is False

    run_virtually(ask())


@pytest.mark.parametrize(("status", "known"), [(502, False), (503, True), (504, False)])
def test_a_balancer_that_heard_nothing_back_knows_nothing(
    site: Site, status: int, known: bool
) -> None:
    site.answers["PUT", "/api/maintenanceconfiguration"] = then(httpx.Response(status))

    async def ask() -> None:
        with pytest.raises(ServerNotReady) as raised:
            await site.server(patience=0).set_maintenance(True)
        assert raised.value.outcome_known is known

    run_virtually(ask())


def test_a_name_that_was_known_is_waited_for(site: Site) -> None:
    """Windows and macOS say "not known" of every name while their own network is down."""

    def unknown(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request) from socket.gaierror(
            socket.EAI_NONAME, "Name or service not known"
        )

    async def ask() -> None:
        server = site.server()
        site.answers["GET", "/api/maintenanceconfiguration"] = then(
            unknown, unknown, httpx.Response(200, json={"IsInMaintenanceMode": False})
        )
        site.answers["GET", "/api"] = then(unknown, httpx.Response(200, json=ROOT))
        with pytest.raises(ServerError, match="is not known"):
            await server.maintenance()
        assert await server.maintenance() is False

    run_virtually(ask())


def test_an_answer_that_never_ends_is_given_up(site: Site) -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(20)
                yield b" "

    site.answers["GET", "/api"] = lambda _: httpx.Response(200, stream=Endless())

    async def ask() -> None:
        async with asyncio.timeout(600):
            with pytest.raises(ServerNotReady, match="no answer in time"):
                await site.server(patience=0).facts()

    run_virtually(ask())


async def test_virtual_directory_by_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("/octopus")
    links = {name: f"/octopus{link}" for name, link in ROOT["Links"].items()}
    site.answers["GET", "/octopus/api"] = {**ROOT, "Links": links}
    for url in ("https://example.com/octopus", "https://example.com/octopus/api/"):
        assert (await site.server(url).facts()).version == "2025.2.13071"
    assert all(request.url.path.startswith("/octopus/api") for request in site.requests)


async def test_virtual_directory_by_a_proxy() -> None:
    """A proxy that takes the directory off: the server's links do not have it."""
    site = Site("/octopus")
    assert len(await site.server("https://example.com/octopus/").nodes()) == 2


async def test_a_root_document_without_links_is_enough(site: Site) -> None:
    site.answers["GET", "/api"] = {"Version": "2018.10.1"}
    assert len(await site.server().nodes()) == 2


async def test_links_win_over_what_is_usual(site: Site) -> None:
    site.answers["GET", "/api"] = {
        **ROOT,
        "Links": {"OctopusServerClusterSummary": "~/api/elsewhere{?skip}"},
    }
    site.answers["GET", "/api/elsewhere"] = SUMMARY
    assert len(await site.server().nodes()) == 2


REDIRECTS = [
    "https://evil.example.com/api",
    "http://octopus.example.com/api",
    "https://octopus.example.com:8443/api",
    "//evil.example.com/api",
]


@pytest.mark.parametrize("target", REDIRECTS)
async def test_the_key_never_follows_a_redirect_to_another_host(site: Site, target: str) -> None:
    site.answers["GET", "/api"] = lambda _: httpx.Response(302, headers={"Location": target})
    server = site.server()
    with pytest.raises(ServerError, match="redirects to http"):
        await server.facts()
    with pytest.raises(ServerError, match="not sent to another address"):
        await server.serving()
    assert {str(request.url) for request in site.requests} == {"https://octopus.example.com/api"}


async def test_the_key_never_follows_a_link_to_another_host(site: Site) -> None:
    site.answers["GET", "/api"] = {
        **ROOT,
        "Links": {"OctopusServerClusterSummary": "https://evil.example.com/api"},
    }
    with pytest.raises(ServerError, match=r"links to another host, evil\.example\.com"):
        await site.server().nodes()
    assert {request.url.host for request in site.requests} == {"octopus.example.com"}


async def test_a_redirect_within_the_host_is_followed(site: Site) -> None:
    site.answers["GET", "/api"] = lambda _: httpx.Response(301, headers={"Location": "/new/api"})
    site.answers["GET", "/new/api"] = ROOT
    assert (await site.server().facts()).version == "2025.2.13071"


async def test_a_redirect_in_circles_ends(site: Site) -> None:
    site.answers["GET", "/api"] = lambda _: httpx.Response(302, headers={"Location": "/api"})
    with pytest.raises(ServerError, match="in circles"):
        await site.server().facts()


async def test_a_change_is_not_turned_into_a_read_by_a_redirect(site: Site) -> None:
    site.answers["PUT", "/api/maintenanceconfiguration"] = lambda _: httpx.Response(
        302, headers={"Location": "/api"}
    )
    with pytest.raises(ServerError, match="Nothing was changed"):
        await site.server().set_maintenance(True)


SERVING: list[tuple[str, Any, tuple[str, bool], str]] = [
    ("/api", ROOT, ("2025.2.13071", True), ""),
    ("/api", refused, ("", False), "connection refused"),
    ("/api", httpx.Response(503), ("", False), "503, it is starting"),
    ("/api", httpx.Response(418), ("", False), "HTTP 418"),
    ("/api", httpx.Response(500, json={"ErrorMessage": "Oops"}), ("", False), "500: Oops"),
    ("/api", httpx.Response(200, html=PAGE), ("", False), "not Octopus"),
    ("/api", {"Application": "Something"}, ("", False), "without a version"),
    (
        "/api/octopusservernodes/summary",
        httpx.Response(500, json={"ErrorMessage": "No database"}),
        ("2025.2.13071", False),
        "an authenticated read: HTTP 500: No database",
    ),
    (
        "/api/octopusservernodes/summary",
        httpx.Response(200, html=PAGE),
        ("2025.2.13071", False),
        "web page",
    ),
]


@pytest.mark.parametrize(("path", "answer", "expected", "reason"), SERVING)
async def test_serving_tries_once_and_gives_a_reason(
    site: Site, path: str, answer: Any, expected: tuple[str, bool], reason: str
) -> None:
    site.answers["GET", path] = then(answer) if isinstance(answer, httpx.Response) else answer
    serving = await site.server().serving("https://octo1.example.com")
    assert (serving.version, serving.serving) == expected
    assert reason in serving.reason
    assert bool(serving.reason) is not serving.serving
    assert {request.url.host for request in site.requests} == {"octo1.example.com"}
    assert site.asked.count("GET /api") == 1


async def test_serving_does_not_wait_for_a_key_that_is_refused(site: Site) -> None:
    site.answers["GET", "/api/octopusservernodes/summary"] = lambda _: httpx.Response(401, json={})
    with pytest.raises(ApiKeyRefused):
        await site.server().serving()


async def test_a_proxy_before_a_stopped_server_is_no_end_of_waiting(site: Site) -> None:
    """It refuses to connect us for as long as nobody serves behind it."""

    def says(words: str) -> Answer:
        def fail(request: httpx.Request) -> httpx.Response:
            raise httpx.ProxyError(words, request=request)

        return fail

    site.answers["GET", "/api"] = says("503 Service Unavailable")
    serving = await site.server().serving()
    assert (serving.serving, "503 Service Unavailable" in serving.reason) == (False, True)
    site.answers["GET", "/api"] = says("407 Proxy Authentication Required")
    with pytest.raises(ServerError, match="NO_PROXY"):
        await site.server().serving()


@pytest.mark.parametrize(
    ("answers", "expect", "wrong", "seconds"),
    [
        ([httpx.Response(200)], 200, "", 0),
        ([httpx.Response(404)], 200, "it answers HTTP 404, not 200", 0),
        ([httpx.Response(503), httpx.Response(200)], 200, "", 0.5),
        ([refused, httpx.Response(200)], 200, "", 1),
        ([httpx.Response(503)], 200, "it answers HTTP 503, not 200, for 10 s", 10),
        ([refused], 200, "connection refused, for 10 s", 10),
        ([httpx.Response(302, headers={"Location": "/login"})], 302, "", 0),
        ([httpx.Response(302, headers={"Location": "/login"}), httpx.Response(200)], 200, "", 0),
        ([httpx.Response(302, headers={"Location": "/app"})], 200, "cannot be opened", 0),
    ],
)
def test_smoke(site: Site, answers: list[Any], expect: int, wrong: str, seconds: float) -> None:
    site.answers["GET", "/app"] = site.answers["GET", "/login"] = then(*answers)

    async def look() -> float:
        problem = await site.server().smoke("https://octopus.example.com/app", expect, 10.0)
        assert wrong in problem
        assert bool(problem) is bool(wrong)
        return asyncio.get_running_loop().time()

    assert run_virtually(look()) == pytest.approx(seconds)
    assert not any("X-Octopus-ApiKey" in request.headers for request in site.requests)


@pytest.mark.parametrize(
    "url", ["", "octopus.example.com", "ftp://x", "https://", "https://u:p@x", "https://x:port"]
)
def test_an_address_that_cannot_be_one(site: Site, url: str) -> None:
    with pytest.raises(ServerError) as raised:
        site.server(url)
    assert "u:p" not in str(raised.value)


@pytest.mark.parametrize("key", ["", "API-ÄÖÜ", "API-A\nB", "two words"])
def test_a_key_that_cannot_be_one_is_not_repeated(key: str) -> None:
    with pytest.raises(ApiKeyRefused) as raised:
        HttpOctopusServer("https://x", SecretStr(key))
    assert not key or key not in "".join(traceback.format_exception(raised.value))


def everything_of(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("answer", [refused, httpx.Response(401), httpx.Response(200, html=PAGE)])
async def test_the_key_is_in_no_error_log_or_repr(
    site: Site, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    site.answers["GET", "/api"] = then(answer)
    server = site.server(patience=0)
    with pytest.raises(ServerError) as raised:
        await server.facts()
    assert KEY not in "".join(everything_of(raised.value)) + caplog.text + repr(vars(server))
    assert not any(isinstance(e, httpx.HTTPError) for e in (raised.value.__cause__,))


async def test_one_client_a_host_and_all_are_closed(site: Site) -> None:
    server = site.server()
    for base in ("", "https://octo1.example.com", "https://octo1.example.com/", "http://octo1"):
        await server.serving(base)
    connections = list(server._connections.values())
    assert len(connections) == 3
    await server.close()
    await server.close()
    assert all(connection._client.is_closed for connection in connections)
