"""Following a run: reads its journal until it ends, shows it, passes a person's commands on."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from dataclasses import asdict
from typing import Protocol

import click

from octotui.api.errors import OctotuiError
from octotui.api.events import Event
from octotui.cli.detached import detached
from octotui.cli.lines import PlainLines
from octotui.run.commanding import give_command
from octotui.run.control import COMMANDS
from octotui.run.directory import RunDirectory
from octotui.run.process import is_alive, last_words
from octotui.run.reading import ReadingJournal
from octotui.view import RunView, take

#: The journal is read this often, seconds; reading nothing new costs less than a millisecond.
PAUSE = 0.1


class Viewer(Protocol):
    def event(self, event: Event) -> None: ...

    def tick(self, now: float) -> None: ...

    def closing(self) -> None: ...


class JsonLines:
    """One event a line, as it stands in the journal."""

    def event(self, event: Event) -> None:
        line = asdict(event)
        if event.kind == "run.refused":
            line["run"] = event.data["holder"]  # the run that a script should look at instead
        click.echo(json.dumps(line, ensure_ascii=True))

    def tick(self, now: float) -> None:
        """Silence is no event."""

    def closing(self) -> None:
        """``run.ended`` was the last line."""


def follow(run: RunDirectory, *, as_json: bool, attended: bool, after: int = 0) -> int:
    """Shows a run from event ``after`` on to its end and returns the exit code.

    ``attended``: lines typed here become control commands. Ctrl-C ends the viewer, not the run.
    """
    view = RunView()
    viewer: Viewer = JsonLines() if as_json else PlainLines(view, click.echo)
    journal = ReadingJournal(run.journal, run.run_id)
    typed = _Typed() if attended else None
    try:
        return _Following(run, journal, view, viewer, typed).to_the_end(after)
    except KeyboardInterrupt:
        click.echo("\n" + "\n".join(detached(run, view)), err=True)
        return 130


class _Following:
    def __init__(
        self,
        run: RunDirectory,
        journal: ReadingJournal,
        view: RunView,
        viewer: Viewer,
        typed: _Typed | None,
    ) -> None:
        self._run = run
        self._journal = journal
        self._view = view
        self._viewer = viewer
        self._typed = typed
        self._asked = ""
        self._answers: list[int] = []

    def to_the_end(self, after: int) -> int:
        for event in self._journal.events():
            if event.seq == after + 1:
                self._view.outcome = ""  # what came before was an end only until it was resumed
            take(self._view, event)
            if event.seq > after:
                self._viewer.event(event)
        if self._view.seq == after:
            self._view.outcome = ""
        while not self._view.outcome:
            news = self._read()
            if not news and not self._view.outcome and not is_alive(self._run):
                if self._read():  # it may have ended between the two looks
                    continue
                return self._died()
            self._ask()
            self._pass_on()
            self._viewer.tick(time.time())
            time.sleep(PAUSE)
        self._viewer.closing()
        return self._view.exit_code if self._view.exit_code is not None else 1

    def _read(self) -> bool:
        before = self._view.seq
        for event in self._journal.events(before):
            take(self._view, event)
            self._viewer.event(event)
        return self._view.seq > before

    def _died(self) -> int:
        said = last_words(self._run)
        click.echo(
            f"octotui: the run's process is gone while the run was {self._view.state}. "
            f"Its journal tells what was done: octotui resume {self._run.run_id}"
            + (f"\nIts last words:\n{said}" if said else ""),
            err=True,
        )
        return 4

    def _ask(self) -> None:
        """Says once, at each stop, what can be typed here."""
        state = self._view.state
        if self._typed is None or state == self._asked:
            return
        self._asked = state
        choices = {
            "ready": "Type approve to begin, or abort",
            "held": "Type release to go on, rollback or abort",
            "needs_person": "Waiting for you, with no time limit. Type retry, rollback, abort or "
            "leave-out NODE",
        }.get(state)
        if choices:
            click.echo(f"{choices}. Ctrl-C leaves the run as it is: it waits.")

    def _pass_on(self) -> None:
        """What was typed goes to the run as a command; its answer comes as an event."""
        line = self._typed.line() if self._typed else None
        if line:
            name, _, argument = line.partition(" ")
            try:
                give_command(self._run, name, argument.strip())
            except OctotuiError as error:
                click.echo(str(error))
            else:
                self._asked = ""


class _Typed:
    """Lines from the keyboard, without holding anybody up."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip())

    def line(self) -> str | None:
        try:
            return self._lines.get_nowait()
        except queue.Empty:
            return None


def commands_help() -> str:
    """Every control command with what it does, for help texts."""
    rows = []
    for command in COMMANDS:
        argument = f"[{command.argument}]" if command.optional else command.argument
        rows.append(f"  {command.name + ' ' + argument:<20} {command.does}")
    return "\n".join(rows)
