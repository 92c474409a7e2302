"""A transport from somebody else's package, found through its own dist-info, upgrades a node."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from octotui.api.transport import NodeAddress, Transport
from octotui.plugins import Plugins
from octotui_lab import shell
from octotui_lab.inprocess import InProcessTransport
from tests.rehearsal import Estate, assert_as_found, assert_upgraded, changes, quick, rehearse
from tests.simulated_upgrade import Outcome

__all__ = ["quick"]
Publish = Callable[[str, str], None]
pytestmark = pytest.mark.usefixtures("quick")

#: The whole package, as its author would publish it. It imports nothing of octotui but its API.
#: ``acme_wire`` stands for whatever carries commands in the author's world.
ACME = '''
    """Reaches nodes over Acme's management bus."""

    import asyncio

    import acme_wire
    from pydantic import BaseModel

    from octotui.api import Completed, hookimpl
    from octotui.api.errors import ConnectionLost, FileMissing, TimedOut, Unreachable

    octotui_api = 1


    class Settings(BaseModel, extra="forbid"):
        bus: str
        retries: int = 3


    class AcmeTransport:
        def __init__(self, node, settings):
            self.node, self.settings = node, settings

        def _wire(self):
            try:
                return acme_wire.connect(self.settings.bus, self.node.host)
            except LookupError:
                raise Unreachable(
                    f"{self.node.host} is not on the bus {self.settings.bus}", node=self.node.name
                ) from None

        async def run(self, command, *, stdin=b"", timeout, output=None):
            stdout, stderr = bytearray(), bytearray()

            def take(stream, data):
                (stdout if stream == "stdout" else stderr).extend(data)
                if output:
                    output(stream, data)

            try:
                async with asyncio.timeout(timeout):
                    code = await self._wire().execute(list(command), stdin, take)
            except TimeoutError:
                raise TimedOut(
                    f"no end within {timeout:g} s", node=self.node.name
                ) from None
            except EOFError as error:
                raise ConnectionLost("the bus lost the answer", node=self.node.name) from error
            return Completed(code, bytes(stdout), bytes(stderr))

        async def upload(self, data, path):
            self._wire().write(path, data)

        async def download(self, path):
            try:
                return self._wire().read(path)
            except FileNotFoundError:
                raise FileMissing(f"{path} does not exist", node=self.node.name) from None

        async def close(self):
            pass


    class Acme:
        name = "acme"
        settings = Settings

        def connect(self, node, settings, secrets):
            return AcmeTransport(node, settings)

        def unprotected(self, settings):
            return ""

        def credentials(self, settings, secrets):
            return None


    @hookimpl
    def octotui_transports():
        return [Acme()]
'''


@pytest.fixture
def publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str, str], None]]:
    """Installs a package of one module by hand: code and dist-info, where Python looks."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    modules: list[str] = []

    def put(module: str, code: str) -> None:
        modules.append(module)
        (site / f"{module}.py").write_text(dedent(code))
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        name = module.replace("_", "-")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[octotui]\n{module} = {module}\n")

    yield put
    for module in modules:
        sys.modules.pop(module, None)


class NoSecrets:
    """This transport needs none."""

    def resolve(self, reference: object) -> object:
        raise AssertionError("nothing secret is asked for")


class Bus:
    """The author's world: nodes by their host names."""

    def __init__(self) -> None:
        self.wires: dict[str, Wire] = {}

    def connect(self, bus: str, host: str) -> Wire:
        assert bus == "plant-7"
        return self.wires[host]

    def module(self) -> types.ModuleType:
        module = types.ModuleType("acme_wire")
        module.connect = self.connect  # type: ignore[attr-defined]
        return module


class Wire:
    """One simulated node on the bus."""

    def __init__(self, estate: Estate, node: str) -> None:
        self._host = estate.hosts[node]
        self.commands: list[str] = []

    async def execute(
        self, command: list[str], stdin: bytes, take: Callable[[str, bytes], None]
    ) -> int:
        line = subprocess.list2cmdline(command)
        self.commands.append(line)
        return await shell.execute(self._host, OnTheBus(line, stdin, take))

    def write(self, path: str, data: bytes) -> None:
        Path(path).write_bytes(data)

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()


class OnTheBus:
    """A command as the simulated node takes it."""

    user = "ACME\\bus"

    def __init__(self, line: str, stdin: bytes, take: Callable[[str, bytes], None]) -> None:
        self.command_line = line
        self._stdin = stdin
        self._take = take

    async def read_stdin(self) -> bytes:
        return self._stdin

    def write_stdout(self, data: bytes) -> None:
        self._take("stdout", data)

    def write_stderr(self, data: bytes) -> None:
        self._take("stderr", data)


def upgrade(
    folder: Path, bus: Bus, plugins: Plugins, by_acme: Sequence[str] = (), **lab: object
) -> Outcome:
    """Three nodes, of which some are reached over the bus."""

    def transport(name: str, own: InProcessTransport) -> Transport:
        if name not in by_acme:
            return own
        provider = plugins.transports["acme"]
        settings = provider.settings.model_validate({"bus": "plant-7"})
        address = NodeAddress(name, f"{name.lower()}.example.com")
        return provider.connect(address, settings, NoSecrets())  # type: ignore[arg-type]

    async def play(estate: Estate) -> Outcome:
        bus.wires = {
            f"{name.lower()}.example.com": Wire(estate, name) for name in estate.lab.node_names
        }
        return await estate.attempt()

    folder.mkdir(exist_ok=True)
    return rehearse(folder, play, plugins=plugins, transport=transport, **lab)


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    bus = Bus()
    monkeypatch.setitem(sys.modules, "acme_wire", bus.module())
    return bus


def test_somebody_elses_transport_takes_a_node_through_an_upgrade(
    tmp_path: Path, publish: Publish, bus: Bus
) -> None:
    publish("acme_octotui", ACME)
    plugins = Plugins.load()
    (mine,) = [p for p in plugins.installed if p.distribution == "acme-octotui"]
    assert mine.version == "1.0"
    assert plugins.problems == ()
    outcome = upgrade(tmp_path / "lab", bus, plugins, by_acme=["OCTO2"], nodes=3)
    assert_upgraded(outcome)
    commands = bus.wires["octo2.example.com"].commands
    for operation in ("facts", "prove-file", "park", "job-start", "job-status", "unpark"):
        assert any(line.endswith(operation) for line in commands), operation
    assert bus.wires["octo1.example.com"].commands == []


def test_every_node_may_be_reached_that_way(tmp_path: Path, publish: Publish, bus: Bus) -> None:
    publish("acme_octotui", ACME)
    names = ["OCTO1", "OCTO2"]
    assert_upgraded(upgrade(tmp_path / "lab", bus, Plugins.load(), by_acme=names, nodes=2))


@pytest.mark.parametrize(
    "code",
    [
        "import nothing_of_that_name",
        "octotui_api = 99",
        "def octotui_transports(:",
    ],
    ids=["import", "version", "syntax"],
)
def test_a_broken_plugin_is_named_and_harms_nothing(
    tmp_path: Path, publish: Publish, bus: Bus, code: str
) -> None:
    publish("acme_octotui", ACME)
    publish("broken_octotui", code)
    outcome = upgrade(tmp_path / "lab", bus, Plugins.load(), by_acme=["OCTO1"], nodes=1)
    assert_upgraded(outcome)
    (told,) = [e.data for e in outcome.events if e.kind == "plugin.problem"]
    assert told["plugin"] == "broken_octotui"
    assert told["problem"].startswith("broken-octotui 1.0: ")


VETO = """
    from octotui.api import hookimpl

    octotui_api = 1

    @hookimpl
    {kind} octotui_before_phase(phase):
        if phase == "{phase}":
            {does}
"""


@pytest.mark.parametrize(
    ("kind", "does", "words"),
    [
        ("def", "return 'the change was not approved'", "the change was not approved"),
        ("async def", "return 'the change was not approved'", "the change was not approved"),
        ("def", "raise OSError('the ticket system is down')", "the ticket system is down"),
        ("async def", "await __import__('asyncio').sleep(3600)", "no answer within"),
    ],
    ids=["says no", "says no later", "fails", "does not answer"],
)
def test_a_veto_before_anything_changed_ends_the_run(
    tmp_path: Path, publish: Publish, bus: Bus, kind: str, does: str, words: str
) -> None:
    publish("veto_octotui", VETO.format(kind=kind, phase="maintenance", does=does))
    outcome = upgrade(tmp_path / "lab", bus, Plugins.load(), nodes=1)
    assert (outcome.state, outcome.code) == ("failed", 1)
    assert changes(outcome) == []
    (vetoed,) = [e.data for e in outcome.events if e.kind == "phase.vetoed"]
    assert vetoed["phase"] == "maintenance"
    assert words in vetoed["reasons"][0]
    assert "veto_octotui" in vetoed["reasons"][0]
    assert words in outcome.lines, "the last lines say who forbade it"


def test_a_veto_before_the_point_of_no_return_backs_out(
    tmp_path: Path, publish: Publish, bus: Bus
) -> None:
    code = VETO.format(kind="def", phase="migrating", does="return 'not on a Friday'")
    publish("veto_octotui", code)
    outcome = upgrade(tmp_path / "lab", bus, Plugins.load(), nodes=2)
    assert (outcome.state, outcome.code) == ("rolled_back", 1), outcome.lines
    assert_as_found(outcome)
    assert outcome.actions("database-upgrade") == []
    assert "not on a Friday" in outcome.lines


LISTENER = """
    from octotui.api import hookimpl

    octotui_api = 1
    states, steps = [], []

    @hookimpl
    def octotui_changed(event):
        states.append(event.data["to"])

    @hookimpl
    async def octotui_step(event):
        steps.append(event.kind)
        if event.kind == "step.started":
            raise ValueError("not in the mood")
"""


def test_a_listener_is_told_to_the_end_and_may_fail(
    tmp_path: Path, publish: Publish, bus: Bus
) -> None:
    publish("listener_octotui", LISTENER)
    outcome = upgrade(tmp_path / "lab", bus, Plugins.load(), nodes=1)
    assert_upgraded(outcome)
    problems = [e.data["problem"] for e in outcome.events if e.kind == "plugin.problem"]
    assert any("not in the mood" in problem for problem in problems)
    assert "it failed 3 times" in problems[-1]
    heard = sys.modules["listener_octotui"]
    assert heard.states[:2] == ["ready", "staging"]


def test_a_listener_hears_the_last_state(tmp_path: Path, publish: Publish, bus: Bus) -> None:
    quiet = LISTENER.replace('raise ValueError("not in the mood")', "pass")
    publish("listener_octotui", quiet)
    assert_upgraded(upgrade(tmp_path / "lab", bus, Plugins.load(), nodes=1))
    heard = sys.modules["listener_octotui"]
    assert heard.states[-1] == "succeeded"
    assert heard.steps.count("step.started") == heard.steps.count("step.ended") > 10
