"""Under whose identity jobs run on a node (``[jobs] run_as``).

A WinRM logon cannot make the second hop to a SQL Server with integrated security, and dies with its
shell; a job therefore runs in a scheduled task under one of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class RunAsSystem:
    """The node's own SYSTEM account; on the network it is the computer."""

    def parameters(self) -> dict[str, str]:
        """The ``run_as`` of an agent's call."""
        return {"kind": "system"}


@dataclass(frozen=True, slots=True)
class RunAsAccount:
    """An account with a password, an administrator on the node."""

    username: str
    password: SecretStr

    def parameters(self) -> dict[str, str]:
        """The ``run_as`` of an agent's call. Holds the password."""
        return {
            "kind": "account",
            "username": self.username,
            "password": self.password.get_secret_value(),
        }


@dataclass(frozen=True, slots=True)
class RunAsManaged:
    r"""A group-managed service account, ``DOMAIN\name$``, whose password only Windows knows."""

    username: str

    def parameters(self) -> dict[str, str]:
        """The ``run_as`` of an agent's call."""
        return {"kind": "gmsa", "username": self.username}


RunAs: TypeAlias = RunAsSystem | RunAsAccount | RunAsManaged
