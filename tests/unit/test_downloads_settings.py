"""What a profile may say under [sources.official]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from octotui_downloads.plugin import octotui_sources
from octotui_downloads.settings import OfficialSettings


def settings(**given: Any) -> OfficialSettings:
    return OfficialSettings.model_validate(given)


def test_nothing_need_be_said() -> None:
    assert settings().feed_url == "https://octopus.com/download/upgrade/v3"
    assert settings().package_url == (
        "https://download.octopusdeploy.com/octopus/Octopus.{version}-x64.msi"
    )
    assert settings().ca is None


def test_a_site_of_ones_own() -> None:
    own = settings(
        feed_url="http://127.0.0.1:8080/feed",
        package_url="https://mirror.example.com/{version}/Octopus.{version}-x64.msi",
        ca="certificates/ca.pem",
    )
    assert own.feed_url == "http://127.0.0.1:8080/feed"
    assert own.ca == Path("certificates/ca.pem")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"feed_url": "octopus.com/feed"}, "must be an address"),
        ({"feed_url": "ftp://octopus.com/feed"}, "must be an address"),
        ({"feed_url": "file:///etc/passwd"}, "must be an address"),
        ({"feed_url": "https://"}, "must be an address"),
        ({"feed_url": "https://host:port/"}, "must be an address"),
        ({"feed_url": "https://[::1/"}, "must be an address"),
        ({"feed_url": "https://host/a b"}, "must be an address"),
        ({"feed_url": "https://host/\n"}, "must be an address"),
        ({"feed_url": "http://mirror.example.com/feed"}, "must begin with https://"),
        ({"package_url": "http://127.0.0.1.example.com/{version}"}, "must begin with https://"),
        ({"feed_url": "https://user:word@host/"}, "must not hold a user or password"),
        ({"package_url": "https://host/{version}?sig=token"}, "must not hold '.' or '#'"),
        ({"feed_url": "https://host/feed#part"}, "must not hold '.' or '#'"),
        ({"package_url": "https://host/Octopus.msi"}, "must hold {version}"),
        ({"package_url": 5}, "valid string"),
        ({"url": "https://host/"}, "not permitted"),
    ],
)
def test_what_is_refused(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        settings(**given)
    assert len(caught.value.errors()) == 1


def test_a_password_is_not_repeated_by_our_words() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(feed_url="https://user:Summer2026@host/")
    assert "Summer2026" not in "".join(error["msg"] for error in caught.value.errors())


def test_the_plugin_offers_it_under_its_name() -> None:
    (provider,) = octotui_sources()
    assert provider.name == "official"
    assert provider.settings is OfficialSettings
