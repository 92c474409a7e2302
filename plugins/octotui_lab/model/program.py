"""A program that runs on a node: its output so far and, at the end, its exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from octotui_lab.model.state import Cluster, Node
from octotui_lab.schedule import Course, Following


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
    course: Callable[[Program], Course],
) -> Program:
    """Starts a program whose course sets ``exit_code``; it ends when the course does."""
    program = Program(node.new_process_id(), name, tuple(arguments), user, cluster.now)
    node.programs[program.id] = program
    program.following = cluster.schedule.follow(_until_end(node, program, course(program)))
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


def _until_end(node: Node, program: Program, course: Course) -> Course:
    try:
        yield from course
    finally:
        if program.exit_code is None:
            program.exit_code = -1
        del node.programs[program.id]
