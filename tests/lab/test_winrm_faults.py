"""The WinRM transport against a node and a network that misbehave on purpose."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from winrm.exceptions import WSManFaultError

from octotui.api.errors import (
    ConnectionLost,
    CredentialsRefused,
    NotTrusted,
    TransportError,
    Unreachable,
)
from octotui_lab.remote import RemoteCommand
from octotui_lab.wsman import write_ntlm_users
from octotui_lab.wsman.shells import Command
from octotui_lab.wsman.soap import fault_answer, no_such_shell
from octotui_winrm.transport import WinrmTransport
from octotui_winrm.wire import Wire, tls_context
from tests.lab.winrm_node import (
    IMPATIENT,
    USERS,
    Authority,
    Proxy,
    ScriptedNode,
    make_transport,
    opened,
)

WAYS = [
    pytest.param({"scheme": "https", "auth": "basic"}, id="basic-tls"),
    pytest.param({"scheme": "https", "auth": "ntlm"}, id="ntlm-tls"),
    pytest.param({"scheme": "http", "auth": "ntlm"}, id="ntlm-http"),
]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _ntlm_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NTLM_USER_FILE", "")  # put back afterwards
    write_ntlm_users(tmp_path / "ntlm-users", USERS)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, authority: Authority) -> dict[str, Any]:
    settings: dict[str, Any] = dict(request.param)
    if settings["scheme"] == "https":
        settings["ca"] = str(authority.file)
    return settings


@pytest.fixture
async def node(way: dict[str, Any], authority: Authority) -> AsyncIterator[ScriptedNode]:
    secure = way["scheme"] == "https"
    node = ScriptedNode(*(authority.issue("127.0.0.1") if secure else (None, None)))
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def plain(authority: Authority) -> AsyncIterator[ScriptedNode]:
    """A node for what does not depend on how the account is proved."""
    node = ScriptedNode(*authority.issue("127.0.0.1"))
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def proxy(node: ScriptedNode) -> AsyncIterator[Proxy]:
    async with Proxy(node.port).running() as proxy:
        yield proxy


@pytest.fixture
async def transport(node: ScriptedNode, way: dict[str, Any]) -> AsyncIterator[WinrmTransport]:
    async with opened(node.port, **way) as transport:
        yield transport


async def test_output_is_whole_when_the_line_is_cut_amid_a_command(
    node: ScriptedNode, proxy: Proxy, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = asyncio.Event()
    asked_for_more = asyncio.Event()
    heard = asyncio.Event()

    async def interrupted(command: RemoteCommand, _: list[str]) -> int:
        command.write_stdout(b"first\n")
        await more.wait()
        command.write_stdout(b"second\n")
        return 5

    node.programs["interrupted"] = interrupted
    find_command = node.endpoint.shells.command

    def found(*key: str) -> Command:
        if heard.is_set():
            asked_for_more.set()
        return find_command(*key)

    monkeypatch.setattr(node.endpoint.shells, "command", found)
    async with asyncio.timeout(10), opened(proxy.port, **way) as transport:
        call = asyncio.create_task(
            transport.run(["interrupted"], timeout=10, output=lambda *_: heard.set())
        )
        await asked_for_more.wait()
        proxy.cut()
        while proxy.accepted < 2:
            proxy.changed.clear()
            await proxy.changed.wait()
        more.set()
        completed = await call
    assert completed.stdout == b"first\nsecond\n"
    assert completed.exit_code == 5
    assert len(node.lines) == 1


async def test_a_command_whose_reply_is_lost_is_never_repeated(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    node.losing.append("Command")
    with pytest.raises(ConnectionLost) as caught:
        await transport.run(["exit", "0"], timeout=10)
    assert "OCTO1" in str(caught.value)
    assert "may be running" in str(caught.value)
    assert node.lines == ["exit 0"]
    assert (await transport.run(["exit", "4"], timeout=10)).exit_code == 4
    assert len(node.endpoint.shells) == 1, "the doubtful shell was to be closed"


async def test_input_whose_reply_is_lost_is_never_repeated(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    node.losing.append("Send")
    with pytest.raises(ConnectionLost):
        await transport.run(["echo"], stdin=b"once", timeout=10)
    assert node.requests["Send"] == 1


@pytest.mark.parametrize("times", [2, 99])
async def test_input_that_a_busy_node_refuses_is_sent_again(
    node: ScriptedNode, transport: WinrmTransport, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Else the program would wait for the rest of its input until the time limit."""
    send, refusals = Wire.send_command_input, iter(range(times))

    def busy(wire: Wire, *arguments: Any, **keywords: Any) -> None:
        if next(refusals, None) is not None:
            raise WSManFaultError(500, "", "", "The resource is in use", wsman_fault_code=170)
        send(wire, *arguments, **keywords)

    monkeypatch.setattr(Wire, "send_command_input", busy)
    call = transport.run(["echo"], stdin=b"all of it", timeout=10)
    if times < 5:
        assert (await call).stdout == b"all of it"
        assert node.requests["Send"] == 1
    else:
        with pytest.raises(ConnectionLost, match="The resource is in use"):
            await call


async def test_a_shell_that_cannot_be_opened_is_no_unknown_outcome(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    node.losing.append("Create")
    with pytest.raises(Unreachable) as caught:
        await transport.run(["exit", "0"], timeout=10)
    assert caught.value.outcome_known
    assert node.lines == []


async def test_a_node_that_is_gone_between_calls_and_comes_back(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    await transport.run(["exit", "0"], timeout=10)
    await node.stop()
    with pytest.raises(Unreachable) as caught:
        await transport.run(["exit", "0"], timeout=10)
    assert "Connection refused" in str(caught.value)
    await node.start()
    assert (await transport.run(["exit", "6"], timeout=10)).exit_code == 6
    assert node.lines == ["exit 0", "exit 6"]


async def test_a_node_that_dies_amid_a_command(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    waiting = asyncio.Event()
    call = asyncio.create_task(transport.run(["wait"], timeout=30, output=lambda *_: waiting.set()))
    async with asyncio.timeout(10):
        await waiting.wait()
        await node.stop()
        with pytest.raises(ConnectionLost) as caught:
            await call
    assert not caught.value.outcome_known


async def test_a_shell_that_expired_is_replaced_and_the_command_runs_once(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    await transport.run(["exit", "0"], timeout=10)
    await node.endpoint.expire_shells()
    assert (await transport.run(["exit", "8"], timeout=10)).exit_code == 8
    assert node.lines == ["exit 0", "exit 8"]


async def test_a_shell_that_expires_amid_a_command_leaves_it_unknown(
    node: ScriptedNode, transport: WinrmTransport
) -> None:
    async def restart(command: RemoteCommand, _: list[str]) -> int:
        node.losing.append("Receive")  # so that the end of it does not arrive
        asyncio.get_running_loop().call_soon(
            lambda: asyncio.ensure_future(node.endpoint.expire_shells())
        )
        await asyncio.Event().wait()
        return 0

    node.programs["restart"] = restart
    with pytest.raises(ConnectionLost) as caught:
        await transport.run(["restart"], timeout=10)
    assert "restarted" in str(caught.value)


async def test_one_shell_serves_all_calls_and_is_closed(
    node: ScriptedNode, way: dict[str, Any]
) -> None:
    transport = make_transport(node.port, **way)
    for _ in range(5):
        await transport.run(["exit", "0"], timeout=10)
    assert node.requests["Create"] == 1
    assert node.requests["Signal"] == 5, "every command is cleaned up"
    await transport.close()
    assert len(node.endpoint.shells) == 0


async def test_calls_at_once_take_few_shells_which_are_closed(
    node: ScriptedNode, way: dict[str, Any]
) -> None:
    transport = make_transport(node.port, **way)
    codes = await asyncio.gather(
        *(transport.run(["exit", str(code)], timeout=20) for code in range(20))
    )
    assert [each.exit_code for each in codes] == list(range(20))
    assert node.requests["Create"] <= 4
    await transport.close()
    assert len(node.endpoint.shells) == 0


async def test_closing_ends_what_runs(node: ScriptedNode, transport: WinrmTransport) -> None:
    waiting = asyncio.Event()
    call = asyncio.create_task(transport.run(["wait"], timeout=30, output=lambda *_: waiting.set()))
    async with asyncio.timeout(10):
        await waiting.wait()
        await transport.close()
        with pytest.raises(ConnectionLost):
            await call
        await node.nobody_waits()
    assert len(node.endpoint.shells) == 0
    with pytest.raises(TransportError, match="closed"):
        await transport.run(["exit", "0"], timeout=1)


async def test_silence_longer_than_an_operation_is_waited_out(
    plain: ScriptedNode, authority: Authority
) -> None:
    asked_again = asyncio.Event()

    async def silent(command: RemoteCommand, _: list[str]) -> int:
        await asked_again.wait()
        command.write_stdout(b"at last")
        return 0

    plain.programs["silent"] = silent
    plain.on_request = lambda operation: operation == "Receive" and asked_again.set()
    patience = replace(IMPATIENT, operation=1, read=2)
    async with opened(plain.port, ca=str(authority.file), patience=patience) as transport:
        completed = await transport.run(["silent"], timeout=10)
    assert completed.stdout == b"at last"


@pytest.mark.parametrize(
    "account", [{"secret": "wrong"}, {"username": r"LAB\other"}], ids=["password", "user"]
)
async def test_nobody_gets_in_with_another_account_than_the_profiles(
    node: ScriptedNode, way: dict[str, Any], account: dict[str, Any]
) -> None:
    """NTLM's library would find the account of this session by itself, if it were given none."""
    async with opened(node.port, **way, **account) as transport:
        with pytest.raises(CredentialsRefused):
            await transport.run(["exit", "0"], timeout=10)
    assert node.lines == []


async def test_refused_credentials_amid_a_run(plain: ScriptedNode, authority: Authority) -> None:
    async with opened(plain.port, ca=str(authority.file)) as transport:
        await transport.run(["exit", "0"], timeout=10)
        plain.endpoint.refuse_credentials = True
        await plain.endpoint.drop_connections()
        with pytest.raises(CredentialsRefused) as caught:
            await transport.run(["exit", "0"], timeout=10)
        assert r"LAB\upgrader" in str(caught.value)
        assert caught.value.outcome_known


async def test_a_quota_of_shells_is_explained(authority: Authority) -> None:
    node = ScriptedNode(*authority.issue("127.0.0.1"), shells_per_user=1)
    await node.start()
    waiting = asyncio.Event()
    async with opened(node.port, ca=str(authority.file)) as transport:
        call = asyncio.create_task(
            transport.run(["wait"], timeout=30, output=lambda *_: waiting.set())
        )
        await waiting.wait()
        with pytest.raises(TransportError, match="MaxShellsPerUser") as caught:
            await transport.run(["exit", "0"], timeout=10)
        assert caught.value.outcome_known
        call.cancel()
        await asyncio.wait([call])
        assert (await transport.run(["exit", "2"], timeout=10)).exit_code == 2
    await node.stop()


async def test_a_certificate_for_another_name(authority: Authority) -> None:
    node = ScriptedNode(*authority.issue("octo1.example.com"))
    await node.start()
    async with opened(node.port, ca=str(authority.file)) as transport:
        with pytest.raises(NotTrusted, match=r"127\.0\.0\.1"):
            await transport.run(["exit", "0"], timeout=10)
    async with opened(node.port, verify=False) as transport:
        assert (await transport.run(["exit", "1"], timeout=10)).exit_code == 1
    await node.stop()


async def test_an_own_authority_is_not_trusted_without_being_named(plain: ScriptedNode) -> None:
    async with opened(plain.port) as transport:
        with pytest.raises(NotTrusted, match=r"is not trusted: .*`ca`"):
            await transport.run(["exit", "0"], timeout=10)
    assert plain.requests == {}


async def test_an_own_authority_is_trusted_in_place_of_all_others(
    plain: ScriptedNode, authority: Authority
) -> None:
    async with opened(plain.port, ca=str(authority.file)) as transport:
        await transport.run(["exit", "0"], timeout=10)
    assert tls_context(authority.file, True).cert_store_stats()["x509_ca"] == 1


async def test_a_certificate_file_that_is_missing(plain: ScriptedNode, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    async with opened(plain.port, ca=str(missing)) as transport:
        with pytest.raises(NotTrusted, match=r"missing\.pem.*No such file"):
            await transport.run(["exit", "0"], timeout=10)


async def test_http_where_https_is_expected(authority: Authority) -> None:
    node = ScriptedNode(None, None)
    await node.start()
    async with opened(node.port, ca=str(authority.file)) as transport:
        with pytest.raises(Unreachable, match="no TLS with"):
            await transport.run(["exit", "0"], timeout=10)
    await node.stop()


async def test_something_else_that_answers_http(unused_tcp_port: int) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>welcome", content_type="text/html")

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", page)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    async with opened(unused_tcp_port, scheme="http") as transport:
        with pytest.raises(TransportError, match="answers as WinRM does not"):
            await transport.run(["exit", "0"], timeout=10)
    await runner.cleanup()


async def test_an_unencrypted_answer_is_not_believed() -> None:
    forged = 0

    @web.middleware
    async def forge(request: web.Request, handler: Any) -> web.StreamResponse:
        nonlocal forged
        if request.content_type != "multipart/encrypted":
            response: web.StreamResponse = await handler(request)
            return response
        forged += 1
        return web.Response(text="<a><b Name='ShellId'>1</b></a>")

    node = ScriptedNode(None, None)
    application = node.endpoint.application()
    application.middlewares.append(forge)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with opened(runner.addresses[0][1], scheme="http") as transport:
        with pytest.raises(TransportError, match="answers as WinRM does not: HTTP 200"):
            await transport.run(["exit", "0"], timeout=10)
    assert forged == 1, "the forged shell was used"
    await runner.cleanup()


async def test_an_unencrypted_fault_does_not_make_us_repeat_a_command() -> None:
    """Whoever is in between cannot encrypt, but could claim that the shell was gone."""
    encrypted = 0

    @web.middleware
    async def forge(request: web.Request, handler: Any) -> web.StreamResponse:
        nonlocal encrypted
        encrypted += request.content_type == "multipart/encrypted"
        response: web.StreamResponse = await handler(request)
        if encrypted == 2:
            fault = fault_answer(no_such_shell("S"), "uuid:1")
            return web.Response(status=500, body=fault, content_type="application/soap+xml")
        return response

    node = ScriptedNode(None, None)
    application = node.endpoint.application()
    application.middlewares.append(forge)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with opened(runner.addresses[0][1], scheme="http") as transport:
        with pytest.raises(ConnectionLost, match="the node answered HTTP 500"):
            await transport.run(["exit", "0"], timeout=10)
    assert node.lines == ["exit 0"], "the command was repeated"
    await runner.cleanup()


async def test_a_host_that_cannot_be_one() -> None:
    async with opened(5986, host="octo 1/") as transport:
        with pytest.raises(Unreachable, match="no name of a host"):
            await transport.run(["exit", "0"], timeout=10)


async def test_an_ipv6_address(authority: Authority) -> None:
    node = ScriptedNode(*authority.issue("::1"))
    try:
        await node.start("::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    async with opened(node.port, host="::1", ca=str(authority.file)) as transport:
        assert (await transport.run(["exit", "9"], timeout=10)).exit_code == 9
    await node.stop()


async def test_the_environments_proxies_and_bundles_are_left_alone(
    plain: ScriptedNode, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.delenv("no_proxy", raising=False)
    async with opened(plain.port, ca=str(authority.file)) as transport:
        assert (await transport.run(["exit", "1"], timeout=10)).exit_code == 1
    assert "no_proxy" not in os.environ


async def test_a_line_that_cmd_would_cut_is_refused_here(
    plain: ScriptedNode, authority: Authority
) -> None:
    async with opened(plain.port, ca=str(authority.file)) as transport:
        with pytest.raises(TransportError, match="8191"):
            await transport.run(["exit", "1" * 8190], timeout=10)
    assert plain.lines == []


def test_pywinrm_is_not_loaded_before_a_node_is_used() -> None:
    code = (
        "import sys, octotui_winrm.plugin as plugin\n"
        "assert plugin.octotui_transports()[0].name == 'winrm'\n"
        "assert not {'winrm', 'requests', 'spnego', 'urllib3'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
