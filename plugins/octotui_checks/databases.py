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
        host, backslash, sql_instance = server.partition("\\")
        if host in _THIS_MACHINE:
            host = computer.casefold()
        return cls(host + backslash + sql_instance, name.strip().casefold())

    def __str__(self) -> str:
        return f"{self.name} on {self.server}"

    def surely_is(self, other: Database) -> bool:
        """The same database, where a server may be named with or without its domain."""
        return self.name == other.name and (
            self.server == other.server or _short(self.server) == _short(other.server)
        )


def _short(server: str) -> tuple[str, str]:
    """A server's name without its domain, and what follows the name: SQL instance, port."""
    host, backslash, rest = server.partition("\\")
    host, comma, port = host.partition(",")
    is_address = host.replace(".", "").isdigit()
    return (host if is_address else host.partition(".")[0]), backslash + rest + comma + port
