"""One connection to a node: made once, ended when asked to, never made again behind our back."""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import requests
from winrm.exceptions import AuthenticationError, WinRMError, WinRMTransportError

from octotui_winrm.patience import Patience
from octotui_winrm.wire import BadAnswer, Endpoint, Wire, WireOver

PATIENCE = Patience(connect=5, operation=10, read=20)
ERROR = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
#: Lets us in, though it is not what was asked for.
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n<a/>"


class Server:
    """Plain TCP on loopback; ``talk`` has each connection in a thread of its own."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk = talk
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self.asked = threading.Event()
        #: What was asked, whole.
        self.requests: list[bytes] = []
        #: Set when a client has hung up.
        self.left = threading.Event()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while request := _request(connection):
                self.requests.append(request)
                self.asked.set()
                self._talk(connection)
        self.left.set()

    def close(self) -> None:
        for each in (self._listener, *self._connections):
            each.close()


def _request(connection: socket.socket) -> bytes:
    """A whole request, or nothing where the client has left or speaks another language."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        if not data.startswith(b"POST"):
            return data
        if end and len(body) >= int(head.lower().partition(b"content-length:")[2].split()[0]):
            return data
    return b""


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(talk: Callable[[socket.socket], None]) -> Server:
        servers.append(Server(talk))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def nothing(connection: socket.socket) -> None: ...


def wire_to(
    port: int, scheme: str = "https", patience: Patience = PATIENCE, auth: str = "basic"
) -> Wire:
    """Basic over http is what a profile may not say; here it needs no handshake."""
    endpoint = Endpoint("127.0.0.1", port, scheme, auth, "octo", None, False)  # type: ignore[arg-type]
    wire = Wire(endpoint, "hunter2", patience)
    wire.transport.setup_encryption = lambda session: None  # type: ignore[method-assign]
    return wire


def test_a_request_that_waits_is_ended_from_another_thread(serve: Callable[..., Server]) -> None:
    server = serve(nothing)
    wire = wire_to(server.port, "http")
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            wire.open_shell()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert server.asked.wait(5)
    wire.abort()
    thread.join(5)
    assert not thread.is_alive(), "it would have waited for the time limit"
    assert isinstance(ended[0], requests.ConnectionError)
    assert wire.connection.made


def test_aborting_before_there_is_a_connection_does_nothing() -> None:
    wire = wire_to(9)
    wire.abort()
    assert not wire.connection.made


def test_hanging_up_is_seen_by_the_node(serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.sendall(ERROR))
    wire = wire_to(server.port, "http")
    with pytest.raises(WinRMTransportError):
        wire.open_shell()
    assert not server.left.is_set()
    wire.close()
    assert server.left.wait(5)
    assert server.accepted == 1


def test_requests_go_over_one_connection_and_none_over_a_second(
    serve: Callable[..., Server],
) -> None:
    answers = [OK, LAST]
    server = serve(lambda connection: connection.sendall(answers.pop(0)))
    wire = wire_to(server.port, "http")
    for _ in range(2):
        with pytest.raises(StopIteration):
            wire.open_shell()
    for _ in range(2):
        with pytest.raises(WireOver):
            wire.open_shell()
    assert server.accepted == 1


def test_what_does_not_speak_tls_is_tried_once(serve: Callable[..., Server]) -> None:
    """Every attempt may count as a failed logon."""
    server = serve(lambda connection: connection.sendall(ERROR))
    with pytest.raises(requests.exceptions.SSLError):
        wire_to(server.port).open_shell()
    assert server.accepted == 1


def test_the_network_is_given_the_limits_that_we_are_patient_for(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float | None] = []
    settimeout = socket.socket.settimeout

    def noting(self: socket.socket, value: float | None) -> None:
        given.append(value)
        settimeout(self, value)

    monkeypatch.setattr(socket.socket, "settimeout", noting)
    server = serve(lambda connection: connection.sendall(ERROR))
    with pytest.raises(WinRMTransportError):
        wire_to(server.port, "http").open_shell()
    assert {PATIENCE.connect, PATIENCE.read} <= set(given)
    assert not [limit for limit in given if limit not in (PATIENCE.connect, PATIENCE.read)]


def headers(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().splitlines()[1:]
    return {
        name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
    }


def test_a_request_looks_as_windows_wants_it(serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.sendall(ERROR))
    with pytest.raises(WinRMTransportError):
        wire_to(server.port, "http").open_shell()
    (request,) = server.requests
    assert request.startswith(b"POST /wsman HTTP/1.1\r\n")
    sent = headers(request)
    assert sent["content-type"] == "application/soap+xml;charset=UTF-8"
    assert base64.b64decode(sent["authorization"].removeprefix("Basic ")) == b"octo:hunter2"


@pytest.mark.parametrize("offered", ["Basic realm=WSMAN", "Negotiate", "NTLM"])
def test_a_password_is_never_sent_in_clear_because_a_node_asks_for_it(
    serve: Callable[..., Server], offered: str
) -> None:
    """By NTLM it is only proved that we know it, whoever answers."""
    refusal = f"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {offered}\r\n"
    server = serve(
        lambda connection: connection.sendall(f"{refusal}Content-Length: 0\r\n\r\n".encode())
    )
    with pytest.raises((AuthenticationError, WinRMError, WinRMTransportError)):
        wire_to(server.port, "http", auth="ntlm").open_shell()
    assert server.requests
    for request in server.requests:
        assert b"hunter2" not in request
        assert not headers(request).get("authorization", "").startswith("Basic")


@pytest.mark.parametrize("body", [b"<html>welcome", b"", b"\xff\xfe\x00"])
def test_an_answer_that_is_no_xml_is_no_answer(serve: Callable[..., Server], body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server = serve(lambda connection: connection.sendall(head + body))
    with pytest.raises(BadAnswer, match=r"^ParseError: ."):
        wire_to(server.port, "http").open_shell()
