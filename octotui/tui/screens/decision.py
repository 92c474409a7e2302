"""A run that waits for a person: what failed, how the cluster stands, what can be done."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from octotui.tui.choices import LEAVE_OUT, choices, leaving_out
from octotui.tui.command import Command
from octotui.tui.commands import BY_ID, bindings_of
from octotui.tui.possible import leavable_nodes
from octotui.tui.screens.base import KeyLine, Line
from octotui.tui.screens.decision_text import (
    decision_title,
    happened_text,
    stands_text,
    wait_text,
)
from octotui.tui.screens.run_text import run_head
from octotui.tui.screens.with_log import WithLog
from octotui.tui.situation import Situation
from octotui.tui.widgets.clocks import Clocks
from octotui.tui.widgets.log_view import LogView
from octotui.tui.widgets.timeline import PhaseTimeline

_WAIT = "wait"


class DecisionScreen(WithLog):
    """Waiting is the first choice: enter, escape and leaving decide nothing.

    No window over the run's screen: it may stand for hours, and whatever ticks below one is sent
    with all that lies over it. It has the run's clocks itself, and its log where there is room.
    """

    PLACE = "decision"
    BINDINGS = bindings_of("decision")
    AUTO_FOCUS = "#choices"

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[str] = []

    def compose(self) -> ComposeResult:
        yield Line(classes="head", id="decision-head")
        yield PhaseTimeline()
        yield Clocks()
        with Vertical(id="decision-body"):
            with Vertical(id="decision", classes="pane"):
                with VerticalScroll(id="happened"):
                    yield Line(id="happened-text")
                yield Line(id="stands-text")
                yield OptionList(id="choices")
            log = LogView(classes="pane", whose="all nodes")
            log.border_title = "Log"
            yield log
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        store, view, alive = self.store, self.store.view, situation.at_work
        self.query_one("#decision-head", Line).say(run_head(situation, now, store.heard))
        self.query_one(PhaseTimeline).show(view, now, alive)
        self.query_one(Clocks).show(view, now, alive)
        self.take_lines()
        self.query_one("#decision", Vertical).border_title = decision_title(situation)
        self.query_one("#happened-text", Line).say(
            happened_text(situation, self.store.last_words() if not situation.alive else "")
        )
        self.query_one("#stands-text", Line).say(stands_text(view, now))
        self._say_whether_there_is_more()
        offered = choices(situation)
        if (ids := [_option_id(command) for command in offered]) != self._offered:
            self._offered = ids
            self._offer(situation, offered)

    def _say_whether_there_is_more(self) -> None:
        more = "tab: read on" if self.query_one("#happened").max_scroll_y else ""
        box = self.query_one("#decision")
        if (box.border_subtitle or "") != more:  # setting it paints the whole pane
            box.border_subtitle = more

    def _offer(self, situation: Situation, offered: list[Command]) -> None:
        view = self.store.view
        options = self.query_one("#choices", OptionList)
        options.clear_options()
        wait = Content.assemble(("Wait", "bold"), ("  (default) ", "dim"), wait_text(situation))
        options.add_option(Option(wait, id=_WAIT))
        for command in offered:
            key = self._key_of(command)
            title = command.title[:1].upper() + command.title[1:]
            text = Content.assemble(
                (f"{key}  ", "bold $accent"), (title, "bold"), f"  {command.consequence(view)}"
            )
            options.add_option(Option(text, id=_option_id(command)))
        options.highlighted = 0

    def _key_of(self, command: Command) -> str:
        for active in self.active_bindings.values():
            if active.binding.id == command.id:
                return self.app.get_key_display(active.binding)
        return command.keys

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        chosen = message.option_id or _WAIT
        command, _, node = chosen.partition("@")
        if chosen == _WAIT:
            self.app.back()
        else:
            self.ask(leaving_out(node) if node else BY_ID[command])

    def action_other(self) -> None:
        choices = self.query_one("#choices")
        (self.query_one("#happened") if choices.has_focus else choices).focus()

    def node_here(self) -> str:
        """The one that the choice under the cursor is about; else the first that failed."""
        failed = (step.node for step in self.store.view.failed_steps() if step.node)
        return self._chosen_node() or next(failed, "")

    def _chosen_node(self) -> str:
        option = self.query_one("#choices", OptionList).highlighted_option
        return (option.id or "").partition("@")[2] if option is not None else ""

    def meant(self, command: Command) -> Command | None:
        """Of several nodes that could be left out one is chosen first."""
        nodes = leavable_nodes(self.store.view)
        if command.id != LEAVE_OUT or len(nodes) < 2 or self._chosen_node():
            return super().meant(command)
        choices = self.query_one("#choices", OptionList)
        choices.focus()
        choices.highlighted = choices.get_option_index(_option_id(leaving_out(nodes[0])))
        self.app.notify("Choose which, then press enter.", title="Nothing was sent yet")
        return None

    def text(self) -> str:
        words = happened_text(self.situation, self.store.last_words())
        return f"{words.plain}\n{stands_text(self.store.view, self.app.now()).plain}\n"


def _option_id(command: Command) -> str:
    return f"{command.id}@{command.node}" if command.node else command.id
