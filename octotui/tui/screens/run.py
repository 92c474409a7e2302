"""A run while it works: where it is, what each node does, what it waits for, what the logs say."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from octotui.tui.commands import bindings_of
from octotui.tui.remembered import LEAST_LOG, MOST_LOG
from octotui.tui.screens.base import KeyLine, Line
from octotui.tui.screens.run_text import run_head
from octotui.tui.screens.waiting_text import waiting_text
from octotui.tui.screens.with_log import WithLog
from octotui.tui.situation import Situation
from octotui.tui.widgets.clocks import Clocks
from octotui.tui.widgets.log_view import LogView
from octotui.tui.widgets.node_grid import NodeGrid
from octotui.tui.widgets.step_matrix import StepMatrix
from octotui.tui.widgets.timeline import PhaseTimeline

#: Lines of the tables that are no node's: borders, and what the table of steps has above and below.
BORDERS = 2
FRAME = BORDERS + 3


class RunScreen(WithLog):
    """The cockpit."""

    PLACE = "run"
    BINDINGS = bindings_of("run")
    AUTO_FOCUS = "NodeGrid, StepMatrix"

    def compose(self) -> ComposeResult:
        # Before the tables are there: a focus in one that is hidden then would go to the log.
        self.set_class(self.app.layout.steps, "-steps")
        yield Line(classes="head", id="run-head")
        yield PhaseTimeline()
        yield Clocks()
        with Vertical(id="run-body"):
            with Horizontal(id="tables"):
                nodes, steps = NodeGrid(classes="pane"), StepMatrix(classes="pane")
                nodes.border_title, steps.border_title = "Nodes", "Nodes and steps"
                yield nodes
                yield steps
            yield Line(id="waiting")
            log = LogView(classes="pane", whose="all nodes")
            log.border_title = "Log"
            yield log
        yield KeyLine()

    def on_mount(self) -> None:
        layout = self.app.layout
        self.query_one(NodeGrid).sort = layout.sort
        if layout.steps:
            self.query_one(StepMatrix).focus()
        self._share_height()

    def parts(self) -> tuple[Callable[[Situation, float], None], ...]:
        return (self._show_state, self._show_nodes, self._show_steps, self._show_lines)

    def _show_state(self, situation: Situation, now: float) -> None:
        store, view, alive = self.store, self.store.view, situation.at_work
        self.query_one("#run-head", Line).say(run_head(situation, now, store.heard))
        self.query_one(PhaseTimeline).show(view, now, alive)
        self.query_one(Clocks).show(view, now, alive)
        waiting = waiting_text(situation, now, self._room_to_wait(), self.app.settings.keys)
        self.query_one("#waiting", Line).say(waiting)

    def _show_nodes(self, situation: Situation, now: float) -> None:
        view = self.store.view
        grid, matrix = self.query_one(NodeGrid), self.query_one(StepMatrix)
        # Few nodes leave the room to the log, where that is shown.
        most = len(view.nodes) + (FRAME if matrix.display else BORDERS)
        whole = self.has_class("-zoom-table")
        self.query_one("#tables").styles.max_height = None if whole else most
        if grid.display:
            grid.show(view, now, situation.at_work)

    def _show_steps(self, situation: Situation, now: float) -> None:
        matrix = self.query_one(StepMatrix)
        if matrix.display:
            matrix.show(self.store.view, now, situation.at_work)

    def _show_lines(self, situation: Situation, now: float) -> None:
        self.take_lines()

    def _room_to_wait(self) -> int:
        return 4 if self.size.height < 34 else 6

    def _open(self, node: str) -> None:
        from octotui.tui.screens.node import NodeScreen  # the first picture does without

        self.app.push_screen(NodeScreen(node))

    def on_node_grid_chosen(self, message: NodeGrid.Chosen) -> None:
        self._open(message.node)

    def on_step_matrix_chosen(self, message: StepMatrix.Chosen) -> None:
        step = self.store.view.steps.get(message.step_id)
        if step and step.node:
            self._open(step.node)

    def node_here(self) -> str:
        """Under the cursor of the table that is in use."""
        matrix = self.query_one(StepMatrix)
        if not matrix.has_focus:
            return self.query_one(NodeGrid).node
        step = self.store.view.steps.get(matrix.step_id)
        return (step.node if step else None) or ""

    def action_node(self) -> None:
        if node := self.node_here():
            self._open(node)

    def action_table(self) -> None:
        """On a wide screen both are there, and this goes from one to the other."""
        self._turn_to(steps=not self.has_class("-steps"))
        self.tick(self.app.now())

    def _turn_to(self, *, steps: bool) -> None:
        self.set_class(steps, "-steps")
        self.app.layout.steps = steps
        self.query_one(StepMatrix if steps else NodeGrid).focus()

    def action_log(self) -> None:
        log = self.query_one(LogView)
        self.show_log()
        if self.focused is log:
            (self.query_one(StepMatrix if self.has_class("-steps") else NodeGrid)).focus()
        else:
            log.focus()

    def action_log_height(self, by: int) -> None:
        layout = self.app.layout
        layout.log_tenths = max(LEAST_LOG, min(MOST_LOG, layout.log_tenths + by))
        self._share_height()

    def _share_height(self) -> None:
        log = self.app.layout.log_tenths
        self.query_one(LogView).styles.height = f"{log}fr"
        self.query_one("#tables").styles.height = f"{10 - log}fr"

    def on_node_grid_sorted(self, message: NodeGrid.Sorted) -> None:
        self.app.layout.sort = message.sort

    def action_one_node(self) -> None:
        log = self.query_one(LogView)
        self.show_log()
        log.show_only(node="" if log.buffer.filter.node else self.query_one(NodeGrid).node or "")

    def action_zoom(self) -> None:
        zoomed = not (self.has_class("-zoom-log") or self.has_class("-zoom-table"))
        in_log = self.focused is self.query_one(LogView)
        if zoomed and isinstance(self.focused, NodeGrid | StepMatrix):
            # It has the whole width, also where both tables were there.
            self._turn_to(steps=isinstance(self.focused, StepMatrix))
        self.set_class(zoomed and in_log, "-zoom-log")
        self.set_class(zoomed and not in_log, "-zoom-table")
        self.tick(self.app.now())

    def show_log(self) -> None:
        if self.has_class("-zoom-table"):
            self.action_zoom()
