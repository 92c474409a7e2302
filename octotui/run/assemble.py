"""From a request to everything a run needs: profile, plugins, connections, settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from octotui.api.errors import OctotuiError
from octotui.api.secrets import Secrets
from octotui.api.transport import NodeAddress, TransportProvider
from octotui.octopus import open_server
from octotui.plugins import Plugins
from octotui.profile import Node, Profile, SecretStore, load_profile
from octotui.run.directory import state_folder
from octotui.run.preflight import RunSettings
from octotui.run.request import RunRequest
from octotui.upgrade.plan import Options, SmokeTest
from octotui.upgrade.steps.base import SystemClock, World
from octotui.windows import RunAs, RunAsAccount, RunAsManaged, RunAsSystem, WindowsNode


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
    path = Path(request.profile)
    profile = load_profile(path, plugins)
    secrets = SecretStore(path.parent)
    api_key = secrets.resolve(profile.octopus.api_key)
    # The first node's own address where there is one: it is up until the stop and again right
    # after it, and a balancer takes drained nodes away from us.
    url = profile.node(profile.first_node).url or profile.octopus.url
    source, backup = profile.source, profile.backup
    world = World(
        server=open_server(url, api_key, ca=profile.octopus.ca),
        nodes={
            node.name: _open_node(node, profile, plugins, secrets, run_id) for node in profile.nodes
        },
        source=plugins.sources[source.name].open(source.settings, secrets),
        backup=plugins.backups[backup.name].open(backup.settings, secrets),
        cache=state_folder() / "packages",
        api_key=api_key,
        clock=SystemClock(),
    )
    settings = replace(run_settings(profile, request), unprotected=_unprotected(profile, plugins))
    return Parts(world, plugins, settings, secrets.redact)


def _unprotected(profile: Profile, plugins: Plugins) -> tuple[str, ...]:
    """What the profile leaves without protection: explicit, and shown (design section 10)."""
    said = []
    urls = {profile.octopus.url, *(node.url for node in profile.nodes if node.url)}
    said += [
        f"{url} is not encrypted: the API key can be read on the way"
        for url in sorted(urls)
        if url.startswith("http://")
    ]
    for node in profile.nodes:
        why = plugins.transports[node.transport.name].unprotected(node.transport.settings)
        said += [f"{node.name}: {why}"] if why else []
    return tuple(said)


def _open_node(
    node: Node, profile: Profile, plugins: Plugins, secrets: Secrets, run_id: str
) -> WindowsNode:
    provider = plugins.transports[node.transport.name]
    settings = node.transport.settings
    transport = provider.connect(NodeAddress(node.name, node.host), settings, secrets)
    run_as = _run_as(profile, node, provider, secrets)
    return WindowsNode(node.name, transport, run_id=run_id, run_as=run_as)


def _run_as(profile: Profile, node: Node, provider: TransportProvider, secrets: Secrets) -> RunAs:
    """The identity of long operations on a node, by ``[jobs] run_as``."""
    wanted = profile.jobs.run_as
    if wanted == "system":
        return RunAsSystem()
    if wanted == "connection":
        credentials = provider.credentials(node.transport.settings, secrets)
        if credentials is None:
            raise OctotuiError(
                f"the transport '{node.transport.name}' has no password to run jobs with",
                node=node.name,
                next_step="Name another identity in [jobs] run_as",
            )
        return RunAsAccount(credentials.username, credentials.password)
    password = getattr(wanted, "password", None)
    if password is None:
        return RunAsManaged(wanted.username)
    return RunAsAccount(wanted.username, secrets.resolve(password))


def run_settings(profile: Profile, request: RunRequest) -> RunSettings:
    """Profile and request together.

    The default hold is for people who are there: ``--yes`` and unattended runs drop it, a hold
    that the profile writes stays. Nobody there to ask means backing out, unless the profile says
    otherwise.
    """
    policies = profile.upgrade
    asks = policies.on_failure == "ask"
    written = "on_failure" in policies.model_fields_set
    drops_default = request.approved or not request.attended
    return RunSettings(
        profile=request.profile,
        cluster_url=profile.octopus.url,
        to=request.to or policies.to,
        first_node=profile.first_node,
        instances={node.name: node.instance for node in profile.nodes},
        urls={node.name: node.url for node in profile.nodes},
        options=Options(
            rollout=policies.rollout,
            reopen=policies.reopen,
            drain_policy=policies.drain.policy,
            drain_deadline=policies.drain.deadline,
            signer=profile.package.signer,
        ),
        smoke=tuple(SmokeTest(test.url, test.expect) for test in profile.smoke),
        backup_kind=profile.backup.name,
        approved=request.approved,
        attended=request.attended,
        backs_out=not asks or (not request.attended and not written),
        hold=() if drops_default and not policies.hold_is_written else policies.hold,
        waived=request.waived,
    )
