"""Bundles of runs that live, have died, have ended or are damaged: what is in them, what is not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sqlite3
import stat
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from octotui.api.errors import OctotuiError
from octotui.report.bundle import Bundle, logs, make, make_bundle
from octotui.report.bundle.journal import SavedJournal
from octotui.run.request import RunRequest
from tests.cockpit_support import Recorded, begins

#: Secrets that are planted, each found only in the way that its name says.
BY_ENVIRONMENT = "open-sesame-1"
BY_FILE = "open-sesame-2"
BY_LOOKS = "open-sesame-3"
PLANTED = (BY_ENVIRONMENT, BY_FILE, BY_LOOKS)

PROFILE = f"""\
[octopus]
url = "https://127.0.0.1:9"
api_key = "file:api-key"
[jobs.run_as]
username = 'LAB\\octo'
password = "env:BUNDLE_TEST_PASSWORD"
[plugin_that_is_gone]
password = "{BY_LOOKS}"
other = ["keyring:octotui/svc", 'cmd:["vault", "read"]']
"""


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BUNDLE_TEST_PASSWORD", BY_ENVIRONMENT)
    (tmp_path / "api-key").write_text(f"{BY_FILE}\n")
    path = tmp_path / "prod.toml"
    path.write_text(PROFILE)
    return path


@pytest.fixture
def recorded(tmp_path: Path, profile: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorded]:
    """A run in its upgrade of the database, with secrets planted wherever text is kept."""
    monkeypatch.setenv("OCTOTUI_STATE_DIR", str(tmp_path))
    run = Recorded(tmp_path, "succeeded", begins("starting.start@OCTO1"))
    RunRequest(str(profile)).write(run.journal)
    planted = {
        "problem": f"said {BY_FILE} and Password={BY_LOOKS};",
        "plugin": f"{BY_ENVIRONMENT}",
        "token": BY_LOOKS,
    }
    run.tell("plugin.problem", planted)
    run.journal.command("hold", f"because of {BY_FILE}", BY_ENVIRONMENT)
    (run.run.logs / "OCTO1-install.log").write_text(
        f"Property(S): DBPASSWORD = {BY_LOOKS}\nlogged on with {BY_ENVIRONMENT}\n"
    )
    run.run.runner_log.write_text(f"Traceback: https://octo:{BY_LOOKS}@host {BY_FILE}\n")
    yield run
    run.close()


def made(run: Recorded, **options: Any) -> tuple[Bundle, dict[str, bytes]]:
    bundle = make_bundle(run.run, **{"server": False, **options})
    return bundle, members(bundle.path.read_bytes())


def members(data: bytes) -> dict[str, bytes]:
    """Every file of a zip, of zips in it too."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            found[name] = archive.read(name)
            if found[name].startswith(b"PK"):
                found |= {f"{name}/{n}": d for n, d in members(found[name]).items()}
    return found


def lacking(bundle: Bundle) -> dict[str, str]:
    return {missing.what: missing.why for missing in bundle.missing}


def test_all_of_a_run_is_in_it_and_listed(recorded: Recorded) -> None:
    bundle, files = made(recorded)
    logs_of_run = {f"logs/{path.name}" for path in recorded.run.logs.iterdir()}
    assert set(files) - logs_of_run == {
        "README.txt", "manifest.json", "report.md", "facts.json", "findings.json", "plan.json",
        "profile.toml", "versions.json", "runner.log",
        "journal/events.jsonl", "journal/commands.jsonl", "journal/request.json",
    }  # fmt: skip
    assert {"logs/OCTO1-install.log", "logs/OCTO2.log"} <= logs_of_run <= set(files)
    events = [json.loads(line) for line in files["journal/events.jsonl"].splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert set(events[0]) == {"seq", "at", "run", "subject", "kind", "data"}
    assert json.loads(files["journal/commands.jsonl"])["command"] == "hold"
    facts = json.loads(files["facts.json"])
    assert set(facts["nodes"]) == {"OCTO1", "OCTO2", "OCTO3"}
    assert facts["cluster"]["version"] == "2025.2.13071"
    assert json.loads(files["plan.json"])["to_version"] == "2025.4.10428"
    assert {f["result"] for f in json.loads(files["findings.json"])} == {"pass"}
    assert b"2025.2.13071 to 2025.4.10428" in files["report.md"]
    assert "winrm" in {p["plugin"] for p in json.loads(files["versions.json"])["plugins"]}
    manifest = json.loads(files["manifest.json"])
    assert {m["name"]: (m["size"], m["sha256"]) for m in manifest["members"]} == {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in files.items()
        if name != "manifest.json"
    }
    assert "The run was alive when this was made" in files["README.txt"].decode()
    assert lacking(bundle) == {"the server's system report": "it was not asked for"}


def test_no_secret_is_in_it(recorded: Recorded) -> None:
    bundle, files = made(recorded)
    for name, data in files.items():
        for secret in PLANTED:
            assert secret.encode() not in data, name
            assert secret.encode("utf-16-le") not in data, name
    for secret in PLANTED:
        assert secret.encode() not in bundle.path.read_bytes()
    assert b'api_key = "file:api-key"' in files["profile.toml"]
    masked = json.loads(files["manifest.json"])["masked_by"]
    assert masked["looked_up"] == ["env:BUNDLE_TEST_PASSWORD", "file:api-key"]
    reasons = {each["reference"]: each["why"] for each in masked["not_looked_up"]}
    assert set(reasons) == {"cmd:vault", "keyring:octotui/svc"}
    assert "Not by keyring:octotui/svc (looking it up may ask" in files["README.txt"].decode()


def test_a_person_may_be_asked_in_a_terminal(recorded: Recorded, profile: Path) -> None:
    secret = "open-sesame-4"
    argv = json.dumps([sys.executable, "-c", f"print('{secret[::-1]}'[::-1])"])
    profile.write_text(f"[octopus]\napi_key = {json.dumps(f'cmd:{argv}')}\n")
    recorded.tell("plugin.problem", {"plugin": "x", "problem": f"it said {secret}"})
    _, unasked = made(recorded)
    assert secret.encode() in unasked["journal/events.jsonl"], "nobody could know it"
    _, asked = made(recorded, may_ask=True)
    assert secret.encode() not in b"".join(asked.values())


def test_what_is_not_set_is_told_by_name(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BUNDLE_TEST_PASSWORD")
    _, files = made(recorded)
    why = "the environment variable BUNDLE_TEST_PASSWORD is not set"
    assert f"Not by env:BUNDLE_TEST_PASSWORD ({why})" in files["README.txt"].decode()
    told = json.loads(files["manifest.json"])["masked_by"]["not_looked_up"]
    assert {"reference": "env:BUNDLE_TEST_PASSWORD", "why": why} in told


def test_it_is_for_its_owner_and_over_nothing(recorded: Recorded, tmp_path: Path) -> None:
    bundle, _ = made(recorded)
    assert bundle.path.parent == tmp_path / "bundles"
    assert bundle.size == bundle.path.stat().st_size
    if os.name == "posix":
        assert stat.S_IMODE(bundle.path.stat().st_mode) == 0o600
    again, _ = made(recorded)
    assert again.path != bundle.path
    taken = tmp_path / "taken.zip"
    taken.write_text("mine")
    with pytest.raises(OctotuiError, match="is there already"):
        made(recorded, to=taken)
    assert taken.read_text() == "mine"
    with pytest.raises(OctotuiError, match="cannot be written"):
        made(recorded, to=tmp_path / "nowhere" / "x.zip")


def test_it_is_whole_or_not_there(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("octotui.report.bundle.make.page", interrupted)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        made(recorded, to=folder / "x.zip")
    assert list(folder.iterdir()) == []


def test_who_was_quicker_keeps_the_name(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.zip"

    def quicker(*_: Any) -> dict[str, Any]:
        path.write_text("theirs")
        return {}

    monkeypatch.setattr("octotui.report.bundle.make.versions", quicker)
    with pytest.raises(OctotuiError, match="is there already"):
        made(recorded, to=path)
    assert path.read_text() == "theirs"
    assert not list(tmp_path.glob(".octotui-*"))


def test_of_a_huge_log_the_end_is_in_it(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "LOG_LIMIT", 1000)
    lines = "".join(f"line {number:06}\n" for number in range(50_000))
    (recorded.run.logs / "OCTO3.log").write_text(f"secret={BY_LOOKS}\n{lines}")
    _, files = made(recorded)
    text = files["logs/OCTO3.log"].decode()
    assert text.startswith("line ")
    assert text.endswith("line 049999\n")
    note = next(
        m["note"]
        for m in json.loads(files["manifest.json"])["members"]
        if m["name"] == "logs/OCTO3.log"
    )
    assert note.startswith("only the last ")
    assert note in files["README.txt"].decode()


def test_logs_share_what_there_is() -> None:
    assert logs.shares({"a": 10, "b": 20}, limit=100, each=50) == 50
    assert logs.shares({"a": 10, "b": 200, "c": 300}, limit=100, each=50) == 45
    assert logs.shares({"a": 300, "b": 200}, limit=100, each=80) == 50
    assert logs.shares({}, limit=100, each=80) == 80


def test_without_the_profile_it_is_made_and_says_so(recorded: Recorded, profile: Path) -> None:
    profile.unlink()
    bundle, files = made(recorded, server=True)
    assert "profile.toml" not in files
    assert lacking(bundle)["profile.toml"] == f"{profile}: No such file or directory"
    assert "without the profile" in lacking(bundle)["the server's system report"]
    words = f"Nothing by the profile's own secrets ({profile}: No such file or directory)"
    assert words in files["README.txt"].decode()
    assert BY_LOOKS.encode() not in b"".join(files.values())


def test_a_profile_that_is_no_toml_is_in_it_masked(recorded: Recorded, profile: Path) -> None:
    profile.write_text(f'password = "{BY_LOOKS}"\n[broken')
    _, files = made(recorded)
    assert files["profile.toml"] == b'password = "***"\n[broken'
    assert "it is no TOML" in files["README.txt"].decode()


def test_a_profile_that_is_nested_too_deeply_is_told(recorded: Recorded, profile: Path) -> None:
    profile.write_text(f"x = {'[' * 50_000}")
    bundle, files = made(recorded, server=True)
    assert "it is no TOML" in files["README.txt"].decode()
    assert "the server's system report" in lacking(bundle)


def test_what_the_server_is_asked_for_in_vain_is_told(recorded: Recorded) -> None:
    bundle, files = made(recorded, server=True)
    assert not [name for name in files if name.startswith("server/")]
    assert "the server's system report" in lacking(bundle)
    words = " ".join(files["README.txt"].decode().split())
    assert lacking(bundle)["the server's system report"] in words


def test_a_damaged_journal_gives_what_it_can(recorded: Recorded) -> None:
    recorded.journal.close()
    with sqlite3.connect(recorded.run.journal) as database:
        page_size = database.execute("PRAGMA page_size").fetchone()[0]
        rows = database.execute("SELECT data FROM event ORDER BY seq").fetchall()
    database.close()
    total = len(rows)
    data = bytearray(recorded.run.journal.read_bytes())
    middle = data.index(rows[total // 2][0].encode()) // page_size * page_size
    data[middle : middle + page_size] = b"\xff" * page_size
    recorded.run.journal.write_bytes(data)
    bundle, files = made(recorded)
    seqs = [json.loads(line)["seq"] for line in files["journal/events.jsonl"].splitlines()]
    assert seqs[0] == 1
    assert seqs[-1] == total
    assert 0 < len(seqs) < total
    assert seqs == sorted(seqs)
    assert "part of the journal" in lacking(bundle)
    assert "cannot be read to its end" in files["README.txt"].decode()
    assert b"# " in files["report.md"]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(4000)])
def test_a_journal_that_is_none_is_told_and_left_as_it_is(
    recorded: Recorded, content: bytes
) -> None:
    recorded.journal.close()
    for extra in ("-wal", "-shm"):
        recorded.run.journal.with_name(f"run.db{extra}").unlink(missing_ok=True)
    recorded.run.journal.write_bytes(content)
    bundle, files = made(recorded, server=True)
    assert recorded.run.journal.read_bytes() == content
    assert "part of the journal" in lacking(bundle)
    assert files["journal/events.jsonl"] == b""
    assert b"Nothing could be read of the run's journal" in files["README.txt"]
    assert b"logs/OCTO1-install.log" in files["manifest.json"]


def test_a_dead_run_is_told_as_dead(recorded: Recorded) -> None:
    recorded._lock.release()
    _, files = made(recorded)
    assert "Nobody carried the run out" in files["README.txt"].decode()


def test_a_lock_that_cannot_be_opened_is_told(recorded: Recorded) -> None:
    lock = recorded.run.path / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()
    bundle, files = made(recorded)
    assert "cannot be looked at" in lacking(bundle)["whether the run lives"]
    assert "Whether somebody carried the run out" in files["README.txt"].decode()


@pytest.mark.parametrize(
    ("left", "lost"),
    [((11, 12), None), ((12, 13), "event 11 of it is lost"), ((14,), "events 11 to 13 of it")],
)
def test_which_events_are_lost_is_told_where_any_are(left: tuple[int, ...], lost: str) -> None:
    def event(seq: int) -> tuple[Any, ...]:
        return seq, 1.0, "run", "run.started", "{}"

    class Damaged(SavedJournal):
        def _rows(self, query: str) -> Iterator[tuple[Any, ...]]:
            if "DESC" in query:
                yield from map(event, reversed(left))
                return
            yield from map(event, range(1, 11))
            self._note("it cannot be read to its end: it is malformed")

    journal = Damaged(Path("run.db"), "x")
    assert [event.seq for event in journal.events()] == [*range(1, 11), *left]
    assert len(journal.faults) == (2 if lost else 1)
    assert (lost or "malformed") in journal.faults[-1]


def test_a_folder_of_logs_that_may_not_be_read_is_told(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(folder: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("octotui.report.bundle.make.log_files", closed)
    bundle, files = made(recorded)
    assert lacking(bundle)["logs"] == "their folder cannot be read: Permission denied"
    assert "runner.log" in files


def test_what_was_left_half_done_long_ago_is_taken_away(recorded: Recorded, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    old, new, other = (folder / n for n in (".octotui-a.part", ".octotui-b.part", "mine.part"))
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (0, 0))
    made(recorded)
    assert [path.exists() for path in (old, new, other)] == [False, True, True]


def test_a_run_without_logs_says_so(recorded: Recorded) -> None:
    for path in recorded.run.logs.iterdir():
        path.unlink()
    recorded.run.logs.rmdir()
    recorded.run.runner_log.unlink()
    bundle, _ = made(recorded)
    assert lacking(bundle)["logs"] == "the run has written none"
    assert "runner.log" in lacking(bundle)
