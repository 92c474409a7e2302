"""Following a run's logs: order, completeness, what a line says of itself."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octotui.tui.log_tail import (
    CHUNK,
    CUT,
    LINES,
    LONGEST,
    READS,
    LogTail,
    Severity,
    _File,
    parse,
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "20260131-120000-abcd" / "logs"
    folder.mkdir(parents=True)
    return folder


def write(logs: Path, name: str, *lines: str) -> None:
    with (logs / name).open("a", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


def test_lines_of_all_nodes_come_by_time(logs: Path) -> None:
    write(logs, "OCTO1.log", "2026-01-31T12:00:01Z one", "2026-01-31T12:00:03Z three")
    write(logs, "OCTO2.log", "2026-01-31T12:00:02Z two", "2026-01-31T12:00:04Z four")
    found = LogTail(logs).poll()
    assert [(line.node, line.text) for line in found] == [
        ("OCTO1", "one"), ("OCTO2", "two"), ("OCTO1", "three"), ("OCTO2", "four"),
    ]  # fmt: skip


def test_what_grows_is_followed_and_half_a_line_waits_for_its_end(logs: Path) -> None:
    tail = LogTail(logs)
    assert tail.poll() == []
    (logs / "OCTO1.log").write_bytes("2026-01-31T12:00:01Z first\n2026-01-31T12:00:02Z né".encode())
    assert [line.text for line in tail.poll()] == ["first"]
    write(logs, "OCTO1.log", "e")
    assert [line.text for line in tail.poll()] == ["née"]
    assert tail.poll() == []


def test_a_file_that_appears_later_is_followed_too(logs: Path) -> None:
    tail = LogTail(logs)
    tail.poll()
    write(logs, "run.log", "2026-01-31T12:00:01Z hash proved")
    assert [line.node for line in tail.poll()] == ["run"]


def test_nothing_is_lost_or_out_of_order_where_a_poll_does_not_read_all(logs: Path) -> None:
    stamps = [f"2026-01-31T12:{n // 60:02}:{n % 60:02}Z" for n in range(3000)]
    write(logs, "A.log", *(f"{at} {'x' * 200} {n}" for n, at in enumerate(stamps)))
    write(logs, "B.log", f"{stamps[5]} early", f"{stamps[2999]} late")
    tail, found = LogTail(logs), []
    while lines := tail.poll(700):
        assert len(lines) <= 700
        found += lines
    assert len(found) == 3002
    assert [line.at for line in found] == sorted(line.at for line in found)


def test_an_installers_log_kept_as_a_whole_is_not_part_of_the_stream(logs: Path) -> None:
    write(logs, "OCTO1-20260131-120000-abcd.msi-target.1.log", "MSI (s) Error 1304")
    assert LogTail(logs).poll() == []


@pytest.mark.parametrize(
    ("text", "severity", "shown"),
    [
        ("2026-01-31 12:00:00.1234    1024      1  INFO   Service error page", "INFO", None),
        ("2026-01-31 12:00:00.1234    1024      1  WARN   slow", "WARN", "slow"),
        ("2026-01-31 12:00:00.1234    1024      1  FATAL  gone", "ERROR", "gone"),
        ("Error 1304. Error writing to file", "ERROR", None),
        ("Installation failed. Rolling back.", "ERROR", None),
        ("System.InvalidOperationException: x", "ERROR", None),
        ("Warning: low disk", "WARN", None),
        ("0 errors, no error", "INFO", None),
        ("Found 3 errors, 10 failures", "ERROR", None),
        ("10 errors", "ERROR", None),
        ("2 warnings", "WARN", None),
        ("Failures: 2", "ERROR", None),
        ("Failures: 0, errors: 0", "INFO", None),
        ("Failed tasks: 0", "INFO", None),
        ("Disk error: 0 bytes free", "ERROR", None),
        ("Deploy failed: 0/3 nodes answered", "ERROR", None),
        ("Warning: 0 of 3 nodes answer", "WARN", None),
        ("completed without error", "INFO", None),
        ("5 percent processed.", "INFO", None),
        ("Action ended: InstallFinalize. Return value 3.", "ERROR", None),
        ("Action ended: InstallValidate. Return value 1.", "INFO", None),
    ],
)
def test_the_severity_of_a_line(text: str, severity: str, shown: str | None) -> None:
    line = parse(f"2026-01-31T12:00:00Z {text}", "OCTO1")
    assert line.severity == Severity[severity]
    assert line.at == "2026-01-31T12:00:00Z"
    if shown:
        assert line.text == shown


def test_a_line_without_a_time_has_that_of_the_one_before(logs: Path) -> None:
    write(logs, "OCTO1.log", "2026-01-31T12:00:01Z first", "  at Somewhere()")
    assert [line.at for line in LogTail(logs).poll()] == ["2026-01-31T12:00:01Z"] * 2


def test_a_poll_reads_and_hands_out_a_bounded_part(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 3 * READS
    for n in range(count):
        write(
            logs, f"OCTO{n:03}.log", *[f"2026-01-31T12:00:01Z {'x' * 100} {m}" for m in range(400)]
        )
    read: list[int] = []
    original = _File.read
    monkeypatch.setattr(_File, "read", lambda file: read.append(original(file)) or read[-1])
    tail, found = LogTail(logs), 0
    while True:
        read.clear()
        lines = tail.poll()
        assert len(lines) <= LINES
        assert len(read) <= READS
        assert all(size <= CHUNK for size in read)
        found += len(lines)
        if not tail.behind:
            break
    assert found == count * 400


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 60)), max_size=60),
    st.lists(st.integers(1, 200), max_size=40),
    st.integers(1, 7),
)
def test_no_line_is_lost_doubled_or_out_of_its_files_order_however_it_is_written_and_read(
    written: list[tuple[int, int, int]], pieces: list[int], limit: int
) -> None:
    """Files grow in pieces of any size, clocks jump, and each poll takes a few lines."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        logs = Path(folder) / "20260131-120000-abcd" / "logs"
        logs.mkdir(parents=True)
        patch.setattr("octotui.tui.log_tail.CHUNK", 64)
        rest = {f"N{n}": b"" for n in range(3)}
        for number, (node, second, size) in enumerate(written):
            line = f"2026-01-31T12:00:{second:02}Z {number} {'x' * size}\n"
            rest[f"N{node}"] += line.encode()
        tail, found = LogTail(logs), []
        for n, size in enumerate(pieces):
            name = f"N{n % 3}"
            with (logs / f"{name}.log").open("ab") as file:
                file.write(rest[name][:size])
            rest[name] = rest[name][size:]
            found += tail.poll(limit)
        for name, left in rest.items():
            with (logs / f"{name}.log").open("ab") as file:
                file.write(left)
        quiet = 0
        while quiet < 2:  # what grew during the last look is seen by the next one
            lines = tail.poll(limit)
            found += lines
            quiet = 0 if lines or tail.behind else quiet + 1
    numbers = [(int(line.node[1:]), int(line.text.split()[0])) for line in found]
    assert len(numbers) == len(written)
    for node in range(3):
        wanted = [number for number, (of, _, _) in enumerate(written) if of == node]
        assert [number for of, number in numbers if of == node] == wanted


def test_a_line_without_an_end_is_cut_and_holds_nothing_up(logs: Path) -> None:
    path = logs / "OCTO1.log"
    path.write_bytes(b"x" * (5 * LONGEST))
    tail = LogTail(logs)
    found = tail.poll()
    while tail.behind:
        found += tail.poll()
        assert len(tail._files["OCTO1.log"]._rest) <= LONGEST + CHUNK
    assert [line.text for line in found] == ["x" * LONGEST + CUT]
    write(logs, "OCTO1.log", "the rest of it", "the next line")
    assert [line.text for line in tail.poll()] == ["the next line"]
