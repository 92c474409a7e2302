"""The lab's WinRM server against clients that are not ours: pywinrm's Session and pypsrp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import winrm
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import WSMan
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError

from octotui_lab.wsman import write_ntlm_users
from tests.lab.winrm_node import PASSWORD, USER, USERS, Authority, ScriptedNode


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _ntlm_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NTLM_USER_FILE", "")  # put back afterwards
    write_ntlm_users(tmp_path / "ntlm-users", USERS)


@pytest.fixture
async def secure(authority: Authority) -> AsyncIterator[ScriptedNode]:
    node = ScriptedNode(*authority.issue("127.0.0.1"))
    await node.start()
    yield node
    await node.stop()


@pytest.fixture
async def clear() -> AsyncIterator[ScriptedNode]:
    node = ScriptedNode(None, None)
    await node.start()
    yield node
    await node.stop()


def pypsrp_client(node: ScriptedNode, authority: Authority, **options: Any) -> WSMan:
    known = {"username": USER, "password": PASSWORD, "cert_validation": str(authority.file)}
    return WSMan("127.0.0.1", port=node.port, **(known | options))


def run_by_pypsrp(client: WSMan) -> tuple[int, bytes, bytes]:
    with client, WinRS(client) as shell:
        process = Process(shell, "streams", ["and", "more"])
        process.invoke()
        process.signal(SignalCode.CTRL_C)
        return process.rc, process.stdout, process.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "basic"},
        {"auth": "ntlm"},
        {"auth": "negotiate"},
        {"auth": "negotiate", "encryption": "always"},
    ],
    ids=str,
)
async def test_pypsrp_over_tls(
    secure: ScriptedNode, authority: Authority, options: dict[str, Any]
) -> None:
    client = pypsrp_client(secure, authority, **options)
    assert await asyncio.to_thread(run_by_pypsrp, client) == (0, b"out\r\n", b"err\r\n")
    assert secure.lines == ["streams and more"]
    assert len(secure.endpoint.shells) == 0


@pytest.mark.parametrize("auth", ["ntlm", "negotiate"])
async def test_pypsrp_encrypted_over_http(
    clear: ScriptedNode, authority: Authority, auth: str
) -> None:
    client = pypsrp_client(clear, authority, auth=auth, ssl=False)
    assert await asyncio.to_thread(run_by_pypsrp, client) == (0, b"out\r\n", b"err\r\n")


@pytest.mark.parametrize("auth", ["basic", "ntlm", "negotiate"])
async def test_pypsrp_with_a_wrong_password(
    secure: ScriptedNode, authority: Authority, auth: str
) -> None:
    client = pypsrp_client(secure, authority, auth=auth, password="wrong")
    with pytest.raises(AuthenticationError):
        await asyncio.to_thread(run_by_pypsrp, client)
    assert secure.lines == []


async def test_clear_text_is_refused_over_http(clear: ScriptedNode, authority: Authority) -> None:
    client = pypsrp_client(clear, authority, auth="ntlm", ssl=False, encryption="never")
    with pytest.raises(Exception, match="400"):
        await asyncio.to_thread(run_by_pypsrp, client)
    basic = pypsrp_client(clear, authority, auth="basic", ssl=False, encryption="never")
    with pytest.raises(AuthenticationError):
        await asyncio.to_thread(run_by_pypsrp, basic)


async def test_channel_binding_is_checked(
    secure: ScriptedNode, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, other = authority.issue("127.0.0.1")
    elsewhere = ScriptedNode(secure._tls, other)  # TLS shows another certificate than it binds to
    await elsewhere.start()
    client = pypsrp_client(elsewhere, authority, auth="ntlm")
    with pytest.raises(AuthenticationError):
        await asyncio.to_thread(run_by_pypsrp, client)
    await elsewhere.stop()


async def test_pypsrp_sends_input_and_chooses_ids(
    secure: ScriptedNode, authority: Authority
) -> None:
    def talk() -> bytes:
        with pypsrp_client(secure, authority, auth="basic") as client, WinRS(client) as shell:
            process = Process(shell, "echo", id="11111111-2222-3333-4444-555555555555")
            process.begin_invoke()
            process.send(b"one ", end=False)
            process.send(b"two", end=True)
            process.end_invoke()
            process.signal(SignalCode.CTRL_C)
            return bytes(process.stdout)

    assert await asyncio.to_thread(talk) == b"one two"


async def test_a_shell_belongs_to_its_user_and_ends(
    secure: ScriptedNode, authority: Authority
) -> None:
    def talk() -> None:
        with pypsrp_client(secure, authority, auth="basic") as client:
            shell = WinRS(client)
            shell.open()
            process = Process(shell, "wait")
            process.begin_invoke()
            process.poll_invoke()
            shell.close()
            shell.opened = True
            with pytest.raises(WSManFaultError) as caught:
                process.poll_invoke()
            assert caught.value.code == 2150858843

    await asyncio.to_thread(talk)
    await secure.nobody_waits()


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
async def test_pywinrm_session(secure: ScriptedNode, authority: Authority, transport: str) -> None:
    session = winrm.Session(
        f"https://127.0.0.1:{secure.port}/wsman",
        (USER, PASSWORD),
        transport=transport,
        ca_trust_path=str(authority.file),
    )
    response = await asyncio.to_thread(session.run_cmd, "streams")
    assert (response.status_code, response.std_out) == (0, b"out\r\n")


async def test_pywinrm_session_with_a_wrong_password(
    secure: ScriptedNode, authority: Authority
) -> None:
    session = winrm.Session(
        f"https://127.0.0.1:{secure.port}/wsman",
        (USER, "wrong"),
        transport="ntlm",
        ca_trust_path=str(authority.file),
    )
    with pytest.raises(InvalidCredentialsError):
        await asyncio.to_thread(session.run_cmd, "streams")


async def test_output_streams_times_out_and_is_terminated(
    secure: ScriptedNode, authority: Authority
) -> None:
    def talk() -> None:
        protocol = winrm.Protocol(
            f"https://127.0.0.1:{secure.port}/wsman",
            transport="basic",
            username=USER,
            password=PASSWORD,
            ca_trust_path=str(authority.file),
            operation_timeout_sec=1,
            read_timeout_sec=5,
        )
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "wait")
        assert protocol.get_command_output_raw(shell, command) == (b"waiting\r\n", b"", -1, False)
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)
        protocol.cleanup_command(shell, command)
        protocol.close_shell(shell)

    await asyncio.to_thread(talk)
    await secure.nobody_waits()


async def test_a_line_too_long_for_cmd(secure: ScriptedNode, authority: Authority) -> None:
    session = winrm.Session(
        f"https://127.0.0.1:{secure.port}/wsman",
        (USER, PASSWORD),
        transport="basic",
        ca_trust_path=str(authority.file),
    )
    response = await asyncio.to_thread(session.run_cmd, "exit", ["1" * 8190])
    assert response.status_code == 1
    assert response.std_err == b"The command line is too long.\r\n"
    assert secure.lines == []
