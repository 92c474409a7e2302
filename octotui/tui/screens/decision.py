"""A run that waits for a person: what failed, how the cluster stands, what can be done."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from octotui.tui.commands import BY_ID, Command, bindings_of, choices
from octotui.tui.screens.base import KeyLine, Line
from octotui.tui.screens.decision_text import decision_title, happened_text, stands_text
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
            log = LogView(classes="pane")
            log.border_title = "Log"
            yield log
        yield KeyLine()

    def show(self, situation: Situation, now: float) -> None:
        store, view = self.store, self.store.view
        self.query_one("#decision-head", Line).say(run_head(situation, now, store.heard))
        self.query_one(PhaseTimeline).show(view, now)
        self.query_one(Clocks).show(view, now)
        self.take_lines()
        self.query_one("#decision", Vertical).border_title = decision_title(situation)
        self.query_one("#happened-text", Line).say(
            happened_text(situation, self.store.last_words() if not situation.alive else "")
        )
        self.query_one("#stands-text", Line).say(stands_text(view, now))
        offered = choices(situation)
        if [command.id for command in offered] != self._offered:
            self._offered = [command.id for command in offered]
            self._offer(offered)

    def _offer(self, offered: list[Command]) -> None:
        view = self.store.view
        options = self.query_one("#choices", OptionList)
        options.clear_options()
        options.add_option(
            Option(
                Content.assemble(
                    ("Wait", "bold"), ("  (default) ", "dim"),
                    "Nothing is decided; the run waits with no time limit.",
                ),
                id=_WAIT,
            )
        )  # fmt: skip
        for command in offered:
            key = self._key_of(command)
            text = Content.assemble(
                (f"{key}  ", "bold $accent"),
                (command.title.capitalize(), "bold"),
                f"  {command.consequence(view)}",
            )
            options.add_option(Option(text, id=command.id))
        options.highlighted = 0

    def _key_of(self, command: Command) -> str:
        for active in self.active_bindings.values():
            if active.binding.id == command.id:
                return self.app.get_key_display(active.binding)
        return command.keys

    def on_option_list_option_selected(self, message: OptionList.OptionSelected) -> None:
        chosen = message.option_id or _WAIT
        if chosen == _WAIT:
            self.app.back()
        elif chosen == "run.resume":
            self.action_resume()
        else:
            self.action_steer(BY_ID[chosen].control)

    def action_other(self) -> None:
        choices = self.query_one("#choices")
        (self.query_one("#happened") if choices.has_focus else choices).focus()

    def node_here(self) -> str:
        """The one that failed, the first where several did."""
        return next((step.node for step in self.store.view.failed_steps() if step.node), "")

    def text(self) -> str:
        words = happened_text(self.situation, self.store.last_words())
        return f"{words.plain}\n{stands_text(self.store.view, self.app.now()).plain}\n"
