"""Resolving secrets' references, and masking what was resolved wherever text is written."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from octotui.api.errors import SecretError
from octotui.api.secrets import SecretReference, Secrets
from octotui.profile.references import split_command, split_keyring

if TYPE_CHECKING:
    from pydantic import SecretStr

MASK = "***"

#: Seconds that a ``cmd:`` may take. Somebody may have to touch a hardware key.
COMMAND_LIMIT = 60.0

#: Seconds for which a ``cmd:`` is not run again: fifty nodes that connect at once ask fifty times.
COMMAND_FRESH = 60.0

#: A secret's file is no larger than this, in bytes.
_LARGEST_FILE = 64 * 1024

#: Lines of a secret with fewer characters are masked only together with the others.
_SHORTEST_LINE = 4


class SecretStore(Secrets):
    """Resolves references when they are needed, and knows every secret it ever gave out.

    ``folder`` is the profile's: ``file:`` is relative to it and ``cmd:`` runs in it. Safe to use
    from several threads.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] = os.environ,
        command_limit: float = COMMAND_LIMIT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._command_limit = command_limit
        self._monotonic = monotonic
        self._commands: dict[str, tuple[float, str]] = {}
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._revealed: set[str] = set()

    def __repr__(self) -> str:
        return f"SecretStore({str(self._folder)!r})"

    def resolve(self, reference: SecretReference) -> SecretStr:
        """The secret, masked wherever it is shown. Raises SecretError, which never holds it."""
        from pydantic import SecretStr

        resolvers = {
            "env": self._from_environment,
            "file": self._from_file,
            "keyring": self._from_keyring,
            "cmd": self._from_command,
        }
        text = resolvers[reference.scheme](reference.target)
        if not text.strip():
            raise SecretError(f"{_named(reference)} is empty", next_step="Store the secret there")
        self.remember(text)
        return SecretStr(text)

    def remember(self, secret: str) -> None:
        """Has ``redact`` mask this text from now on, however it is written down."""
        # Whoever uses it may take the blanks around it away. Short lines of a longer secret, such
        # as the brackets of JSON, are no secret by themselves, and every other text holds them.
        texts = {secret, secret.strip()}
        texts |= {
            line.strip() for line in secret.splitlines() if len(line.strip()) >= _SHORTEST_LINE
        }
        forms: set[str] = set()
        for text in texts - {""}:
            forms |= {text, repr(text)[1:-1], quote(text, safe="")}
            forms |= {
                json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)
            }
        with self._lock:
            self._revealed |= forms

    def redact(self, text: str) -> str:
        """The text without any secret that was given out so far."""
        with self._lock:
            revealed = sorted(self._revealed, key=len, reverse=True)
        for secret in revealed:
            text = text.replace(secret, MASK)
        return text

    def _from_environment(self, name: str) -> str:
        if name not in self._environment:
            raise SecretError(
                f"the environment variable {name} is not set",
                next_step="Set it in the session that starts octotui",
            )
        return self._environment[name]

    def _from_file(self, name: str) -> str:
        try:
            path = self._folder / Path(name).expanduser()
            with path.open("rb") as file:
                data = file.read(_LARGEST_FILE + 1)
        except (OSError, ValueError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SecretError(
                f"the secret's file {name} cannot be read: {reason}",
                next_step=f"file: is relative to the profile's folder, {self._folder}",
            ) from None
        if len(data) > _LARGEST_FILE:
            raise SecretError(f"the secret's file {name} is far too large for a secret")
        try:
            return _without_line_end(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            # The exception holds the bytes: it must not go on as the cause of ours.
            raise SecretError(f"the secret's file {name} is not UTF-8") from None

    def _from_keyring(self, target: str) -> str:
        service, user = split_keyring(target)
        try:
            keyring = import_module("keyring")
            errors = import_module("keyring.errors")
        except ImportError:
            raise SecretError(
                f"keyring:{target} needs the package keyring, which is not installed",
                next_step="Install octotui[keyring], or refer to the secret by env:, file: or cmd:",
            ) from None
        try:
            secret: str | None = keyring.get_password(service, user)
        except errors.NoKeyringError:
            raise SecretError(
                "this machine has no keyring to read from",
                meaning="That is usual in an SSH session or a CI job, where no desktop runs",
                next_step="Refer to the secret by env:, file: or cmd: here",
            ) from None
        except errors.KeyringError as error:
            raise SecretError(
                f"the keyring would not give out keyring:{target}: {type(error).__name__}",
                next_step="Unlock the keyring, then retry",
            ) from None
        if secret is None:
            raise SecretError(
                f"the keyring has nothing for service {service} and user {user}",
                next_step=f"Store it: keyring set {service} {user}",
            )
        return secret

    def _from_command(self, target: str) -> str:
        argv = split_command(target)
        if not argv:
            raise SecretError(
                'cmd: must be followed by a JSON array, as in cmd:["pass", "octopus"]'
            )
        # A lock of its own: others mask their texts while somebody touches a hardware key.
        with self._asking:
            known = self._commands.get(target)
            if known and self._monotonic() - known[0] < COMMAND_FRESH:
                return known[1]
            secret = self._run(argv)
            self._commands[target] = (self._monotonic(), secret)
            return secret

    def _run(self, argv: list[str]) -> str:
        program = argv[0]
        try:
            # No shell, and nothing on standard input: it may ask nobody.
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SecretError(f"the secret's command {program} cannot be run: {reason}") from None
        try:
            output, _ = process.communicate(timeout=self._command_limit)
        except subprocess.TimeoutExpired:
            # Not subprocess.run: on Windows that reads on, as long as anything that the program
            # has started keeps its output open.
            process.kill()
            process.wait()
            raise SecretError(
                f"the secret's command {program} gave no answer within {self._command_limit:.0f} s",
                next_step="Run it by hand: it may wait for somebody to unlock something",
            ) from None
        if process.returncode:
            # What it wrote may hold the secret, so that is not repeated.
            raise SecretError(
                f"the secret's command {program} ended with exit code {process.returncode}",
                next_step="Run it by hand to see what it says",
            )
        try:
            return _without_line_end(output.decode("utf-8"))
        except UnicodeDecodeError:
            raise SecretError(f"the secret's command {program} wrote no UTF-8") from None


def _named(reference: SecretReference) -> str:
    if reference.scheme == "cmd":
        return f"the answer of the secret's command {split_command(reference.target)[0]}"
    return f"what {reference.reference} refers to"


def _without_line_end(text: str) -> str:
    """Editors and programs end the last line; that is no part of the secret."""
    return text.removesuffix("\n").removesuffix("\r")
