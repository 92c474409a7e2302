"""What a command line of msiexec asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from octotui_lab.model.state import Node


@dataclass(slots=True)
class MsiArguments:
    """``/i`` has a ``package`` (path), ``/x`` a ``product_code``. Property names in upper case."""

    package: str = ""
    product_code: str = ""
    quiet: bool = False
    no_restart: bool = False
    log: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def problems(self, node: Node) -> list[str]:
        """What is missing or wrong for an unattended install into the directory in use."""
        problems = []
        if not self.quiet:
            problems.append("msiexec without /quiet waits for a person")
        if not self.no_restart:
            problems.append("msiexec without /norestart may restart the host (I#3612)")
        if self.properties.get("RUNMANAGERONEXIT", "").lower() != "no":
            problems.append("msiexec without RUNMANAGERONEXIT=no starts Octopus Manager")
        wanted, found = self.properties.get("INSTALLLOCATION", ""), install_directory(node)
        if not wanted:
            problems.append("msiexec without INSTALLLOCATION installs into the default directory")
        elif os.path.normpath(wanted) != os.path.normpath(found):
            problems.append(f"INSTALLLOCATION is {wanted}, not the directory in use, {found}")
        return problems


def install_directory(node: Node) -> str:
    """Where Octopus Server is, or would be, installed on a node."""
    return f"{node.root}/Program Files/Octopus Deploy/Octopus"


def parse(arguments: Sequence[str]) -> MsiArguments:
    """Reads msiexec's arguments, without the program's own name."""
    parsed = MsiArguments()
    rest = iter(arguments)
    for argument in rest:
        option = argument.lower().replace("-", "/", 1) if argument[:1] in "/-" else ""
        if option in {"/i", "/package"}:
            parsed.package = _unquoted(next(rest, ""))
        elif option in {"/x", "/uninstall"}:
            parsed.product_code = _unquoted(next(rest, ""))
        elif option in {"/quiet", "/qn"}:
            parsed.quiet = True
        elif option == "/norestart":
            parsed.no_restart = True
        elif option.startswith("/l"):
            parsed.log = _unquoted(next(rest, ""))
        elif not option and "=" in argument:
            name, _, value = _unquoted(argument).partition("=")
            parsed.properties[name.upper()] = _unquoted(value)
        else:
            parsed.unknown.append(argument)
    return parsed


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text
