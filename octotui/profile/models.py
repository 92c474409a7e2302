"""The sections of a profile that octotui itself knows (``[transports]`` etc. are plugins')."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from octotui.api.secrets import SecretReference

#: Phases that a profile may hold before; a test compares them with the table of phases.
HoldablePhase: TypeAlias = Literal[
    "staging",
    "maintenance",
    "draining",
    "stopping",
    "installing",
    "migrating",
    "starting",
    "joining",
    "finishing",
]
HOLDABLE_PHASES: tuple[str, ...] = get_args(HoldablePhase)

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d{1,9}[smhd])+", re.ASCII)


def seconds(text: object) -> float:
    """Seconds of a duration such as ``"30s"`` or ``"1h30m"``. Raises ValueError."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError('must be a duration with its unit in quotes: "30s", "10m", "2h"')
    total = sum(int(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"\d+[smhd]", text))
    if not total:
        raise ValueError("must be longer than nothing")
    return total


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https") or not re.fullmatch(r"\S+", text):
        raise ValueError('must be an address such as "https://octopus.example.com"')
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user name or password")
    return text


def _server_address(text: str) -> str:
    _web_address(text)
    if "?" in text or "#" in text:
        raise ValueError('must be the server\'s own address, without anything from "?" or "#" on')
    return text.rstrip("/")


def _host(text: str) -> str:
    if "://" in text or "/" in text:
        raise ValueError("must be a host's name or address alone, not a URL")
    if re.fullmatch(r"[^:]+:\d+", text):
        raise ValueError("must be without a port: that belongs into the transport's settings")
    if not re.fullmatch(r"[\w.:%-]+", text):
        raise ValueError("must be a host's name or address, without spaces")
    return text


def _node_name(text: str) -> str:
    if not re.fullmatch(r"\w[\w .-]*", text):
        raise ValueError('must be made of letters, digits, "-", "_" and "."')
    return text


def _instance(text: str) -> str:
    if not re.fullmatch(r'[^"\x00-\x1f]+', text):
        raise ValueError("must be the name of an Octopus Server instance")
    return text


def _at_least_one(nodes: tuple[Any, ...]) -> tuple[Any, ...]:
    # Not min_length: pydantic counts only those without a fault.
    if not nodes:
        raise ValueError("must not be empty: write one [[nodes]] for each host")
    return nodes


def _wanted_version(text: str) -> str:
    words = ("latest", "latest-minor", "latest-patch")
    if text not in words and not re.fullmatch(r"\d+\.\d+\.\d+", text, re.ASCII):
        raise PydanticCustomError(
            "wanted_version",
            'must be "latest", "latest-minor", "latest-patch" or a full version',
            {"candidates": words},
        )
    return text


def _reboot(value: object) -> object:
    if isinstance(value, str) and value != "ask":
        raise ValueError('must be "ask": this version does not restart Windows yet, it tells who')
    return value


def _trust(_: object) -> None:
    raise ValueError(
        "must be left out: this version does not do it yet, a node trusts whom its Windows trusts"
    )


Duration: TypeAlias = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+[smhd])+$"}),
]
WebAddress: TypeAlias = Annotated[str, AfterValidator(_web_address)]
ServerAddress: TypeAlias = Annotated[str, AfterValidator(_server_address)]


class Section(BaseModel):
    """A table of a profile: nothing unknown in it, nothing converted, nothing changed later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class OctopusSection(Section):
    """The cluster as its users and its REST API know it."""

    url: ServerAddress = Field(
        description="What users open: the load balancer, or the one server. Without a final slash."
    )
    api_key: SecretReference = Field(
        description="Where the API key is found; its user needs AdministerSystem."
    )
    ca: Path | None = Field(
        default=None,
        strict=False,
        description="PEM file of the authorities to trust in place of the operating system's.",
    )


class DrainSection(Section):
    """What happens to tasks that run when the nodes are drained. ``deadline`` in seconds."""

    policy: Literal["wait", "cancel", "ask"] = "wait"
    deadline: Duration = 1800.0


class UpgradeSection(Section):
    """Target and policies of an upgrade."""

    to: Annotated[str, AfterValidator(_wanted_version)] = "latest-patch"
    source: str = "official"
    first: str | None = Field(
        default=None,
        description="The node that runs the database upgrade; else the first of the profile.",
    )
    rollout: Literal["first-node", "all-nodes"] = "first-node"
    reopen: Literal["all-verified", "first-verified"] = "all-verified"
    on_failure: Literal["ask", "back-out"] = "ask"
    reboot: Annotated[Literal["ask"], BeforeValidator(_reboot)] = "ask"
    hold: tuple[HoldablePhase, ...] = Field(default=("migrating",), strict=False)
    drain: DrainSection = DrainSection()

    @property
    def hold_is_written(self) -> bool:
        """Whether the profile itself asks for the holds: ``--yes`` drops only the default one."""
        return "hold" in self.model_fields_set


class PackageSection(Section):
    """Who must have signed what is installed."""

    signer: str = Field(
        default="same-as-installed",
        min_length=1,
        description="A certificate subject, or same-as-installed.",
    )
    trust: Annotated[None, BeforeValidator(_trust)] = Field(
        default=None, description="Not in this version: a root certificate for packages alone."
    )


class Account(Section):
    """A Windows account with a password."""

    username: str = Field(min_length=1, description=r"DOMAIN\user or user@domain.")
    password: SecretReference = Field(description="Where its password is found.")


class ManagedAccount(Section):
    """A group managed service account, whose password Windows keeps."""

    username: str


Identity: TypeAlias = Literal["connection", "system"] | ManagedAccount | Account


def _identity_kind(value: object) -> str:
    if isinstance(value, (dict, Account)):
        return "account"
    managed = isinstance(value, ManagedAccount) or str(value).startswith("gmsa:")
    return "gmsa" if managed else "word"


def _managed_account(value: object) -> object:
    if not isinstance(value, str):
        return value
    name = value.removeprefix("gmsa:")
    if not re.fullmatch(r'[^\s"]*[^\s"\\]\$', name):
        raise ValueError(r"must name the account with its domain and its $: 'gmsa:EXAMPLE\octo$'")
    return {"username": name}


def _identity_word(value: object) -> object:
    if value not in ("connection", "system"):
        raise ValueError(
            'must be "connection", "system", "gmsa:..." or a table with username and password'
        )
    return value


class JobsSection(Section):
    """As whom long operations run on the nodes."""

    run_as: Annotated[
        Annotated[Literal["connection", "system"], BeforeValidator(_identity_word), Tag("word")]
        | Annotated[
            ManagedAccount,
            BeforeValidator(_managed_account),
            WithJsonSchema({"type": "string", "pattern": r"^gmsa:.+\$$"}),
            Tag("gmsa"),
        ]
        | Annotated[Account, Tag("account")],
        Discriminator(_identity_kind),
    ] = "connection"


class NodeSection(Section):
    """One Windows host of the cluster."""

    name: Annotated[str, AfterValidator(_node_name)] = Field(
        description="The name Octopus knows it by."
    )
    host: Annotated[str, AfterValidator(_host)] = Field(
        description="The host's name or address, for the transport."
    )
    instance: Annotated[str, AfterValidator(_instance)] = "OctopusServer"
    url: ServerAddress | None = Field(
        default=None, description="Its own address, not the balancer's."
    )
    transport: str = "winrm"
    settings: dict[str, Any] = Field(
        default_factory=dict, description="What is different from [transports.NAME] here."
    )


class SmokeSection(Section):
    """A page that must answer after the upgrade."""

    url: WebAddress
    expect: int = Field(default=200, ge=100, le=599)


class ProfileFile(Section):
    """A whole profile, as far as octotui itself knows it; plugins know the rest."""

    octopus: OctopusSection
    upgrade: UpgradeSection = UpgradeSection()
    package: PackageSection = PackageSection()
    transports: dict[str, dict[str, Any]] = {}
    sources: dict[str, dict[str, Any]] = {}
    jobs: JobsSection = JobsSection()
    nodes: Annotated[tuple[NodeSection, ...], AfterValidator(_at_least_one)] = Field(
        strict=False, description="One [[nodes]] for each host."
    )
    backup: dict[str, Any] = Field(description="How the database is saved: kind and its settings.")
    smoke: tuple[SmokeSection, ...] = Field(default=(), strict=False)
