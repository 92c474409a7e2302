"""A program that runs on a node: its output so far and, at the end, its exit code."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from octotui_lab.model.state import Cluster, Node
from octotui_lab.schedule import Course, Following

#: What a program does: the lab seconds until its next moment, at last its exit code.
Run: TypeAlias = Generator[float, None, int]

#: The exit code of a program that was ended by somebody else.
KILLED = -1


@dataclass(eq=False)
class Program:
    """A process. ``lines`` grows while it runs; ``exit_code`` is None until it has ended.

    ``log`` is what it writes into a log file of its own (``/l*v``), complete at its end.
    """

    id: int
    name: str
    arguments: tuple[str, ...]
    user: str
    started: float
    lines: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    exit_code: int | None = None
    following: Following | None = None

    @property
    def command_line(self) -> str:
        return " ".join((f"{self.name}.exe", *self.arguments))


def run(
    cluster: Cluster,
    node: Node,
    name: str,
    arguments: Sequence[str],
    user: str,
    work: Callable[[Program], Run],
) -> Program:
    """Starts a program; it has ended once its exit code is there."""
    program = Program(node.new_process_id(), name, tuple(arguments), user, cluster.now)
    node.programs[program.id] = program
    program.following = cluster.schedule.follow(_until_end(node, program, work(program)))
    return program


def kill(program: Program) -> None:
    """Ends it at once, as Stop-Process does."""
    if program.following is not None:
        program.following.stop()


def log_line(cluster: Cluster, program_id: int, level: str, message: str) -> str:
    """A line in the format of Octopus Server's log (``domain.md`` 6.2)."""
    when = datetime.fromtimestamp(cluster.now, tz=UTC)
    stamp = f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 100:04d}"
    return f"{stamp}   {program_id:>5}      1  {level:<5}  {message}"


def _until_end(node: Node, program: Program, work: Run) -> Course:
    exit_code = KILLED
    try:
        exit_code = yield from work
    finally:
        program.exit_code = exit_code
        del node.programs[program.id]
