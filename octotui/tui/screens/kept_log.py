"""A log fetched from a node as a whole, such as an installer's."""

from __future__ import annotations

import asyncio

from textual.app import ComposeResult
from textual.content import Content

from octotui.tui.commands import bindings_of
from octotui.tui.kept_logs import KeptLog, kept_logs, read_kept
from octotui.tui.log_tail import LogLine, Severity
from octotui.tui.screens.base import KeyLine, Line
from octotui.tui.screens.with_log import WithLog
from octotui.tui.widgets.log_view import LogView


class KeptLogScreen(WithLog):
    """The newest log of a node; the others of this run are a key away."""

    PLACE = "kept-log"
    BINDINGS = bindings_of("kept-log")
    AUTO_FOCUS = "LogView"

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node
        self._logs: list[KeptLog] = []
        self._at = -1

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="kept-log-head")
        yield LogView(classes="pane", bare=True)
        yield KeyLine()

    def on_mount(self) -> None:
        self.run_worker(self._open(-1), exclusive=True)

    def action_other_log(self, by: int) -> None:
        self.run_worker(self._open((self._at + by) % len(self._logs)), exclusive=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "other_log" and len(self._logs) < 2:
            return False
        return super().check_action(action, parameters)

    async def _open(self, at: int) -> None:
        head = self.query_one("#kept-log-head", Line)
        try:
            self._logs = await asyncio.to_thread(kept_logs, self.store.run, self._node)
            if not self._logs:
                self._show_none(head)
                return
            self._at = at % len(self._logs)
            shown = self._logs[self._at]
            lines = await asyncio.to_thread(read_kept, shown.path)
        except OSError as error:
            head.say(Content(f" The log cannot be read: {error.strerror or error}"))
            return
        count = len(self._logs)
        more = f"  {self._at + 1} of {count}, [ and ] lead to the others" if count > 1 else ""
        head.say(Content.assemble((f" {self._node} ", "bold"), f"{shown.title}{more}"))
        log = self.query_one(LogView)
        log.border_title = Content(str(shown.path))  # brackets in a path are no markup
        log.clear()
        log.extend(lines)
        log.show_cause()

    def _show_none(self, head: Line) -> None:
        """Says where the log is as long as it was not fetched, in lines that can be copied."""
        steps = self.store.view.steps.values()
        where = next((step.log for step in steps if step.node == self._node and step.log), "")
        state = "not fetched yet" if where else "no log"
        head.say(Content.assemble((f" {self._node} ", "bold"), state))
        # The path is the last line, which is the one that is copied without looking for it.
        texts = [
            f"What the installer wrote is still on {self._node}, in the file below.",
            "It is fetched after a failure, and when the upgrade ends.",
            where,
        ] if where else [f"No installer has written a log on {self._node} yet."]  # fmt: skip
        log = self.query_one(LogView)
        log.wrap(True)
        log.extend([LogLine("", "", Severity.INFO, text) for text in texts])
