"""The secrets that a run's profile names, so that a bundle can be masked with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from octotui.api.errors import SecretError
from octotui.api.secrets import SecretReference
from octotui.profile.references import is_reference, split_command
from octotui.profile.secrets import SecretStore

#: Longer files are no profiles, in bytes.
_LARGEST = 256 * 1024

#: A ``cmd:`` that a person has to answer has this long, in seconds.
_COMMAND_LIMIT = 30.0

#: Looking these up may ask a person: to unlock something, to touch a key.
_ASKING = ("keyring", "cmd")


@dataclass(slots=True)
class Known:
    """What is known of a profile. ``text`` None: it cannot be read, ``why`` says it.

    ``looked_up`` names the references that were found, ``unknown`` the others with the reason.
    """

    path: Path
    secrets: SecretStore
    text: str | None = None
    why: str = ""
    looked_up: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)


def known_secrets(profile: Path, *, may_ask: bool) -> Known:
    """Reads the profile and looks up what it refers to, as far as nobody has to be asked.

    Plain TOML is read, not a validated profile: neither a fault in it nor a plugin that is gone
    must leave a secret unmasked.
    """
    secrets = SecretStore(profile.parent, command_limit=_COMMAND_LIMIT)
    known = Known(profile, secrets)
    try:
        with profile.open("rb") as file:
            known.text = file.read(_LARGEST).decode("utf-8-sig", "replace")
        data = tomli.loads(known.text.replace("\r\n", "\n"))
    except (OSError, ValueError, RecursionError) as error:
        # What TOML's reader says may quote the place, and that may be a secret.
        reason = error.strerror if isinstance(error, OSError) else "it is no TOML"
        known.why = f"{profile}: {reason}"
        return known
    for reference in sorted(set(_references(data)), key=lambda found: found.reference):
        name = shown(reference)
        if reference.scheme in _ASKING and not may_ask:
            known.unknown[name] = "looking it up may ask a person, so it was not done"
            continue
        try:
            secrets.resolve(reference)
            known.looked_up.append(name)
        except SecretError as error:
            known.unknown[name] = error.what
    return known


def may_be_asked(reference: SecretReference, *, may_ask: bool) -> bool:
    """Whether the reference can be looked up as things are."""
    return may_ask or reference.scheme not in _ASKING


def shown(reference: SecretReference) -> str:
    """A reference by name; of a command only the program."""
    if reference.scheme == "cmd":
        return f"cmd:{split_command(reference.target)[0]}"
    return reference.reference


def _references(value: Any) -> Iterator[SecretReference]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, str) and is_reference(value):
        yield SecretReference(value)
