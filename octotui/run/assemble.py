"""From a request to everything a run needs: profile, plugins, connections, settings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from octotui.api.errors import OctotuiError
from octotui.api.transport import NodeAddress
from octotui.octopus import open_server
from octotui.plugins import Plugins
from octotui.profile import Profile, SecretStore, load_profile
from octotui.run.directory import state_folder
from octotui.run.preflight import RunSettings
from octotui.run.request import RunRequest
from octotui.upgrade.plan import Options, SmokeTest
from octotui.upgrade.steps.base import SystemClock, World
from octotui.windows import WindowsNode

if TYPE_CHECKING:
    from octotui.windows import RunAs


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a run is made of. ``redact`` masks every secret that was revealed."""

    world: World
    plugins: Plugins
    settings: RunSettings
    redact: Callable[[str], str]


def assemble(request: RunRequest, run_id: str) -> Parts:
    """Reads the profile and opens what it names; connects to nothing yet.

    Raises ProfileFaults, SecretError, OctotuiError.
    """
    plugins = Plugins.load()
    profile = load_profile(Path(request.profile), plugins)
    secrets = SecretStore(Path(request.profile).parent)
    api_key = secrets.resolve(profile.octopus.api_key)
    first = profile.first_node
    nodes = {}
    for node in profile.nodes:
        provider = plugins.transports[node.transport]
        transport = provider.connect(NodeAddress(node.name, node.host), node.settings, secrets)
        run_as = _run_as(profile, node.name, plugins, secrets)
        nodes[node.name] = WindowsNode(node.name, transport, run_id=run_id, run_as=run_as)
    world = World(
        # The first node's own address where there is one: it is the last to stop and the first
        # to start, and a balancer takes drained nodes away from us.
        server=open_server(first.url or profile.octopus.url, api_key, ca=profile.octopus.ca),
        nodes=nodes,
        source=plugins.sources[profile.upgrade.source].open(profile.source_settings, secrets),
        backup=plugins.backups[profile.backup.kind].open(profile.backup.settings, secrets),
        cache=state_folder() / "packages",
        api_key=api_key,
        clock=SystemClock(),
    )
    return Parts(world, plugins, _settings(profile, request), secrets.redact)
