"""A log fetched from a node as a whole, such as an installer's."""

from __future__ import annotations

import asyncio

from textual.app import ComposeResult
from textual.content import Content

from octotui.tui.commands import bindings_of
from octotui.tui.kept_logs import KeptLog, kept_logs, read_kept
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
                head.say(Content(f" {self._node}: {self._where()}"))
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

    def _where(self) -> str:
        """Where the log is as long as it was not fetched."""
        for step in self.store.view.steps.values():
            if step.node == self._node and step.log:
                return (
                    f"the installer's log is on the node, {step.log}; it is fetched when the "
                    "upgrade ends"
                )
        return "no installer has written a log here yet"
