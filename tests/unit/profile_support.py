"""Providers of plugins that do nothing, for profiles in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from octotui.api import SecretReference


class RemoteSettings(BaseModel):
    """A transport's settings, strict as ours are."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    username: str = Field(description="An administrator of the node.")
    password: SecretReference
    auth: Literal["ntlm", "basic"] = "ntlm"
    scheme: Literal["https", "http"] = "https"
    port: int | None = Field(default=None, ge=1, le=65535)
    ca: Path | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _not_in_clear(self) -> RemoteSettings:
        if self.scheme == "http" and self.auth == "basic":
            raise ValueError("basic over http would send the password in clear")
        return self


class ShellSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    user: str
    key: Path


class Proxy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str
    password: SecretReference | None = None


class SiteSettings(BaseModel):
    """A source's settings by somebody who forgot to forbid unknown keys."""

    mirror: str = ""
    proxies: tuple[Proxy, ...] = ()


class FolderSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str


class TroubledSettings(BaseModel):
    """A model whose own validator has a fault, and another that tells what it was given."""

    password: SecretReference | None = None
    talk: str = ""

    @model_validator(mode="before")
    @classmethod
    def _trouble(cls, data: Any) -> Any:
        if "talk" in data:
            raise ValueError(f"cannot use {data['password']}")
        raise RuntimeError(f"a fault of the plugin's, with {data}")


@dataclass
class FakeProvider:
    name: str
    settings: type[BaseModel]


def _by_name(*providers: FakeProvider) -> dict[str, Any]:
    return {provider.name: provider for provider in providers}


@dataclass
class FakeProviders:
    """What the registry of plugins looks like to a profile."""

    transports: Mapping[str, Any] = field(
        default_factory=lambda: _by_name(
            FakeProvider("winrm", RemoteSettings), FakeProvider("ssh", ShellSettings)
        )
    )
    sources: Mapping[str, Any] = field(
        default_factory=lambda: _by_name(
            FakeProvider("official", SiteSettings), FakeProvider("troubled", TroubledSettings)
        )
    )
    backups: Mapping[str, Any] = field(
        default_factory=lambda: _by_name(FakeProvider("node", FolderSettings))
    )
    problems: Sequence[object] = ()
