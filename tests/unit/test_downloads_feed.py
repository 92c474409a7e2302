"""Reading the version feed, whose shape nobody documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from octotui.api import Release
from octotui.api.errors import SourceError
from octotui_downloads.feed import is_version, read_feed

URL = "https://octopus.example.com/feed"


def read(*entries: Any) -> list[Release]:
    return read_feed(json.dumps(entries).encode(), URL)


def test_order_is_the_feeds_own_and_nobodys_business() -> None:
    versions = ["2025.2.13071", "3.17.14", "2025.10.1"]
    assert [r.version for r in read(*({"Version": v} for v in versions))] == versions


@pytest.mark.parametrize(
    "version",
    [
        "2025.4.1-hotfix.2",
        "2025.4",
        "2025.4.1.0",
        "v2025.4.1",
        "2025.4.x",
        "",
        None,
        20254,
        "٢٠٢٥.4.1",
        "2025.4.1\n",
    ],
)
def test_what_is_not_a_released_version_is_left_out(version: Any) -> None:
    assert read({"Version": version}, {"Version": "2025.4.2"}) == [Release("2025.4.2")]
    assert not is_version(str(version))


@pytest.mark.parametrize(
    "entry",
    [
        {"Released": "2025-09-02T10:11:12.1234567+10:00"},
        {"ReleaseDate": "2025-09-02"},
        {"PublishedAt": "2025-09-02 10:11"},
        {"date": "2025-09-02"},
        {"Released": "soon", "Published": "2025-09-02"},
        {"Released": None, "Created": "2025-09-02"},
    ],
)
def test_a_date_by_any_name(entry: dict[str, Any]) -> None:
    assert read({"Version": "2025.4.2", **entry}) == [Release("2025.4.2", "2025-09-02")]


@pytest.mark.parametrize(
    "entry", [{}, {"Released": ""}, {"Released": "02/09/2025"}, {"Released": 5}, {"When": "2025"}]
)
def test_a_date_that_is_missing_or_unreadable_is_no_fault(entry: dict[str, Any]) -> None:
    assert read({"Version": "2025.4.2", **entry}) == [Release("2025.4.2", "")]


def test_a_version_listed_twice_is_one() -> None:
    twice = [{"Version": "2025.4.2"}, {"Version": "2025.4.2", "Released": "2025-09-02"}]
    assert read(*twice) == [Release("2025.4.2", "2025-09-02")]


def test_entries_that_are_no_objects_are_left_out() -> None:
    assert read("2025.4.1", None, ["Version"], {"Version": "2025.4.2"}) == [Release("2025.4.2")]


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"<!DOCTYPE html>", "not with JSON"),
        (b"", "not with JSON"),
        (b"\xff\xfe", "not with JSON"),
        (b"[" * 100_000, "not with JSON"),
        (b'{"Version": "2025.4.2"}', "no list"),
        (b"[]", "no released version"),
        (b'[{"Version": "2025.4.2-beta"}]', "no released version"),
    ],
)
def test_what_is_no_feed_is_told(document: bytes, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint) as caught:
        read_feed(document, URL)
    assert URL in str(caught.value)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["Version", "version", "Released", "Date"]),
            st.text(max_size=12) | st.none() | st.integers() | st.lists(st.none(), max_size=1),
        )
        | st.text(max_size=3)
    )
)
def test_any_list_is_read_or_refused(entries: list[Any]) -> None:
    try:
        releases = read(*entries)
    except SourceError:
        return
    assert releases
    assert all(is_version(release.version) for release in releases)
