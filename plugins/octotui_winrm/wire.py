"""pywinrm's Protocol over exactly one TCP connection.

requests would reconnect behind our back. That kills message encryption, whose keys belong to the
connection, and hides whether a command was sent. So a wire lives as long as its connection: a
second one is refused before anything is sent (``WireOver``), and the caller makes a new wire.

Nothing here reads the environment: no proxy, no CA bundle, no .netrc.
"""

from __future__ import annotations

import socket
import ssl
import xml.etree.ElementTree as ET
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import requests
import truststore
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from requests_ntlm import HttpNtlmAuth
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from winrm.exceptions import InvalidCredentialsError, WinRMError, WinRMTransportError
from winrm.protocol import Protocol
from winrm.transport import Transport

from octotui_winrm.patience import Patience


class WireOver(Exception):
    """The wire's connection has ended; what was to be sent now was not sent."""


class BadAnswer(Exception):
    """Something answers that does not speak as WinRM does."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to connect, all but the password."""

    host: str
    port: int
    scheme: Literal["https", "http"]
    auth: Literal["ntlm", "basic"]
    username: str
    ca: Path | None
    verify: bool

    @property
    def address(self) -> str:
        """Host and port as they stand in an URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}/wsman"


class Wire(Protocol):
    """One connection to a node's WinRM; to be used by one thread at a time, but for ``abort``."""

    def __init__(self, endpoint: Endpoint, password: str, patience: Patience) -> None:
        super().__init__(
            endpoint=endpoint.url,
            transport=endpoint.auth,
            username=endpoint.username,
            password=password,
            server_cert_validation="validate" if endpoint.verify else "ignore",
            operation_timeout_sec=patience.operation,
            read_timeout_sec=patience.read,
            proxy=None,
        )
        self.connection = _OneConnection()
        self.transport = _Transport(
            self.connection,
            endpoint,
            password,
            (patience.connect, patience.read),
        )

    def close(self) -> None:
        """Closes the connection; what lives on the node lives on."""
        self.transport.close_session()

    def abort(self) -> None:
        """From another thread: breaks the connection, so that a waiting request ends now."""
        self.connection.abort()


class _OneConnection:
    """Counts connections to one, and holds the socket of it."""

    def __init__(self) -> None:
        #: True since a connection was made: from then on something may have been sent.
        self.made = False
        #: True since the node has let us in.
        self.admitted = False
        self._socket: socket.socket | None = None

    def before(self) -> None:
        if self.admitted:
            raise WireOver

    def after(self, connected: socket.socket | None) -> None:
        self.made = True
        self._socket = connected

    def abort(self) -> None:
        if self._socket is not None:
            # The plain socket's method: TLS would wait for the thread that reads.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _HttpConnection(HTTPConnection):
    one: _OneConnection

    def connect(self) -> None:
        self.one.before()
        super().connect()
        self.one.after(self.sock)


class _HttpsConnection(HTTPSConnection):
    one: _OneConnection

    def connect(self) -> None:
        self.one.before()
        super().connect()
        self.one.after(self.sock)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection
    one: _OneConnection

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.one = self.one
        return connection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
    one: _OneConnection

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        connection.one = self.one
        return connection


class _Pools(PoolManager):
    def __init__(self, one: _OneConnection, **settings: Any) -> None:
        super().__init__(1, **settings)
        self._one = one
        self.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def _new_pool(self, *arguments: Any, **keywords: Any) -> Any:
        pool: Any = super()._new_pool(*arguments, **keywords)
        pool.one = self._one
        return pool


class _Adapter(HTTPAdapter):
    def __init__(self, one: _OneConnection, tls: ssl.SSLContext | None) -> None:
        self._one = one
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        settings: dict[str, Any] = {"maxsize": 1, "block": False}
        if self._tls is not None:
            settings["ssl_context"] = self._tls
        self.poolmanager = _Pools(self._one, **settings)

    def cert_verify(self, *_: Any, **__: Any) -> None:
        """Whom to trust is settled in our context; requests would add its own bundle to it."""


class _Transport(Transport):
    """pywinrm's transport, with a session made here."""

    def __init__(
        self,
        connection: _OneConnection,
        endpoint: Endpoint,
        password: str,
        timeouts: tuple[float, float],
    ) -> None:
        super().__init__(
            endpoint=endpoint.url,
            username=endpoint.username,
            password=password,
            auth_method=endpoint.auth,
            server_cert_validation="validate" if endpoint.verify else "ignore",
            proxy=None,
        )
        self._connection = connection
        self._described = endpoint
        self._password = password
        #: requests takes a pair: for connecting, and for waiting for an answer.
        self.read_timeout_sec = timeouts  # type: ignore[assignment]

    def build_session(self) -> requests.Session:
        if self.session is not None:
            return self.session
        secure = self._described.scheme == "https"
        session = requests.Session()
        session.trust_env = False
        session.verify = self._described.verify
        session.headers.update(self.default_headers)
        tls = tls_context(self._described.ca, self._described.verify) if secure else None
        session.mount(f"{self._described.scheme}://", _Adapter(self._connection, tls))
        if self.auth_method == "basic":
            session.auth = HTTPBasicAuth(self._described.username, self._password)
        else:
            session.auth = HttpNtlmAuth(self._described.username, self._password)
        self.session = session
        if not secure:
            self.setup_encryption(session)
        return session

    def send_message(self, message: str | bytes) -> bytes:
        try:
            answer: bytes = super().send_message(message)
            ET.fromstring(answer)  # noqa: S314 - pywinrm reads it, and fails less clearly
        except (WireOver, WinRMError, WinRMTransportError, OSError):
            raise
        except Exception as error:
            raise BadAnswer(f"{type(error).__name__}: {error}") from error
        return answer

    def _send_message_request(
        self, session: requests.Session, prepared_request: requests.PreparedRequest
    ) -> requests.Response:
        try:
            response: requests.Response = super()._send_message_request(session, prepared_request)
        except (KeyError, PermissionError) as error:
            # So requests-ntlm puts it when a node breaks NTLM off.
            raise InvalidCredentialsError("the node does not go on with NTLM") from error
        self._connection.admitted = True
        return response

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        """The answer in clear; where we encrypt, one that is not encrypted is nobody's answer."""
        if self.encryption and "multipart/encrypted" not in response.headers.get(
            "Content-Type", ""
        ):
            if response.ok:
                raise WinRMTransportError("http", response.status_code, "")
            return b""
        text: bytes = super()._get_message_response_text(response)
        return text


@lru_cache
def tls_context(ca: Path | None, verify: bool) -> ssl.SSLContext:
    """One context for all nodes of a kind: each would load all certificates again (1 MB)."""
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca is None:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=str(ca))
