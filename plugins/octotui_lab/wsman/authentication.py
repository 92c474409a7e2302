"""Who a client is: Basic and NTLM, and NTLM's encryption of messages (MS-WSMV 2.2.9.1)."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
import struct
from asyncio.trsock import TransportSocket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
_BOUNDARY = b"--Encrypted Boundary"
ENCRYPTED = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'


def write_ntlm_users(file: Path, users: Mapping[str, str]) -> None:
    r"""Makes accounts (``user`` or ``DOMAIN\user`` to password) known to this process' NTLM.

    pyspnego reads them from the file that the environment variable NTLM_USER_FILE names, one for
    the whole process: the file has to hold the users of every endpoint in it. Its format allows no
    colon in a password (ValueError).
    """
    lines = []
    for name, password in users.items():
        if ":" in password:
            raise ValueError(f"the password of {name} must not hold a colon")
        domain, _, user = name.rpartition("\\")
        lines.append(f"{domain}:{user}:{password}\n")
    file.touch(mode=0o600)
    file.write_text("".join(lines), encoding="utf-8")
    os.environ["NTLM_USER_FILE"] = str(file)


class BadMessage(Exception):
    """A message that cannot be deciphered: not encrypted, or with another connection's key."""


@dataclass(slots=True)
class Identity:
    """What is known of one TCP connection: NTLM identifies connections, not requests."""

    socket: TransportSocket
    user: str | None = None
    context: Any = None

    def decrypt(self, body: bytes) -> bytes:
        """The message in an encrypted body. Raises BadMessage."""
        try:
            _, head, payload = body.split(_BOUNDARY + b"\r\n", 2)
            length = re.search(rb"Length=(\d+)", head)
            sealed = payload.split(b"octet-stream\r\n", 1)[1]
            (header_size,) = struct.unpack("<i", sealed[:4])
            start = 4 + header_size
            size = int(length[1]) if length else -1
            message = self.context.unwrap_winrm(sealed[4:start], sealed[start : start + size])
        except (AttributeError, IndexError, ValueError, struct.error, SpnegoError) as error:
            raise BadMessage("the message cannot be deciphered") from error
        return bytes(message)

    def encrypt(self, message: bytes) -> bytes:
        """The encrypted body of an answer."""
        sealed = self.context.wrap_winrm(message)
        length = len(message) + sealed.padding_length
        head = (
            f"\r\n\tContent-Type: {_PROTOCOL}\r\n"
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
        ).encode()
        return b"".join(
            (
                _BOUNDARY,
                head,
                _BOUNDARY,
                b"\r\n\tContent-Type: application/octet-stream\r\n",
                struct.pack("<i", len(sealed.header)),
                sealed.header,
                sealed.data,
                _BOUNDARY,
                b"--\r\n",
            )
        )


class Authenticator:
    """Checks Authorization headers against the node's accounts.

    ``certificate_hash`` is the digest of the endpoint's certificate for channel binding (RFC 5929
    tls-server-end-point), or None without TLS.
    """

    def __init__(self, users: Mapping[str, str], certificate_hash: bytes | None) -> None:
        self._users = {name.casefold(): password for name, password in users.items()}
        self._bindings = None
        if certificate_hash is not None:
            self._bindings = GssChannelBindings(
                application_data=b"tls-server-end-point:" + certificate_hash
            )
        #: Basic would send the password in clear over HTTP: Windows refuses that by default.
        self.schemes = ["Negotiate"] + (['Basic realm="WSMAN"'] if self._bindings else [])

    def step(self, identity: Identity, authorization: str) -> bytes | None:
        """Takes one header; ``identity.user`` is set when that proved who it is.

        Returns the token to answer with, if there is one.
        """
        scheme, _, value = authorization.partition(" ")
        try:
            token = base64.b64decode(value, validate=True)
        except binascii.Error:
            return None
        match scheme.lower():
            case "basic" if self._bindings:
                identity.user = self._basic(token)
                return None
            case "negotiate" | "ntlm":
                return self._negotiate(identity, token)
            case _:
                return None

    def _basic(self, token: bytes) -> str | None:
        user, _, password = token.decode(errors="replace").partition(":")
        expected = self._users.get(user.casefold())
        known = expected is not None and hmac.compare_digest(password.encode(), expected.encode())
        return user if known else None

    def _negotiate(self, identity: Identity, token: bytes) -> bytes | None:
        if identity.context is None or identity.context.complete:
            # A client may put a bare NTLM token where SPNEGO is advertised; Windows takes both.
            bare = token.startswith(b"NTLMSSP\0")
            identity.user = None
            identity.context = spnego.server(
                protocol="ntlm" if bare else "negotiate",
                options=spnego.NegotiateOptions.use_ntlm
                if bare
                else spnego.NegotiateOptions.use_negotiate,
                channel_bindings=self._bindings,
            )
        try:
            reply: bytes | None = identity.context.step(token)
        except SpnegoError:
            identity.context = None
            return None
        if identity.context.complete:
            user = identity.context.client_principal
            if user and user.casefold() in self._users:
                identity.user = user
        return reply
