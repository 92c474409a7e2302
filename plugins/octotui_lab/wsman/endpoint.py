"""The HTTP side of a node's WinRM: one path, one POST for each operation."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from weakref import WeakKeyDictionary

from aiohttp import web

from octotui_lab.wsman import soap
from octotui_lab.wsman.authentication import ENCRYPTED, Authenticator, BadMessage, Identity
from octotui_lab.wsman.shells import Handler, Shells
from octotui_lab.wsman.soap import SHELL, TRANSFER, Fault, Request

#: Windows' default since Server 2012 (MaxShellsPerUser).
SHELLS_PER_USER = 30

#: Room that an answer needs besides its output, in bytes.
_ENVELOPE_OVERHEAD = 4096


class WsmanEndpoint:
    """One node's WinRM service.

    ``handler`` gets every command. ``users`` are account names with their passwords; for NTLM they
    must also have been given to ``write_ntlm_users``. ``certificate`` is the DER form of the
    certificate (signed with SHA-256) that the application is served with, or None where it is
    served without TLS: then Basic is not offered and messages must be encrypted.
    """

    def __init__(
        self,
        handler: Handler,
        users: Mapping[str, str],
        *,
        certificate: bytes | None = None,
        shells_per_user: int = SHELLS_PER_USER,
    ) -> None:
        #: Fault switch: nobody is let in.
        self.refuse_credentials = False
        #: Fault switch: asked with an operation's name ("Command", "Receive", ...) after it was
        #: carried out; True breaks the connection in place of an answer.
        self.lose_reply: Callable[[str], bool] = lambda operation: False
        self.shells = Shells(handler, shells_per_user)
        self._secure = certificate is not None
        digest = hashlib.sha256(certificate).digest() if certificate is not None else None
        self._authenticator = Authenticator(users, digest)
        self._identities: WeakKeyDictionary[asyncio.Transport, Identity] = WeakKeyDictionary()

    def application(self) -> web.Application:
        """To be served under the node's address, by whoever knows addresses and certificates."""
        application = web.Application(client_max_size=2 * soap.DEFAULT_ENVELOPE_SIZE)
        application.router.add_post("/wsman", self._post)
        # Before the server waits for its handlers, or one that waits for output would hold it up.
        application.on_shutdown.append(self._shut_down)
        return application

    async def drop_connections(self) -> None:
        """Fault switch: breaks every connection there is now. Shells and commands live on."""
        sockets = [identity.socket for identity in self._identities.values()]
        for transport in list(self._identities):
            transport.abort()
        # The event loop closes them in its next turns.
        while any(each.fileno() != -1 for each in sockets):  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def expire_shells(self) -> None:
        """Fault switch: ends every shell with its commands, as a restart of WinRM does."""
        await self.shells.close_all()

    async def _shut_down(self, _: web.Application) -> None:
        await self.shells.close_all()

    async def _post(self, http: web.Request) -> web.StreamResponse:
        body = await http.read()
        if http.transport is None:
            return web.Response()
        identity = self._identities.get(http.transport)
        if identity is None:
            identity = Identity(http.transport.get_extra_info("socket"))
            self._identities[http.transport] = identity
        reply = None
        if authorization := http.headers.get("Authorization"):
            reply = self._authenticator.step(identity, authorization)
        if identity.user is None or self.refuse_credentials:
            return self._challenge(reply)
        proof = {}
        if reply:
            proof["WWW-Authenticate"] = f"Negotiate {base64.b64encode(reply).decode()}"
        if not body:
            return web.Response(headers=proof)
        encrypted = http.content_type == "multipart/encrypted"
        try:
            if encrypted:
                body = identity.decrypt(body)
            elif not self._secure:
                raise BadMessage("unencrypted traffic is not allowed")
        except BadMessage as error:
            return web.Response(status=400, text=str(error))
        status, document = await self._answer(http, body, identity.user)
        if http.transport is None or http.transport.is_closing():
            return web.Response()
        content_type = "application/soap+xml;charset=UTF-8"
        if encrypted:
            content_type, document = ENCRYPTED, identity.encrypt(document)
        return web.Response(
            status=status, body=document, headers={"Content-Type": content_type, **proof}
        )

    def _challenge(self, token: bytes | None) -> web.Response:
        response = web.Response(status=401)
        if token and not self.refuse_credentials:
            response.headers["WWW-Authenticate"] = f"Negotiate {base64.b64encode(token).decode()}"
            return response
        for scheme in self._authenticator.schemes:
            response.headers.add("WWW-Authenticate", scheme)
        return response

    async def _answer(self, http: web.Request, body: bytes, user: str) -> tuple[int, bytes]:
        message_id = ""
        operation = ""
        try:
            request = soap.parse(body)
            message_id = request.message_id
            operation = request.action.rpartition("/")[2]
            status, document = 200, soap.answer(request, await self._perform(http, request, user))
        except Fault as fault:
            status, document = 500, soap.fault_answer(fault, message_id)
        if self.lose_reply(operation) and http.transport is not None:
            http.transport.abort()
        return status, document

    async def _perform(self, http: web.Request, request: Request, user: str) -> str:
        """Carries out an operation; the answer's body."""
        if request.resource != soap.COMMAND_SHELL:
            raise soap.not_supported(f"{request.action} of {request.resource}")
        match request.action:
            case action if action == f"{TRANSFER}/Create":
                return self._create(request, user)
            case action if action == f"{TRANSFER}/Delete":
                await self.shells.close(request.shell_id, user)
                return ""
            case action if action == f"{SHELL}/Command":
                return self._command(request, user)
            case action if action == f"{SHELL}/Send":
                return self._send(request, user)
            case action if action == f"{SHELL}/Receive":
                return await self._receive(http, request, user)
            case action if action == f"{SHELL}/Signal":
                signal = request.find("rsp:Signal")
                command_id = signal.get("CommandId", "") if signal is not None else ""
                await self.shells.end(request.shell_id, user, command_id)
                return "<rsp:SignalResponse/>"
            case action:
                raise soap.not_supported(action)

    def _create(self, request: Request, user: str) -> str:
        wanted = request.find("rsp:Shell")
        shell_id = self.shells.open(user, wanted.get("ShellId", "") if wanted is not None else "")
        return (
            "<x:ResourceCreated><a:Address>/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{soap.COMMAND_SHELL}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>'
            "</a:ReferenceParameters></x:ResourceCreated>"
            f"<rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{soap.COMMAND_SHELL}</rsp:ResourceUri>"
            "<rsp:InputStreams>stdin</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )

    def _command(self, request: Request, user: str) -> str:
        line = request.find("rsp:CommandLine")
        words = request.texts("rsp:CommandLine/rsp:Command")
        words += request.texts("rsp:CommandLine/rsp:Arguments")
        wanted = line.get("CommandId", "") if line is not None else ""
        command_id = self.shells.start(request.shell_id, user, " ".join(words), wanted)
        started = f"<rsp:CommandId>{command_id}</rsp:CommandId>"
        return f"<rsp:CommandResponse>{started}</rsp:CommandResponse>"

    def _send(self, request: Request, user: str) -> str:
        stream = request.find("rsp:Send/rsp:Stream")
        if stream is None:
            raise soap.no_such_command("")
        command = self.shells.command(request.shell_id, user, stream.get("CommandId", ""))
        end = stream.get("End", "").lower() == "true"
        command.feed(base64.b64decode(stream.text or ""), end=end)
        return "<rsp:SendResponse/>"

    async def _receive(self, http: web.Request, request: Request, user: str) -> str:
        wanted = request.find("rsp:Receive/rsp:DesiredStream")
        command_id = wanted.get("CommandId", "") if wanted is not None else ""
        command = self.shells.command(request.shell_id, user, command_id)
        try:
            await asyncio.wait_for(command.news.wait(), request.operation_timeout)
        except TimeoutError:
            raise soap.timed_out() from None
        if http.transport is None or http.transport.is_closing():
            # Whoever asked is gone, and must not take the output of the one who will ask next.
            raise soap.timed_out()
        room = min(request.envelope_size, soap.DEFAULT_ENVELOPE_SIZE) - _ENVELOPE_OVERHEAD
        parts = [
            f'<rsp:Stream Name="{stream}" CommandId="{command_id}">'
            f"{base64.b64encode(data).decode()}</rsp:Stream>"
            for stream, data in command.take(room * 3 // 4)
        ]
        state = "Running"
        code = ""
        if command.drained:
            state = "Done"
            code = f"<rsp:ExitCode>{command.exit_code}</rsp:ExitCode>"
            parts += [
                f'<rsp:Stream Name="{stream}" CommandId="{command_id}" End="true"/>'
                for stream in ("stdout", "stderr")
            ]
        return (
            f"<rsp:ReceiveResponse>{''.join(parts)}"
            f'<rsp:CommandState CommandId="{command_id}" State="{SHELL}/CommandState/{state}">'
            f"{code}</rsp:CommandState></rsp:ReceiveResponse>"
        )
