"""The transport suite for WinRM, in each way that it authenticates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from octotui.testing.transport import TransportSuite
from octotui_lab.wsman import write_ntlm_users
from octotui_winrm.transport import WinrmTransport
from tests.lab.winrm_node import PASSWORD, USERS, Authority, ScriptedNode, make_transport


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _ntlm_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NTLM_USER_FILE", "")  # put back afterwards
    write_ntlm_users(tmp_path / "ntlm-users", USERS)


class WinrmSuite(TransportSuite):
    scheme = "https"
    auth = "ntlm"

    @pytest.fixture
    async def node(self, authority: Authority) -> AsyncIterator[ScriptedNode]:
        tls, certificate = authority.issue("127.0.0.1") if self.scheme == "https" else (None, None)
        node = ScriptedNode(tls, certificate)
        await node.start()
        yield node
        await node.stop()

    @pytest.fixture
    def make(self, node: ScriptedNode, authority: Authority) -> Callable[..., WinrmTransport]:
        def make(**changes: Any) -> WinrmTransport:
            ca = str(authority.file) if self.scheme == "https" else None
            settings = {"auth": self.auth, "scheme": self.scheme, "ca": ca, "port": node.port}
            return make_transport(**(settings | changes))

        return make

    @pytest.fixture
    async def transport(self, make: Callable[..., WinrmTransport]) -> AsyncIterator[WinrmTransport]:
        transport = make()
        yield transport
        await transport.close()

    @pytest.fixture
    def program(self) -> Callable[..., Sequence[str]]:
        return lambda *words: list(words)

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return f"{tmp_path}/"

    @pytest.fixture
    def unreachable(
        self, make: Callable[..., WinrmTransport], unused_tcp_port: int
    ) -> WinrmTransport:
        return make(port=unused_tcp_port)

    @pytest.fixture
    def wrong_credentials(self, make: Callable[..., WinrmTransport], secret: str) -> WinrmTransport:
        return make(secret="not-" + secret)

    @pytest.fixture
    def untrusted(self, make: Callable[..., WinrmTransport], tmp_path: Path) -> WinrmTransport:
        return make(ca=str(Authority(tmp_path).file))

    @pytest.fixture
    def secret(self) -> str:
        return PASSWORD

    @pytest.fixture
    def drop(self, node: ScriptedNode) -> Callable[[], Awaitable[None]]:
        return node.endpoint.drop_connections

    @pytest.fixture
    def ended(self, node: ScriptedNode) -> Callable[[], Awaitable[None]]:
        return node.nobody_waits


class TestBasicOverTls(WinrmSuite):
    auth = "basic"


class TestNtlmOverTls(WinrmSuite):
    pass


class TestNtlmOverHttp(WinrmSuite):
    scheme = "http"
    trust_can_fail = False
