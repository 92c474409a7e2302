"""A profile that was read and found without a fault."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from octotui.profile.models import (
        JobsSection,
        OctopusSection,
        PackageSection,
        SmokeSection,
        UpgradeSection,
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plugin's capability that a profile chose, by the key of ``Providers``, and its settings,

    validated by the model that the plugin brings.
    """

    name: str
    settings: BaseModel


@dataclass(frozen=True, slots=True)
class Node:
    """A node. ``url`` is its own address or empty. ``transport`` carries the node's settings:

    the profile's defaults overlaid by what the node itself says.
    """

    name: str
    host: str
    instance: str
    url: str
    transport: Chosen


@dataclass(frozen=True, slots=True)
class Profile:
    """One environment: the cluster, its nodes, how to reach them, policies.

    It holds no secret, only references; paths in it are absolute.
    """

    path: Path
    octopus: OctopusSection
    upgrade: UpgradeSection
    package: PackageSection
    jobs: JobsSection
    nodes: tuple[Node, ...]
    source: Chosen
    backup: Chosen
    smoke: tuple[SmokeSection, ...]

    @property
    def first_node(self) -> str:
        """The name of the node that runs the database upgrade."""
        return self.upgrade.first or self.nodes[0].name

    def node(self, name: str) -> Node:
        """The node of that name. Raises KeyError."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def redacted(self) -> dict[str, Any]:
        """The profile as JSON values, for the journal. References are in it, secrets are not."""
        from pydantic_core import to_jsonable_python

        values = {
            "path": self.path,
            "octopus": self.octopus,
            "upgrade": self.upgrade,
            "package": self.package,
            "jobs": self.jobs,
            "nodes": self.nodes,
            "source": self.source,
            "backup": self.backup,
            "smoke": self.smoke,
        }
        redacted: dict[str, Any] = to_jsonable_python(values, fallback=str)
        return redacted
