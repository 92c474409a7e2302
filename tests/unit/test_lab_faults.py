"""How faults are written, refused and explained."""

from __future__ import annotations

import pytest

from octotui_lab.faults import KINDS, FaultSet, fault_help, parse_fault


@pytest.mark.parametrize(
    ("text", "scope", "name", "value", "left"),
    [
        ("node2:msi-exit=1603", "node2", "msi-exit", "1603", None),
        ("node2:msi-exit=1618,times=2", "node2", "msi-exit", "1618", 2),
        ("node1:slow=2.5", "node1", "slow", "2.5", None),
        ("cluster:slow-drain", "cluster", "slow-drain", "", None),
        ("cluster:api-503=30", "cluster", "api-503", "30", None),
        (" database:backup-fails,times=1 ", "database", "backup-fails", "", 1),
        ("api-key:not-administrator", "api-key", "not-administrator", "", None),
    ],
)
def test_a_fault_is_read(text: str, scope: str, name: str, value: str, left: int | None) -> None:
    fault = parse_fault(text, 3)
    assert (fault.scope, fault.kind.name, fault.value, fault.left) == (scope, name, value, left)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "SCOPE:NAME"),
        ("node2", "SCOPE:NAME"),
        ("node4:disk-full", "there is no node4, this lab has 3 nodes"),
        ("node0:disk-full", "unknown scope 'node0'"),
        ("databse:down", "did you mean database?"),
        ("node1:msi-exti=1603", "did you mean msi-exit?"),
        ("node1:upgrade-fails", "did you mean database:upgrade-fails"),
        ("cluster:whatever", "there are unknown-node"),
        ("node1:msi-exit", "needs a value"),
        ("node1:msi-exit=", "needs a value"),
        ("node1:msi-exit=5", "CODE must be one of 1602"),
        ("node1:slow=fast", "FACTOR must be a number greater than 0"),
        ("node1:slow=0", "FACTOR must be a number greater than 0"),
        ("node1:slow=nan", "FACTOR must be a number greater than 0"),
        ("node1:disk-full=1", "takes no value"),
        ("node1:disk-full,times=2", "cannot be limited"),
        ("node1:msi-exit=1618,times=0", "only times=N"),
        ("node1:msi-exit=1618,often", "only times=N"),
    ],
)
def test_bad_text_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_fault(text, 3)
    assert says in str(refused.value)


def test_times_counts_occasions_down() -> None:
    faults = FaultSet(1)
    faults.add("node1:msi-exit=1618,times=2")
    faults.add("node1:msi-exit=3010")
    assert [faults.take("node1", "msi-exit") for _ in range(4)] == ["1618", "1618", "3010", "3010"]


def test_looking_uses_no_occasion_up() -> None:
    faults = FaultSet(1)
    faults.add("node1:unreachable,times=1")
    assert faults.value("node1", "unreachable") == faults.value("node1", "unreachable") == ""
    faults.take("node1", "unreachable")
    assert faults.value("node1", "unreachable") is None


def test_a_fault_can_be_taken_away() -> None:
    faults = FaultSet(1)
    faults.add("database:down")
    assert faults.remove("database", "down")
    assert not faults.has("database", "down")
    assert not faults.remove("database", "down")


def test_help_has_a_line_for_each_fault() -> None:
    lines = fault_help().splitlines()
    assert len(lines) == len(KINDS) == len({kind.usage for kind in KINDS})
    assert lines[7].startswith("nodeK:msi-exit=CODE[,times=N]")
    assert all(kind.does.endswith(".") and kind.does in fault_help() for kind in KINDS)
