"""Which version a profile's ``to`` means."""

from __future__ import annotations

import pytest

from octotui.api.errors import OctotuiError
from octotui.upgrade.versions import Version, choose

OFFERED = ["2025.4.10428", "2025.2.13071", "2025.2.13099", "2026.1.5", "2025.3.14287", "2025.4.1-x"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("latest", "2026.1.5"),
        ("latest-minor", "2025.4.10428"),
        ("latest-patch", "2025.2.13099"),
        ("2025.3.14287", "2025.3.14287"),
        (" 2025.3.14287 ", "2025.3.14287"),
    ],
)
def test_wanted(wanted: str, expected: str) -> None:
    assert choose(wanted, "2025.2.13071", OFFERED) == expected


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("2025.3.1", "not offered"),
        ("newest", "neither a version"),
        ("", "neither a version"),
    ],
)
def test_refused(wanted: str, words: str) -> None:
    with pytest.raises(OctotuiError, match=words):
        choose(wanted, "2025.2.13071", OFFERED)


def test_nothing_newer() -> None:
    with pytest.raises(OctotuiError, match=r"nothing newer than 2026\.1\.5"):
        choose("latest", "2026.1.5", OFFERED)


def test_builds_are_numbers_not_text() -> None:
    assert Version.parse("2025.2.9999") < Version.parse("2025.2.13071")
    assert choose("latest-patch", "2025.2.900", ["2025.2.1000", "2025.2.999"]) == "2025.2.1000"


@pytest.mark.parametrize("text", ["2025.2", "2025.2.3.4", "v2025.2.3", "2025.2.3-eap", "", "a.b.c"])
def test_not_a_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not an Octopus version"):
        Version.parse(text)
