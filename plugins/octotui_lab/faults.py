"""The faults that a lab can be given: one table, from which parsing, help and errors come.

A fault is written ``SCOPE:NAME[=VALUE][,times=N]``, for example ``node2:msi-exit=1618,times=2``.
``nodeK`` is the K-th node.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

ValueKind = Literal["", "CODE", "FACTOR", "SECONDS"]


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault. ``value``: what must follow ``=`` ("" for nothing). ``counted``: whether
    ``times=N`` may limit it to its first N occasions.
    """

    scope: str
    name: str
    value: ValueKind
    counted: bool
    does: str

    @property
    def usage(self) -> str:
        """How it is written."""
        scope = "nodeK" if self.scope == "node" else self.scope
        value = f"={self.value}" if self.value else ""
        return f"{scope}:{self.name}{value}" + ("[,times=N]" if self.counted else "")


KINDS: tuple[FaultKind, ...] = (
    FaultKind("node", "unreachable", "", True, "Refuses every connection for remote management."),
    FaultKind("node", "wrong-credentials", "", True, "Refuses the account that logs on."),
    FaultKind("node", "disk-full", "", False, "Has 64 MiB left on its only drive."),
    FaultKind("node", "pending-reboot", "", False, "Says that Windows waits for a restart."),
    FaultKind(
        "node", "installer-busy", "", True, "Another installation holds Windows Installer (1618)."
    ),
    FaultKind(
        "node", "other-version", "", False, "Has the next newer version installed than the others."
    ),
    FaultKind(
        "node", "no-database-rights", "", False, "Its accounts are not db_owner of the database."
    ),
    FaultKind(
        "node",
        "msi-exit",
        "CODE",
        True,
        "msiexec ends with CODE; 3010 and 1641 install, all others leave everything as it was.",
    ),
    FaultKind(
        "node",
        "msi-incomplete",
        "",
        True,
        "msiexec ends with 0 but leaves files of the package out.",
    ),
    FaultKind(
        "node",
        "service-stop-lies",
        "",
        True,
        "service --stop ends with 0 after 45 s while the service still runs.",
    ),
    FaultKind(
        "node",
        "service-will-not-start",
        "",
        True,
        "The server's process exits soon after its start.",
    ),
    FaultKind(
        "node",
        "watchdog-restarts",
        "",
        False,
        "The watchdog task starts a stopped service at once, not only every five minutes.",
    ),
    FaultKind(
        "node",
        "start-type-stays",
        "",
        True,
        "A new start type of the service is reported as set but does not take effect.",
    ),
    FaultKind(
        "node",
        "watchdog-stays",
        "",
        True,
        "The watchdog task is reported as enabled or disabled but stays as it was.",
    ),
    FaultKind("node", "slow", "FACTOR", False, "Everything on it takes FACTOR times as long."),
    FaultKind(
        "database",
        "upgrade-fails",
        "",
        True,
        "A script of the database upgrade fails; the transaction is rolled back.",
    ),
    FaultKind(
        "database", "upgrade-slow", "FACTOR", False, "The upgrade takes FACTOR times as long."
    ),
    FaultKind("database", "backup-fails", "", True, "BACKUP DATABASE ends with an error."),
    FaultKind("database", "down", "", False, "SQL Server does not answer."),
    FaultKind(
        "cluster", "unknown-node", "", False, "One more node, of no known host, sends heartbeats."
    ),
    FaultKind("cluster", "slow-drain", "", False, "Running tasks take ten times as long to end."),
    FaultKind(
        "cluster",
        "task-waits-for-person",
        "",
        False,
        "The oldest running task waits for a manual intervention and never ends by itself.",
    ),
    FaultKind(
        "cluster", "api-503", "SECONDS", False, "Every API answers 503 for SECONDS from now on."
    ),
    FaultKind("license", "not-compliant", "", False, "The licence does not allow this cluster."),
    FaultKind(
        "api-key", "not-administrator", "", False, "The API key's user lacks AdministerSystem."
    ),
    FaultKind("download", "tampered", "", True, "The site's MSI is not the one that was signed."),
    FaultKind("download", "truncated", "", True, "Downloads end before the file does."),
    FaultKind("download", "html-page", "", True, "A proxy's page comes in place of the MSI."),
    FaultKind("download", "resets", "", True, "The connection breaks in the middle of the MSI."),
)

#: The exit codes of Windows Installer that ``msi-exit`` knows (``domain.md`` 8.1).
MSI_EXIT_CODES = (1602, 1603, 1605, 1618, 1619, 1620, 1625, 1638, 1641, 3010)

_SHAPE = re.compile(r"(?P<scope>[^:=,]+):(?P<name>[^:=,]+)(?:=(?P<value>[^,]*))?(?P<options>,.*)?")
_NODE = re.compile(r"node([1-9][0-9]*)")


@dataclass(slots=True)
class Fault:
    """A fault in effect. ``left``: how many occasions remain, None for all of them."""

    scope: str
    kind: FaultKind
    value: str
    left: int | None
    since: float


class FaultSet:
    """The faults that a lab has now."""

    def __init__(self, node_count: int) -> None:
        self._node_count = node_count
        self._faults: list[Fault] = []

    def add(self, text: str, at: float = 0.0) -> Fault:
        """Parses and adds a fault. Raises ValueError, with a sentence for whoever wrote it."""
        fault = parse_fault(text, self._node_count, at)
        self._faults.append(fault)
        return fault

    def remove(self, scope: str, name: str) -> bool:
        """Takes a fault away; False if there was none."""
        before = len(self._faults)
        self._faults = [f for f in self._faults if (f.scope, f.kind.name) != (scope, name)]
        return len(self._faults) < before

    def clear(self) -> None:
        """Takes every fault away."""
        self._faults = []

    def find(self, scope: str, name: str) -> Fault | None:
        """The first fault of that name in effect."""
        for fault in self._faults:
            if fault.scope == scope and fault.kind.name == name and fault.left != 0:
                return fault
        return None

    def value(self, scope: str, name: str) -> str | None:
        """The fault's value ("" where it takes none), None where it is not in effect."""
        fault = self.find(scope, name)
        return None if fault is None else fault.value

    def has(self, scope: str, name: str) -> bool:
        return self.find(scope, name) is not None

    def take(self, scope: str, name: str) -> str | None:
        """As ``value``, and counts as one of the occasions that ``times=N`` allows."""
        fault = self.find(scope, name)
        if fault is None:
            return None
        if fault.left is not None:
            fault.left -= 1
        return fault.value

    def factor(self, scope: str, name: str) -> float:
        """A FACTOR's value; 1 where the fault is not in effect."""
        value = self.value(scope, name)
        return 1.0 if value is None else float(value)


def parse_fault(text: str, node_count: int, at: float = 0.0) -> Fault:
    """Reads a fault's text. Raises ValueError."""
    shape = _SHAPE.fullmatch(text.strip())
    if shape is None:
        raise ValueError(
            f"{text!r} is no fault: write SCOPE:NAME, for example node2:msi-exit=1603 "
            "('octotui lab faults' lists them)"
        )
    scope, name, value = shape["scope"], shape["name"], shape["value"]
    kind = _kind(text, _general_scope(text, scope, node_count), name)
    left = _times(text, kind, shape["options"] or "")
    return Fault(scope, kind, _value(text, kind, value), left, at)


def fault_help(kinds: Iterable[FaultKind] = KINDS) -> str:
    """A line for each fault: how it is written and what it does."""
    kinds = tuple(kinds)
    width = max(len(kind.usage) for kind in kinds)
    return "\n".join(f"{kind.usage:<{width}}  {kind.does}" for kind in kinds)


def _general_scope(text: str, scope: str, node_count: int) -> str:
    if numbered := _NODE.fullmatch(scope):
        if int(numbered[1]) > node_count:
            nodes = "1 node" if node_count == 1 else f"{node_count} nodes"
            raise ValueError(f"{text!r}: there is no {scope}, this lab has {nodes}")
        return "node"
    scopes = sorted({kind.scope for kind in KINDS} - {"node"} | {"node1"})
    if scope not in scopes or scope == "node1":
        raise ValueError(f"{text!r}: unknown scope {scope!r}{_did_you_mean(scope, scopes)}")
    return scope


def _kind(text: str, scope: str, name: str) -> FaultKind:
    for kind in KINDS:
        if (kind.scope, kind.name) == (scope, name):
            return kind
    names = [kind.name for kind in KINDS if kind.scope == scope]
    elsewhere = [kind.usage for kind in KINDS if kind.name == name]
    hint = f"; did you mean {elsewhere[0]}?" if elsewhere else _did_you_mean(name, names)
    raise ValueError(f"{text!r}: unknown fault {name!r}{hint}")


def _value(text: str, kind: FaultKind, value: str | None) -> str:
    if not kind.value:
        if value is not None:
            raise ValueError(f"{text!r}: {kind.name} takes no value")
        return ""
    if not value:
        raise ValueError(f"{text!r}: {kind.name} needs a value, write {kind.usage}")
    if kind.value == "CODE":
        codes = [str(code) for code in MSI_EXIT_CODES]
        if value not in codes:
            raise ValueError(f"{text!r}: CODE must be one of {', '.join(codes)}")
        return value
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not 0 < number < 1e9:
        raise ValueError(f"{text!r}: {kind.value} must be a number greater than 0")
    return value


def _times(text: str, kind: FaultKind, options: str) -> int | None:
    if not options:
        return None
    times = re.fullmatch(r",times=([1-9][0-9]*)", options)
    if times is None:
        raise ValueError(
            f"{text!r}: {options[1:]!r} is unknown, only times=N (N from 1) may follow"
        )
    if not kind.counted:
        raise ValueError(f"{text!r}: {kind.name} cannot be limited by times=N")
    return int(times[1])


def _did_you_mean(word: str, words: Iterable[str]) -> str:
    words = list(words)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are {', '.join(words)}"
