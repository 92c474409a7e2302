"""Which database an instance is on, and so which cluster it belongs to (``domain.md`` 10.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

_PROTOCOLS = ("tcp:", "np:", "lpc:", "admin:")
_THIS_MACHINE = (".", "(local)", "localhost", "127.0.0.1")
_DEFAULT_PORT = ",1433"


@dataclass(frozen=True, slots=True)
class Database:
    """A database by the name of its server, spelled one way, and its own name."""

    server: str
    name: str

    @classmethod
    def of(cls, server: str, name: str, computer: str) -> Self:
        """From a connection string's words, as the machine ``computer`` means them."""
        server = server.strip().casefold()
        for protocol in _PROTOCOLS:
            server = server.removeprefix(protocol)
        server = server.removesuffix(_DEFAULT_PORT).strip()
        host, rest = _split(server)
        if host in _THIS_MACHINE:
            host = computer.casefold()
        return cls(host + rest, name.strip().casefold())

    def __str__(self) -> str:
        return f"{self.name} on {self.server}"

    def surely_is(self, other: Database) -> bool:
        """The same database, where a server may be named with or without its domain."""
        (host, rest), (other_host, other_rest) = _split(self.server), _split(other.server)
        same = host == other_host or _short(host) == other_host or host == _short(other_host)
        return self.name == other.name and rest == other_rest and same


def _split(server: str) -> tuple[str, str]:
    """A server's machine, and what follows it: SQL instance, port."""
    end = min((at for at in map(server.find, "\\,") if at >= 0), default=len(server))
    return server[:end], server[end:]


def _short(host: str) -> str:
    """A machine's name without its domain; an address stays whole."""
    is_address = host.replace(".", "").isdigit()
    return host if is_address else host.partition(".")[0]
