"""A node with the lab's WinRM endpoint and scripted programs, and a proxy that can cut the line."""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from octotui.api import NodeAddress, SecretReference
from octotui_lab.remote import RemoteCommand
from octotui_lab.wsman import WsmanEndpoint
from octotui_winrm.patience import PATIENCE, Patience
from octotui_winrm.settings import WinrmSettings
from octotui_winrm.transport import WinrmTransport

#: A farewell that has to be waited for is longer than any test may take.
IMPATIENT = replace(PATIENCE, connect=3, reconnect=(0, 0, 0), farewell=60)

USER = r"LAB\upgrader"
PASSWORD = "Correct-Horse-42"
USERS = {USER: PASSWORD}


def split_windows(line: str) -> list[str]:
    """A command line as CommandLineToArgvW and the C runtime take it apart."""
    words: list[str] = []
    word: list[str] = []
    quoted = started = False
    position = 0
    while position < len(line):
        character = line[position]
        if character == "\\":
            end = position
            while end < len(line) and line[end] == "\\":
                end += 1
            count = end - position
            if line[end : end + 1] == '"':
                word += "\\" * (count // 2)
                if count % 2:
                    word.append('"')
                    end += 1
            else:
                word += "\\" * count
            started = True
            position = end
            continue
        if character == '"':
            quoted = not quoted
            started = True
        elif character in " \t" and not quoted:
            if started:
                words.append("".join(word))
            word, started = [], False
        else:
            word.append(character)
            started = True
        position += 1
    if started:
        words.append("".join(word))
    return words


class KnownSecrets:
    """Resolves any reference to the account's password, or to another."""

    def __init__(self, password: str = PASSWORD) -> None:
        self._password = password

    def resolve(self, reference: SecretReference) -> SecretStr:
        return SecretStr(self._password)


def make_transport(
    port: int,
    *,
    host: str = "127.0.0.1",
    secret: str = PASSWORD,
    patience: Patience = IMPATIENT,
    **settings: Any,
) -> WinrmTransport:
    """A transport to a node OCTO1; settings as in a profile."""
    known = {"username": USER, "password": "env:UNUSED", "port": port}
    return WinrmTransport(
        NodeAddress("OCTO1", host),
        WinrmSettings.model_validate(known | settings),
        KnownSecrets(secret),
        patience,
    )


@asynccontextmanager
async def opened(port: int, **options: Any) -> AsyncIterator[WinrmTransport]:
    """``make_transport``, closed at the end."""
    transport = make_transport(port, **options)
    try:
        yield transport
    finally:
        await transport.close()


class Authority:
    """A certificate authority of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate("Test Authority", self._key, None, None)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str) -> tuple[ssl.SSLContext, bytes]:
        """A server's TLS with a certificate for these names, and the certificate's DER form."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate("node", key, (self._certificate, self._key), names)
        file = self._folder / f"node-{certificate.serial_number}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context, certificate.public_bytes(serialization.Encoding.DER)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None,
    names: tuple[str, ...] | None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names is not None:
        general = [_general_name(each) for each in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class ScriptedNode:
    """Runs the programs of the transport suite, and what a test adds to ``programs``."""

    def __init__(
        self, tls: ssl.SSLContext | None, certificate: bytes | None, **quotas: int
    ) -> None:
        self._tls = tls
        self.endpoint = WsmanEndpoint(self.handle, USERS, certificate=certificate, **quotas)
        self.endpoint.lose_reply = self._lose
        self.port = 0
        self.lines: list[str] = []
        self.requests: Counter[str] = Counter()
        self.programs: dict[str, Callable[[RemoteCommand, list[str]], object]] = {}
        #: Names of operations whose next reply gets lost.
        self.losing: list[str] = []
        #: Called with the operation's name after each operation.
        self.on_request: Callable[[str], None] = lambda operation: None
        self._waiting = 0
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1") -> None:
        """Listens, on the port that it had before if there was one."""
        self._runner = web.AppRunner(self.endpoint.application(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Dies: the port first, or clients would come back to a half-dead node."""
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            await self.endpoint.drop_connections()
            await self._runner.cleanup()
            self._runner = None

    async def handle(self, command: RemoteCommand) -> int:
        self.lines.append(command.command_line)
        program, *arguments = split_windows(command.command_line)
        if program in self.programs:
            return await self.programs[program](command, arguments)  # type: ignore[misc]
        match program:
            case "exit":
                return int(arguments[0])
            case "streams":
                command.write_stdout(b"out\r\n")
                command.write_stderr(b"err\r\n")
            case "echo":
                command.write_stdout(await command.read_stdin())
            case "lines":
                for number in range(int(arguments[0])):
                    command.write_stdout(f"{number}\r\n".encode())
                    if number % 1000 == 0:
                        await asyncio.sleep(0)
            case "arguments":
                command.write_stdout("".join(f"{each}\r\n" for each in arguments).encode())
            case "wait":
                await self._wait(command)
            case "powershell.exe":
                return await run_script(command, arguments)
            case _:
                command.write_stderr(f"'{program}' is not recognized\r\n".encode())
                return 1
        return 0

    async def nobody_waits(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting == 0)

    async def _wait(self, command: RemoteCommand) -> None:
        self._waiting += 1
        command.write_stdout(b"waiting\r\n")
        try:
            await asyncio.Event().wait()
        finally:
            self._waiting -= 1
            async with self._changed:
                self._changed.notify_all()

    def _lose(self, operation: str) -> bool:
        self.requests[operation] += 1
        self.on_request(operation)
        if operation in self.losing:
            self.losing.remove(operation)
            return True
        return False


async def run_script(command: RemoteCommand, arguments: list[str]) -> int:
    """What the transport's two scripts do, in Python."""
    script = base64.b64decode(arguments[-1]).decode("utf-16-le")
    lines = (await command.read_stdin()).decode("ascii").splitlines()
    path = Path(base64.b64decode(lines[0]).decode())
    match script.splitlines()[0]:
        case "# octotui-winrm receive":
            try:
                path.write_bytes(b"".join(base64.b64decode(line) for line in lines[1:]))
            except OSError as error:
                command.write_stdout(f"{error.strerror}\r\n".encode())
                return 1
        case "# octotui-winrm send":
            if not path.exists():
                return 2
            command.write_stdout(base64.encodebytes(path.read_bytes()))
        case first:
            command.write_stderr(f"unknown script {first}\r\n".encode())
            return 1
    return 0


@dataclass
class Proxy:
    """Passes TCP on to a port, until the line is cut."""

    target: int
    port: int = 0

    def __post_init__(self) -> None:
        #: Connections that were made so far; ``changed`` is set with each.
        self.accepted = 0
        self.changed = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Breaks every connection."""
        for writer in self._writers:
            writer.transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        self.accepted += 1
        self.changed.set()
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        finally:
            self._writers -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
