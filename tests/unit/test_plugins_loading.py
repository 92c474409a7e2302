"""Plugins found through their own dist-info folders, good ones and all sorts of broken ones."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from octotui.plugins import InstalledPlugin, PluginProblem, Plugins, installed_plugins

Install = Callable[..., None]

HEADER = """
from octotui.api import hookimpl
from pydantic import BaseModel
octotui_api = 1

class Settings(BaseModel):
    pass

class Thing:
    settings = Settings
    title = "a title"
    mandatory = True
    def __init__(self, name):
        self.name = name
    def open(self, settings, secrets): ...
    def connect(self, node, settings, secrets): ...
    def credentials(self, settings, secrets): ...
    def unprotected(self, settings): ...
    def run(self, facts): ...
    def main(self): ...
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a distribution with one plugin where Python finds it, as an installer would."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def put(
        plugin: str,
        code: str,
        *,
        distribution: str = "",
        version: str = "1.0",
        header: str = HEADER,
    ) -> None:
        distribution = distribution or f"octotui-{plugin}"
        module = f"fake_{distribution.replace('-', '_').replace('.', '_')}_{plugin}"
        (site / f"{module}.py").write_text(header + textwrap.dedent(code))
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        with (info / "entry_points.txt").open("a") as file:
            file.write(
                f"[octotui]\n{plugin} = {module}\n" if not file.tell() else f"{plugin} = {module}\n"
            )

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


def problems(plugins: Plugins) -> dict[str, str]:
    """What is wrong with the plugins of the tests."""
    return {p.plugin: p.problem for p in plugins.problems if p.distribution != "octotui"}


ONE = """
@hookimpl
def octotui_transports():
    return [Thing("pigeon")]
"""


def test_what_a_plugin_brings_is_found(install: Install) -> None:
    install(
        "all",
        """
        @hookimpl
        def octotui_transports():
            return [Thing("pigeon")]
        @hookimpl
        def octotui_sources():
            return (Thing("attic"),)
        @hookimpl
        def octotui_backups():
            yield Thing("stone")
        @hookimpl
        def octotui_checks():
            return [Thing("weather")]
        @hookimpl
        def octotui_commands():
            return [Thing("fly")]
        """,
        version="2.5",
    )
    plugins = Plugins.load()
    assert InstalledPlugin("all", "octotui-all", "2.5") in plugins.installed
    assert plugins.transports["pigeon"].name == "pigeon"
    assert plugins.sources["attic"].name == "attic"
    assert plugins.backups["stone"].name == "stone"
    assert [plugin for check, plugin in plugins.checks if check.name == "weather"] == ["all"]
    assert "fly" in [command.name for command in plugins.commands]
    assert problems(plugins) == {}


def test_names_and_versions_are_listed_without_importing(install: Install) -> None:
    install("bomb", "raise RuntimeError('imported')", version="0.9", header="")
    assert InstalledPlugin("bomb", "octotui-bomb", "0.9") in installed_plugins()
    code = "import sys, octotui.plugins as p; p.installed_plugins(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pydantic" not in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith("octotui_")]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import no_such_module_anywhere", "cannot be imported: ModuleNotFoundError"),
        ("raise ZeroDivisionError('ouch')", "cannot be imported: ZeroDivisionError: ouch"),
        ("import sys; sys.exit('no')", "cannot be imported: SystemExit: no"),
        ("class E(Exception):\n  def __str__(self): return 1/0\nraise E", "cannot be imported: E"),
        ("x = (", "cannot be imported: SyntaxError"),
        ("del octotui_api", "octotui_api = 1 is missing"),
        ("octotui_api = 2", "written for version 2 of octotui's plugin API"),
        (
            "@hookimpl\ndef octotui_transport(): return []",
            "there is no such hook: octotui_transport (did you mean octotui_transports?)",
        ),
        (
            "@hookimpl\ndef octotui_step(event, colour): ...",
            "does not fit the specification",
        ),
        (
            "@hookimpl\ndef octotui_transports(): return 1 / 0",
            "octotui_transports failed: ZeroDivisionError",
        ),
        ("@hookimpl\ndef octotui_sources(): ...", "it returned NoneType instead of a list"),
        ("@hookimpl\nasync def octotui_checks(): ...", "it is a coroutine function"),
        (
            "@hookimpl\ndef octotui_backups(): return [1]",
            "its backup int cannot be used: it has no name",
        ),
        ("@hookimpl\ndef octotui_backups(): return [Thing('')]", "it has no name"),
        ("@hookimpl\ndef octotui_backups(): return [Thing(1)]", "its name 1 is no name"),
        ("@hookimpl\ndef octotui_backups(): return [Thing('a/b')]", "its name 'a/b' is no name"),
        (
            "del Thing.credentials\n@hookimpl\ndef octotui_transports(): return [Thing('x')]",
            '"x" has no method credentials',
        ),
        (
            "Thing.settings = dict\n@hookimpl\ndef octotui_sources(): return [Thing('x')]",
            'the settings of "x" are no pydantic model',
        ),
        (
            "del Thing.mandatory\n@hookimpl\ndef octotui_checks(): return [Thing('x')]",
            '"x" has no mandatory',
        ),
        (
            "Thing.title = property(lambda self: 1 / 0)\n"
            "@hookimpl\ndef octotui_checks(): return [Thing('x')]",
            "ZeroDivisionError",
        ),
    ],
)
def test_a_broken_plugin_is_named_and_the_rest_works(
    install: Install, code: str, told: str
) -> None:
    install("broken", code, version="3.1")
    install("good", ONE)
    plugins = Plugins.load()
    assert told in problems(plugins)["broken"]
    assert "pigeon" in plugins.transports
    [problem] = [p for p in plugins.problems if p.plugin == "broken"]
    assert (problem.distribution, problem.version) == ("octotui-broken", "3.1")
    assert str(problem).startswith("broken (octotui-broken 3.1): ")


def test_a_class_is_made_an_object(install: Install) -> None:
    install(
        "typed",
        """
        import sys
        from octotui.api import OctotuiSpec
        class Plugin(OctotuiSpec):
            octotui_api = 1
            @hookimpl
            def octotui_transports(self):
                return [Thing("typed")]
        sys.modules[__name__] = Plugin
        """,
    )
    assert "typed" in Plugins.load().transports


def test_damaged_metadata_of_others_is_no_matter(install: Install, tmp_path: Path) -> None:
    install("good", ONE)
    site = tmp_path / "site"
    for name, text in {
        "unrelated-1.0.dist-info": "[console_scripts]\nno equals sign here\n",
        "ours-1.0.dist-info": "[octotui]\nno equals sign here\n",
        "nameless-1.0.dist-info": "[octotui]\nnameless = fake_octotui_good_good\n",
    }.items():
        (site / name).mkdir()
        (site / name / "entry_points.txt").write_text(text)
    plugins = Plugins.load()
    found = problems(plugins)
    assert "pigeon" in " ".join(plugins.transports)
    assert "its entry points cannot be read" in found["?"]
    assert InstalledPlugin("nameless", "?", "?") in plugins.installed


def test_the_first_of_two_copies_of_a_distribution_counts(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("good", ONE, version="1.0")
    older = tmp_path / "older" / "Octotui.Good-0.5.dist-info"
    older.mkdir(parents=True)
    (older / "METADATA").write_text("Metadata-Version: 2.1\nName: Octotui.Good\nVersion: 0.5\n")
    (older / "entry_points.txt").write_text("[octotui]\nold = no_such_module\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(older.parent)])
    assert [p.version for p in installed_plugins() if "good" in p.distribution] == ["1.0"]


class TestRivals:
    def test_neither_is_used_unless_chosen(self, install: Install) -> None:
        install("one", ONE, distribution="acme-pigeons")
        install("two", ONE, distribution="Birds.And_Co", version="7.0")
        plugins = Plugins.load()
        assert "pigeon" not in plugins.transports
        assert {"acme-pigeons/pigeon", "birds-and-co/pigeon"} <= set(plugins.transports)
        assert (
            plugins.transports["Birds.And_Co/pigeon"] is plugins.transports["birds-and-co/pigeon"]
        )
        [problem] = [p for p in plugins.problems if "pigeon" in p.problem]
        assert "one (acme-pigeons 1.0)" in problem.problem
        assert "two (Birds.And_Co 7.0)" in problem.problem
        assert "DISTRIBUTION/NAME" in problem.problem

    def test_the_long_name_finds_what_has_no_rival_too(self, install: Install) -> None:
        install("one", ONE, distribution="acme-pigeons")
        plugins = Plugins.load()
        assert "acme-pigeons/pigeon" in plugins.transports
        assert [key for key in plugins.transports if "pigeon" in key] == ["pigeon"]
        with pytest.raises(KeyError):
            plugins.transports["others/pigeon"]

    def test_twice_in_one_distribution_is_of_no_use(self, install: Install) -> None:
        install("one", ONE, distribution="acme")
        install("two", ONE, distribution="acme")
        plugins = Plugins.load()
        assert not [key for key in plugins.transports if "pigeon" in key]
        assert "pigeon" in problems(plugins)["one"]

    def test_checks_are_all_run_and_commands_are_not_used(self, install: Install) -> None:
        both = """
        @hookimpl
        def octotui_checks():
            return [Thing("weather")]
        @hookimpl
        def octotui_commands():
            return [Thing("fly")]
        """
        install("one", both)
        install("two", both)
        plugins = Plugins.load()
        assert [plugin for check, plugin in plugins.checks if check.name == "weather"] == [
            "one",
            "two",
        ]
        assert "fly" not in [command.name for command in plugins.commands]
        assert {"all of them are run", "none of them is used"} <= {
            p.problem.rpartition("; ")[2] for p in plugins.problems
        }


def test_given_entry_points_alone(install: Install) -> None:
    install("good", ONE)
    assert Plugins.load([]).installed == ()
    from importlib.metadata import EntryPoint

    plugins = Plugins.load([EntryPoint("mine", "fake_octotui_good_good", "octotui")])
    assert plugins.installed == (InstalledPlugin("mine", "?", "?"),)
    assert list(plugins.transports) == ["pigeon"]


def test_our_own_plugins_have_no_problems() -> None:
    ours: list[PluginProblem] = [p for p in Plugins.load().problems if p.distribution == "octotui"]
    assert ours == []
