"""One node: what is known of it, its steps, its log."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll

from octotui.tui.commands import bindings_of
from octotui.tui.screens.base import KeyLine, Line
from octotui.tui.screens.node_text import facts_text, node_head, node_steps
from octotui.tui.screens.with_log import WithLog
from octotui.tui.situation import Situation
from octotui.tui.widgets.log_view import LogView


class NodeScreen(WithLog):
    """Opened from the grid or the table of steps."""

    PLACE = "node"
    BINDINGS = bindings_of("node")
    AUTO_FOCUS = "#node-steps"

    def __init__(self, node: str) -> None:
        super().__init__()
        self.node = node

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="node-head")
        with Horizontal(id="node-body"):
            with VerticalScroll(classes="pane", id="node-steps") as steps:
                steps.border_title = "Steps"
                yield Line(id="node-steps-text")
            with VerticalScroll(classes="pane", id="node-facts") as facts:
                facts.border_title = "Facts from the checks"
                yield Line(id="node-facts-text")
        log = LogView(classes="pane", whose=self.node)
        log.border_title = f"Log of {self.node}"
        yield log
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        view = self.store.view
        alive = situation.at_work
        self.query_one("#node-head", Line).say(node_head(view, self.node, now, alive))
        self.query_one("#node-steps-text", Line).say(node_steps(view, self.node, now, alive))
        self.query_one("#node-facts-text", Line).say(facts_text(view, self.node))
        self.take_lines(self.node)

    def node_here(self) -> str:
        return self.node

    def action_log(self) -> None:
        log = self.query_one(LogView)
        (self.query_one("#node-steps") if self.focused is log else log).focus()

    def action_zoom(self) -> None:
        self.toggle_class("-zoom-log")

    def text(self) -> str:
        view, now, alive = self.store.view, self.app.now(), self.situation.at_work
        head, steps = (
            node_head(view, self.node, now, alive),
            node_steps(view, self.node, now, alive),
        )
        return "\n".join(part.plain for part in (head, steps, facts_text(view, self.node)))
