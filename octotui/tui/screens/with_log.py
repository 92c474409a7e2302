"""Screens with a log: finding, filtering, copying and saving lines."""

from __future__ import annotations

import asyncio
from pathlib import Path

from octotui.run.directory import state_folder
from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.screens.base import CockpitScreen
from octotui.tui.widgets.log_paint import log_text
from octotui.tui.widgets.log_view import LogView

#: From everything to errors alone, and back.
_NEXT = {
    Severity.DEBUG: Severity.WARN,
    Severity.INFO: Severity.WARN,
    Severity.WARN: Severity.ERROR,
    Severity.ERROR: Severity.DEBUG,
}


class WithLog(CockpitScreen):
    """The log is focused by what is done with it, so that its own keys go on from there."""

    _seen_lines = 0

    @property
    def log_view(self) -> LogView:
        return self.query_one(LogView)

    def take_lines(self, node: str = "") -> None:
        """Puts what came since the last time into the log, of all nodes or of one.

        A replay that went back takes lines out of it again.
        """
        store, log = self.store, self.log_view
        if gone := store.lines_gone(self._seen_lines):
            self._seen_lines -= len(gone)
            if not log.take_back(len(_of(node, gone))):
                self._seen_lines = 0  # what is older had been dropped from the log
        lines = store.lines_after(self._seen_lines)
        # So many came that the store keeps them no more, or never did.
        if store.line_count - self._seen_lines > len(lines) or store.lines_left_out:
            log.buffer.tally.missed = True
        self._seen_lines = store.line_count
        log.extend(_of(node, lines))

    def on_mount(self) -> None:
        for log in self.query(LogView):  # none where the application ends meanwhile
            log.wrap(self.app.layout.wrapped)

    def show_log(self) -> None:
        """Called before something is done with the log, where that may be out of sight."""

    def action_find(self) -> None:
        """In the log, from the newest line back; n and N go on."""
        from octotui.tui.screens.ask import Ask

        def found(text: str | None) -> None:
            if text is None:
                return
            self.log_view.focus()
            try:
                self.log_view.search(text)
            except ValueError as error:
                self.app.notify(str(error), severity="warning")

        self.show_log()
        self.app.push_screen(Ask("Find in the log:"), found)

    def action_filter(self) -> None:
        """Shows lines with a text only; an empty text shows all again."""
        from octotui.tui.screens.ask import Ask

        def chosen(text: str | None) -> None:
            if text is None:
                return
            self.log_view.focus()
            try:
                self.log_view.show_only(text=text)
            except ValueError as error:
                self.app.notify(str(error), severity="warning")

        self.show_log()
        before = self.log_view.buffer.filter.text
        self.app.push_screen(Ask("Show lines with:", before), chosen)

    def action_severity(self) -> None:
        self.show_log()
        self.log_view.show_only(severity=_NEXT[self.log_view.buffer.filter.severity])

    def on_log_view_wrapped(self, message: LogView.Wrapped) -> None:
        self.app.layout.wrapped = message.wrapped

    def on_log_view_copied(self, message: LogView.Copied) -> None:
        self.app.copy(message.text)

    def on_log_view_save_wanted(self) -> None:
        self.run_worker(self._save(self.log_view.shown()), group="save")

    async def _save(self, lines: list[LogLine]) -> None:
        path = state_folder() / f"{self.store.run.run_id}-log.txt"
        try:
            await asyncio.to_thread(_write, path, lines)
        except OSError as error:
            self.app.notify(f"{path}: {error.strerror}", title="Not saved", severity="error")
        else:
            self.app.notify(f"{len(lines)} lines are in {path}.")


def _write(path: Path, lines: list[LogLine]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(log_text(line) + "\n" for line in lines)


def _of(node: str, lines: list[LogLine]) -> list[LogLine]:
    return [line for line in lines if line.node == node] if node else lines
