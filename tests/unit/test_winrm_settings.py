"""What a profile may say under [transports.winrm]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from octotui.api import NodeAddress, SecretReference
from octotui_winrm.plugin import octotui_transports
from octotui_winrm.settings import WinrmSettings

LEAST = {"username": r"EXAMPLE\svc-octopus", "password": "env:WINRM_PASSWORD"}


def settings(**changes: Any) -> WinrmSettings:
    return WinrmSettings.model_validate(LEAST | changes)


def test_the_defaults_are_the_safe_ones() -> None:
    least = settings()
    assert (least.scheme, least.auth, least.verify, least.ca) == ("https", "ntlm", True, None)
    assert least.effective_port == 5986
    assert settings(scheme="http").effective_port == 5985
    assert settings(port=443).effective_port == 443


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scheme": "http", "auth": "basic"}, "would send the password in clear"),
        ({"password": "Summer2026"}, "must be a reference"),
        ({"username": ""}, "at least 1 character"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"port": 65536}, "less than or equal to 65535"),
        ({"auth": "kerberos"}, "'ntlm' or 'basic'"),
        ({"verify": "no"}, "valid boolean"),
        ({"realm": "X"}, "not permitted"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        settings(**changes)
    assert len(caught.value.errors()) == 1


def test_a_literal_password_is_not_repeated() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(password="Summer2026")
    assert "Summer2026" not in "".join(error["msg"] for error in caught.value.errors())


def test_a_file_is_given_as_text() -> None:
    assert settings(ca="certificates/ca.pem").ca == Path("certificates/ca.pem")


def test_the_account_of_jobs_is_that_of_the_connection() -> None:
    class Known:
        def resolve(self, reference: SecretReference) -> SecretStr:
            return SecretStr(f"secret of {reference.target}")

    (provider,) = octotui_transports()
    credentials = provider.credentials(settings(), Known())
    assert credentials is not None
    assert credentials.username == r"EXAMPLE\svc-octopus"
    assert credentials.password.get_secret_value() == "secret of WINRM_PASSWORD"
    assert "secret of" not in repr(credentials)


def test_a_transport_is_made_without_asking_for_the_secret() -> None:
    class Locked:
        def resolve(self, reference: SecretReference) -> SecretStr:
            raise AssertionError("not yet")

    (provider,) = octotui_transports()
    transport = provider.connect(NodeAddress("OCTO1", "octo1.example.com"), settings(), Locked())
    assert repr(transport) == "<WinRM to OCTO1 at octo1.example.com>"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"verify": False}, "its certificate is not checked"),
        ({"scheme": "http"}, ""),
    ],
)
def test_what_is_not_protected_is_said(given: dict[str, Any], words: str) -> None:
    (provider,) = octotui_transports()
    base = {"username": "admin", "password": "env:PASSWORD"}
    said = provider.unprotected(provider.settings.model_validate({**base, **given}))
    assert said.startswith(words)
    assert bool(said) == bool(words)
