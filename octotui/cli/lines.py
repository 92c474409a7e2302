"""Plain progress lines: the screen for pipes, logs, screen readers and ``TERM=dumb``.

No escape codes, no cursor movement, one line a fact. Times are local.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from octotui.api.events import Event
from octotui.api.harmless import harmless
from octotui.upgrade.estimating import expectation
from octotui.upgrade.phases import BY_NAME
from octotui.upgrade.plan import Plan
from octotui.view import RunView

#: With nothing else to say, a line says what is being waited for this often, seconds.
QUIET = 10.0


def duration(seconds: float) -> str:
    """Minutes and seconds, or hours: 0:07, 12:30, 1:02:03."""
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


def about(node: str | None, text: str) -> str:
    """Text with its node before it, unless it begins with that by itself."""
    return text if not node or text.startswith(node) else f"{node}: {text}"


def finding_line(finding: Mapping[str, Any]) -> str:
    """A finding in one line: result, check, where, evidence, and what to do about it."""
    text = about(finding["node"], finding["evidence"])
    if finding["fix"] and finding["result"] != "pass":
        text = f"{text.rstrip('.')}. {finding['fix']}"
    waived = " (waived)" if finding["waived"] else ""
    return f"{finding['result']:<5} {finding['check']}: {text}{waived}"


class PlainLines:
    """Prints what each event means. ``write`` takes a line without its end."""

    def __init__(self, view: RunView, write: Callable[[str], None]) -> None:
        self._view = view
        self._write = write
        self._last = 0.0

    def event(self, event: Event) -> None:
        """Called after the view has taken the event."""
        for text in self._texts(event):
            self._line(event.at, text)

    def tick(self, now: float) -> None:
        """Called now and then: says what is waited for where nothing was said for a while."""
        if now - self._last < QUIET or self._view.outcome:
            return
        for text in self._status(now):
            self._line(now, text)

    def closing(self) -> None:
        """The last lines: the outcome and what to do."""
        for line in self._view.lines:
            self._write(line)

    def _line(self, at: float, text: str) -> None:
        self._last = at
        self._write(f"{time.strftime('%H:%M:%S', time.localtime(at))}  {harmless(text)}")

    def _status(self, now: float) -> list[str]:
        texts = []
        for step in self._view.running_steps():
            title = f"{step.node or 'cluster'}: {step.title}"
            taken = duration(now - (step.started or now))
            waits = step.waiting or step.progress
            expected = f" of about {duration(step.expected)}" if step.expected > 1 else ""
            texts.append(f"  {title}, {taken}{expected}{': ' + waits if waits else ''}")
        if texts:
            texts.append(f"  {self._clocks(now)}".rstrip())
        return [text for text in texts if text.strip()]

    def _clocks(self, now: float) -> str:
        clocks = self._view.clocks(now)
        parts = []
        if clocks.outage is not None:
            parts.append(f"outage {duration(clocks.outage)}")
        # Until the first node serves, this would only repeat the outage.
        if clocks.all_up is not None and self._view.first_serving is not None:
            title = "all up after" if self._view.all_serving is not None else "not all up for"
            parts.append(f"{title} {duration(clocks.all_up)}")
        if clocks.maintenance is not None:
            parts.append(f"maintenance {duration(clocks.maintenance)}")
        return ", ".join(parts)

    def _texts(self, event: Event) -> list[str]:
        data = event.data
        match event.kind:
            case "run.started":
                nodes = " ".join(data["nodes"])
                unprotected = [f"  not protected: {text}" for text in data.get("unprotected", ())]
                head = f"run {event.run}  {data['cluster']}  {nodes}"
                return [head, *unprotected, _phase("preflight")]
            case "run.resumed":
                return [f"run {event.run} is taken up again, it was {data['state']}"]
            case "state":
                return self._state(event)
            case "facts.cluster":
                mode = "on" if data["maintenance"] else "off"
                return [f"  cluster {data['version']}, maintenance mode {mode}"]
            case "facts.node":
                return [f"  {data['node']}: {data['version']} in {data['install_directory']}"]
            case "facts.problem":
                return [f"  {about(data.get('node') or data.get('about'), data['problem'])}"]
            case "finding":
                return [f"  {finding_line(data)}"]
            case "plan":
                plan = Plan.from_json(data)
                return [
                    f"  plan: {plan.from_version} to {plan.to_version}, "
                    f"first node {plan.first_node}; expected {expectation(plan, duration)}"
                ]
            case "step.started" if data["expected_seconds"] > 1:
                expected = f", about {duration(data['expected_seconds'])}"
                again = f", attempt {data['attempt']}" if data["attempt"] > 1 else ""
                return [f"  {data['node'] or 'cluster'}: {data['title']}{expected}{again}"]
            case "step.waiting" if data["reason"]:
                return [f"  {data['node'] or 'cluster'}: waiting: {data['reason']}"]
            case "step.ended":
                return self._step_ended(event)
            case "command":
                text = f"{data['command']} {data['argument']}".strip()
                return [f"  {data['by']}: {text}: {data['answer']}"]
            case "node.left-out":
                return [f"  {data['node']} is left out; it stays as it stands"]
            case "phase.vetoed":
                return [f"  a plugin forbids {data['phase']}: {r}" for r in data["reasons"]]
            case "plugin.problem":
                return [f"  plugin: {data['problem']}"]
        return []

    def _state(self, event: Event) -> list[str]:
        state = event.data["to"]
        clocks = self._clocks(event.at)
        if state in BY_NAME:
            return [_phase(state) + (f"  ({clocks})" if clocks else "")]
        if state == "failed" and event.data["from"] == "preflight":
            return ["refused"]
        if state == "held":
            return [f"held before {event.data['waiting_phase']}"]
        if state == "needs_person":
            phase = event.data["waiting_phase"].replace("_", " ")
            return [f"needs a person: {phase} did not end well"]
        return [state.replace("_", " ") + (f"  ({clocks})" if clocks else "")]

    def _step_ended(self, event: Event) -> list[str]:
        data = event.data
        where = data["node"] or "cluster"
        if data["outcome"] in ("done", "already"):
            if data["outcome"] == "already":
                return [f"  {where}: {data['title']}: already so"]
            took = f" in {data['seconds']:.1f} s" if data["seconds"] >= 0.1 else ""
            return [f"  {where}: {data['title']}: done{took}"]
        error = data["error"]
        lines = [f"  {where}: {data['title']}: {data['outcome'].upper()}: {error['what']}"]
        lines += [f"    {error[key]}" for key in ("meaning", "left", "next") if error.get(key)]
        lines += [f"    | {line}" for line in error.get("tail", ())]
        return lines


def _phase(name: str) -> str:
    return f"{name.replace('_', ' ')}: {BY_NAME[name].title}"
