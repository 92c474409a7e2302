"""A port of the lab that opens and closes with what stands behind it."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import struct
from collections.abc import Callable

from aiohttp import web

_log = logging.getLogger(__name__)

#: Closing with this answers with a reset, as a machine does that wants no connection.
_RESET = struct.pack("ii", 1, 0)


class Door:
    """One aiohttp application at one address and port, for as long as the lab is up.

    While closed, connections are refused as by a machine on which nothing listens; open ones are
    broken off. ``admits`` is asked for every connection before a byte of it is read; False resets.
    """

    def __init__(
        self,
        application: web.Application,
        address: str,
        tls: ssl.SSLContext | None,
        admits: Callable[[], bool] = lambda: True,
    ) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        self._tls = tls
        self._admits = admits
        # Bound and never listening: while the door is closed nobody else gets the port.
        self._place = _bound(address, 0)
        self.address = address
        self.port: int = self._place.getsockname()[1]
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._greetings: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Scheme, address and port."""
        return f"{'https' if self._tls else 'http'}://{self.address}:{self.port}"

    async def start(self) -> None:
        """Gets the application ready and opens."""
        await self._runner.setup()
        self.open()

    @property
    def is_open(self) -> bool:
        return self._listener is not None

    def open(self) -> None:
        """Lets connections in, if it does not already."""
        if self._listener is None:
            self._listener = _bound(self.address, self.port)
            self._listener.listen(128)
            self._listener.setblocking(False)
            self._accepting = asyncio.create_task(self._accept(self._listener))

    async def close(self) -> None:
        """Refuses connections and breaks off those that there are."""
        listener, accepting = self._listener, self._accepting
        self._listener = self._accepting = None
        if listener is None or accepting is None:
            return
        # The loop has to forget the socket before its number may be given to another.
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        listener.close()
        for greeting in tuple(self._greetings):
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)
        server = self._runner.server
        for connection in list(server.connections) if server is not None else ():
            if isinstance(connection.transport, asyncio.WriteTransport):
                connection.transport.abort()

    async def stop(self) -> None:
        """Closes for good."""
        await self.close()
        await self._runner.cleanup()
        self._place.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                _log.warning("cannot accept a connection: %s", error.strerror)
                await asyncio.sleep(0.1)  # out of descriptors, for example: it may pass
                continue
            if not self._admits():
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                connection.close()
                continue
            greeting = asyncio.create_task(self._greet(connection))
            self._greetings.add(greeting)
            greeting.add_done_callback(self._greetings.discard)

    async def _greet(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        assert self._runner.server is not None
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await loop.connect_accepted_socket(self._runner.server, connection, ssl=self._tls)
        except OSError as error:  # ssl.SSLError is one: the client spoke no TLS or trusts us not
            # The loop closes the socket itself; its number may be another's by now.
            _log.debug("no TLS with a client of port %d: %s", self.port, error)


def own_address(number: int) -> str:
    """A loopback address for the K-th node alone, where this machine has such (Linux).

    Else the one that every machine has, which the nodes then share by their ports.
    """
    address = str(ipaddress.IPv4Address("127.0.1.0") + number)
    try:
        _bound(address, 0).close()
    except OSError:
        return "127.0.0.1"
    return address


def _bound(address: str, port: int) -> socket.socket:
    sock = socket.socket()
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock
