"""JSON becomes the facts' dataclasses strictly, and errors name the field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octotui.api.facts import (
    DatabaseState,
    FileProof,
    Job,
    NodeFacts,
    Parked,
    Service,
    Services,
    WatchdogTask,
)
from octotui.windows.conversion import ConversionError, convert

SERVICE = {
    "name": "OctopusDeploy",
    "instance": "OctopusServer",
    "state": "running",
    "start_type": "automatic",
    "process_id": 4711,
    "account": "LocalSystem",
}


def test_nested_values_become_what_the_types_say() -> None:
    services = convert({"services": [SERVICE], "processes": []}, Services)
    assert services == Services((Service(**SERVICE),), ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": "paused"}, "services[0].state is 'paused', not one of running, stopped"),
        ({"process_id": "4711"}, "services[0].process_id is '4711', not a whole number"),
        ({"process_id": True}, "services[0].process_id is true, not a whole number"),
        ({"process_id": 1.5}, "services[0].process_id is 1.5, not a whole number"),
        ({"name": None}, "services[0].name is null, not text"),
        ({"name": ["x"]}, "services[0].name is a list, not text"),
        ({"more": 1}, "services[0].more is unknown here"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert({"services": [SERVICE | change], "processes": []}, Services)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", sorted(SERVICE))
def test_every_field_must_be_there(name: str) -> None:
    rest = {key: value for key, value in SERVICE.items() if key != name}
    with pytest.raises(ConversionError, match=rf"services\[0\]\.{name} is missing"):
        convert({"services": [rest], "processes": []}, Services)


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_only_an_object_becomes_a_dataclass(value: object) -> None:
    with pytest.raises(ConversionError, match=r"the answer is .*, not an object"):
        convert(value, Services)


def test_optional_and_free_values() -> None:
    job = {"id": "a", "state": "absent", "exit_code": None, "result": {"x": [1]}, "output": ""}
    assert convert({**job, "next_offset": 0}, Job).result == {"x": [1]}
    assert convert({**job, "next_offset": 0, "exit_code": 3010}, Job).exit_code == 3010
    with pytest.raises(ConversionError, match="exit_code is 'x', not a whole number"):
        convert({**job, "next_offset": 0, "exit_code": "x"}, Job)
    with pytest.raises(ConversionError, match="result is null, not an object"):
        convert({**job, "next_offset": 0, "result": None}, Job)


@dataclass(frozen=True)
class Example:
    seconds: float
    note: str = "none"


def test_whole_numbers_are_numbers_and_defaults_may_be_left_out() -> None:
    assert convert({"seconds": 3}, Example) == Example(3.0)
    with pytest.raises(ConversionError, match="seconds is true, not a number"):
        convert({"seconds": True}, Example)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)


@given(_json, st.sampled_from([Services, NodeFacts, DatabaseState, Job, FileProof, Parked]))
def test_nothing_but_a_conversion_error_comes_of_any_json(value: object, wanted: type) -> None:
    try:
        converted = convert(value, wanted)
    except ConversionError:
        return
    assert isinstance(converted, wanted)


@given(st.lists(st.builds(WatchdogTask, st.text(), st.booleans()), max_size=3))
def test_what_was_written_is_read_again(tasks: list[WatchdogTask]) -> None:
    written = {"services": [], "watchdog": [dataclasses.asdict(task) for task in tasks]}
    assert convert(written, Parked) == Parked((), tuple(tasks))
