"""Making a bundle of a run: one that lives, has died, has ended, or whose journal is damaged."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from octotui.api.errors import OctotuiError
from octotui.report.bundle.journal import SavedJournal
from octotui.report.bundle.known import Known, known_secrets
from octotui.report.bundle.logs import LOG_LIMIT, LOGS_LIMIT, log_files, read_end, shares
from octotui.report.bundle.server import fetch_system_report
from octotui.report.bundle.story import Story
from octotui.report.bundle.unpack import unpacked
from octotui.report.bundle.versions import versions
from octotui.report.bundle.words import page
from octotui.report.bundle.writer import BundleWriter, Missing, new_bundle
from octotui.report.mask import Mask
from octotui.run.directory import RunDirectory, state_folder
from octotui.run.process import LifeUnknown, is_alive

#: Of the manifest.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was made. ``size`` in bytes; ``server``: the address whose report is in it."""

    path: Path
    size: int
    server: str
    missing: tuple[Missing, ...]


def make_bundle(
    run: RunDirectory, to: Path | None = None, *, server: bool = True, may_ask: bool = False
) -> Bundle:
    """Writes all that is known of a run into one file and says what could not be had.

    ``to``: the file, else one in the state folder. ``server``: asks Octopus Server for its report,
    for some seconds. ``may_ask``: a person is there to unlock a keyring. Raises OctotuiError where
    the file cannot be written; everything else that fails is told in the bundle.
    """
    made = time.time()
    path = (to or _usual_path(run)).absolute()
    with new_bundle(path, made) as bundle:
        making = _Making(run, bundle, made, may_ask)
        making.all_parts(server=server)
        missing = tuple(bundle.missing)
    return Bundle(path, path.stat().st_size, making.answered, missing)


def _usual_path(run: RunDirectory) -> Path:
    folder = state_folder() / "bundles"
    with contextlib.suppress(OSError):  # that nothing can be written there is told when it is tried
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path, number = folder / f"octotui-{run.run_id}.zip", 1
    while path.exists():
        number += 1
        path = folder / f"octotui-{run.run_id}-{number}.zip"
    return path


class _Making:
    def __init__(self, run: RunDirectory, bundle: BundleWriter, made: float, may_ask: bool) -> None:
        self._run = run
        self._bundle = bundle
        self._made = made
        self._may_ask = may_ask
        self._journal = SavedJournal(run.journal, run.run_id)
        self._request = self._journal.meta()
        self._known = self._read_profile()
        self._mask = Mask(self._known.secrets.redact if self._known else _unchanged)
        self.answered = ""

    def all_parts(self, *, server: bool) -> None:
        story = self._write_journal()
        self._write_story(story)
        self._write_json("versions.json", versions())
        self._write_profile()
        self._write_logs()
        if server:
            self._write_server()
        else:
            self._bundle.lacks("the server's system report", "it was not asked for")
        head = self._mask.text(f"{story.headline()}\n{self._process()}")
        readme = page(self._bundle, self._known, head, self._made)
        self._bundle.write("README.txt", [self._mask.text("".join(readme))])
        self._write_json("manifest.json", self._manifest())

    def _read_profile(self) -> Known | None:
        named = self._request.get("request")
        path = named.get("profile") if isinstance(named, dict) else None
        if not path:
            started = (e for e in self._journal.events() if e.kind == "run.started")
            path = next((e.data.get("profile") for e in started), None)
        return known_secrets(Path(path), may_ask=self._may_ask) if path else None

    def _write_journal(self) -> Story:
        story = Story()

        def lines() -> Iterator[str]:
            for event in self._journal.events():
                story.take(event)
                yield _line({**asdict(event), "data": self._mask.json(event.data)})

        self._bundle.write("journal/events.jsonl", lines())
        commands = self._journal.commands()
        masked = (_line(self._mask.json(command)) for command in commands)
        self._bundle.write("journal/commands.jsonl", masked)
        self._write_json("journal/request.json", self._mask.json(self._request))
        for fault in self._journal.faults:
            self._bundle.lacks("part of the journal", fault)
        return story

    def _write_story(self, story: Story) -> None:
        """What is told by the journal as a whole, as far as that could be read."""
        self._bundle.write("report.md", [self._mask.text(story.report())])
        self._write_json("findings.json", self._mask.json(story.view.findings))
        self._write_json("facts.json", self._mask.json(story.facts()))
        if story.view.plan:
            self._write_json("plan.json", self._mask.json(story.view.plan))
        else:
            self._bundle.lacks("plan.json", "there was no plan yet")
        for fault in story.faults:
            self._bundle.lacks("part of what the journal tells", fault)

    def _write_profile(self) -> None:
        if self._known is None:
            self._bundle.lacks("profile.toml", "the run does not say which profile it was for")
        elif self._known.text is None:
            self._bundle.lacks("profile.toml", self._known.why)
        else:
            self._bundle.write("profile.toml", [self._mask.text(self._known.text)])

    def _write_logs(self) -> None:
        files = {path: f"logs/{path.name}" for path in self._log_files()}
        files[self._run.runner_log] = "runner.log"
        sizes = {name: _size(path) for path, name in files.items()}
        share = shares(sizes, LOGS_LIMIT, LOG_LIMIT)
        for path, name in files.items():
            try:
                text, note = read_end(path, share)
            except OSError as error:
                self._bundle.lacks(name, f"it cannot be read: {error.strerror}")
            else:
                self._bundle.write(self._mask.text(name), [self._mask.text(text)], note)

    def _log_files(self) -> list[Path]:
        try:
            files = log_files(self._run.logs)
        except OSError as error:
            self._bundle.lacks("logs", f"their folder cannot be read: {error.strerror}")
            return []
        if not files:
            self._bundle.lacks("logs", "the run has written none")
        return files

    def _write_server(self) -> None:
        what = "the server's system report"
        if self._known is None or self._known.text is None:
            self._bundle.lacks(what, "without the profile nobody knows where the server is")
            return
        with tempfile.TemporaryFile() as file:
            try:
                self.answered = fetch_system_report(self._known, file, may_ask=self._may_ask)
            except OctotuiError as error:
                self._bundle.lacks(what, self._mask.text(str(error).rstrip(".")))
                return
            file.seek(0)
            for part in unpacked(file):
                name = self._mask.text(f"server/system-report/{part.name}")
                if part.text is None:
                    self._bundle.lacks(name, self._mask.text(part.note))
                else:
                    self._bundle.write(name, [self._mask.document(part.text)], part.note)

    def _write_json(self, name: str, value: Any) -> None:
        self._bundle.write(name, [json.dumps(value, indent=2, ensure_ascii=False) + "\n"])

    def _process(self) -> str:
        """Whether somebody carried the run out while the bundle was made."""
        try:
            alive = is_alive(self._run)
        except LifeUnknown as error:
            self._bundle.lacks("whether the run lives", str(error))
            return "Whether somebody carried the run out when this was made is not known."
        if alive:
            return "The run was alive when this was made, and has gone on since."
        return "Nobody carried the run out when this was made."

    def _manifest(self) -> dict[str, Any]:
        known = self._known
        return {
            "format": FORMAT,
            "run": self._run.run_id,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._made)),
            "server": self.answered,
            **self._mask.json(self._bundle.listed()),
            "masked_by": {
                "looks": True,
                "looked_up": known.looked_up if known else [],
                "not_looked_up": [
                    {"reference": name, "why": self._mask.text(why)}
                    for name, why in (known.unknown if known else {}).items()
                ],
            },
        }


def _line(value: Any) -> str:
    return json.dumps(value) + "\n"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _unchanged(text: str) -> str:
    return text
