"""Opening the full screen where there is a terminal for it, and plain lines where there is none."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace

import click

from octotui.cli.detached import detached
from octotui.run.directory import RunDirectory
from octotui.run.reading import ReadingJournal
from octotui.view import RunView, fold


def full_screen(*, plain: bool) -> bool:
    """Whether the full screen can be shown here, and nobody asked for lines."""
    from octotui.tui.terminal import why_not

    terminals = sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
    return not plain and not why_not(os.environ, terminals=terminals)


def watch(run: RunDirectory, *, as_json: bool, attended: bool, screen: bool, after: int = 0) -> int:
    """Shows a run until it ends or the viewer leaves; returns the exit code."""
    if screen:
        return show(run)
    from octotui.cli.follow import follow  # the full screen does without

    return follow(run, as_json=as_json, attended=attended, after=after)


def show(run: RunDirectory | None, *, replayed: bool = False) -> int:
    """The full screen: of a run, or of profiles and runs. Returns the exit code.

    What a person has to know stands in the terminal afterwards: the screen itself leaves nothing
    behind there.
    """
    from octotui.tui import memory
    from octotui.tui.terminal import settle_environment

    memory.hurry()
    settle_environment(os.environ)  # before Textual is imported
    from octotui.tui.app import Cockpit
    from octotui.tui.keymap import read_settings, settings_file
    from octotui.tui.remembered import layout_file, read_layout, write_layout

    layout = read_layout(layout_file())
    app = Cockpit(
        run, replayed=replayed, settings=read_settings(settings_file()), layout=replace(layout)
    )
    left = app.run(mouse=bool(app.mouse))
    if app.layout != layout:
        write_layout(layout_file(), app.layout)
    if left is None or left.how == "lost":
        return app.return_code or 1
    if left.run is None:
        return 0
    view = view_of(left.run)
    if left.how == "stream":
        from octotui.cli.follow import follow

        return follow(
            left.run, as_json=False, attended=True, after=0 if view.outcome else left.seen
        )
    with contextlib.suppress(OSError):  # the terminal may be gone by now
        for line in _closing(left.run, view):
            click.echo(line)
    return view.exit_code if view.outcome and view.exit_code is not None else 130


def view_of(run: RunDirectory) -> RunView:
    """The run as its journal tells it now. Raises OctotuiError."""
    return fold(ReadingJournal(run.journal, run.run_id).events())


def _closing(run: RunDirectory, view: RunView) -> list[str]:
    if not view.outcome:
        return detached(run, view)
    report = [f"Report: {run.report}"] if run.report.is_file() else []
    return [*view.lines, *report]
