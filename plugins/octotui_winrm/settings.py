"""What a profile says under ``[transports.winrm]``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from octotui.api import SecretReference

HTTPS_PORT = 5986
HTTP_PORT = 5985


class WinrmSettings(BaseModel):
    """How to reach WinRM on a node."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    username: str = Field(
        min_length=1,
        description="An administrator of the node: user, DOMAIN\\user or user@domain.",
    )
    password: SecretReference = Field(description="Where its password is found.")
    auth: Literal["ntlm", "basic"] = Field(
        "ntlm", description="Basic needs https, and knows local accounts only."
    )
    scheme: Literal["https", "http"] = Field(
        "https", description="Over http every message is encrypted by NTLM."
    )
    port: int | None = Field(
        None, ge=1, le=65535, description="Default: 5986 for https, 5985 for http."
    )
    ca: Path | None = Field(
        None,
        strict=False,
        description=(
            "PEM file of the authorities that sign the nodes' certificates, in place of those "
            "that the operating system trusts."
        ),
    )
    verify: bool = Field(
        True, description="false accepts any certificate, and whoever shows it gets the password."
    )

    @model_validator(mode="after")
    def _password_stays_secret(self) -> WinrmSettings:
        if self.scheme == "http" and self.auth == "basic":
            raise ValueError(
                "basic over http would send the password in clear: "
                'use scheme = "https" or auth = "ntlm"'
            )
        return self

    @property
    def effective_port(self) -> int:
        """The port to connect to."""
        return self.port or (HTTPS_PORT if self.scheme == "https" else HTTP_PORT)
