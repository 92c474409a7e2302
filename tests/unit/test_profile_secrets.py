"""Resolving references, and masking what was resolved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from octotui.api import SecretReference
from octotui.api.errors import SecretError
from octotui.profile import SecretStore

SECRET = 'hunter2 "ü" \\ 100%'


def command(code: str) -> SecretReference:
    return SecretReference("cmd:" + json.dumps([sys.executable, "-c", code]))


def refused(store: SecretStore, reference: SecretReference | str) -> str:
    if isinstance(reference, str):
        reference = SecretReference(reference)
    with pytest.raises(SecretError) as caught:
        store.resolve(reference)
    error: BaseException | None = caught.value
    while error:  # not even the exceptions behind it may hold the secret
        assert "hunter2" not in repr(error) + str(error)
        error = error.__cause__
    return str(caught.value)


def test_environment(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, environment={"KEY": SECRET, "EMPTY": " \n"})
    assert store.resolve(SecretReference("env:KEY")).get_secret_value() == SECRET
    assert "KEY2 is not set" in refused(store, "env:KEY2")
    assert "env:EMPTY refers to is empty" in refused(store, "env:EMPTY")


@pytest.mark.parametrize(
    "content", [SECRET, SECRET + "\n", SECRET + "\r\n", "\ufeff" + SECRET + "\n"]
)
def test_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "key.txt").write_bytes(content.encode())
    store = SecretStore(tmp_path)
    assert store.resolve(SecretReference("file:key.txt")).get_secret_value() == SECRET
    absolute = SecretReference(f"file:{tmp_path / 'key.txt'}")
    assert store.resolve(absolute).get_secret_value() == SECRET


def test_files_that_are_of_no_use(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    (tmp_path / "large").write_bytes(b"hunter2" * 10000)
    missing = refused(store, "file:missing")
    assert "missing cannot be read: No such file" in missing
    assert str(tmp_path) in missing
    assert "is empty" in refused(store, "file:empty")
    assert "not UTF-8" in refused(store, "file:binary")
    assert "too large" in refused(store, "file:large")
    assert "cannot be read" in refused(store, "file:.")
    assert "cannot be read" in refused(store, "file:a\0b")


class TestCommand:
    def test_its_output_is_the_secret(self, tmp_path: Path) -> None:
        code = "import os, sys; print('hunter2', os.path.realpath('.'), sys.stdin.read() == '')"
        secret = SecretStore(tmp_path).resolve(command(code)).get_secret_value()
        assert secret == f"hunter2 {tmp_path.resolve()} True"

    def test_no_shell_is_in_between(self, tmp_path: Path) -> None:
        argv = [sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME;`id`&|"]
        reference = SecretReference(f"cmd:{json.dumps(argv)}")
        assert SecretStore(tmp_path).resolve(reference).get_secret_value() == "$HOME;`id`&|"

    def test_what_it_writes_when_it_fails_is_not_repeated(self, tmp_path: Path) -> None:
        code = "import sys; print('hunter2'); print('hunter2', file=sys.stderr); sys.exit(3)"
        assert "exit code 3" in refused(
            SecretStore(tmp_path), command(code.replace("hunter2", "hun' + 'ter2"))
        )

    def test_time_limit(self, tmp_path: Path) -> None:
        store = SecretStore(tmp_path, command_limit=0.05)
        assert "no answer within" in refused(store, command("import time; time.sleep(60)"))

    def test_the_time_limit_holds_on_windows_whatever_the_program_started(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There the standard library goes on to read what a grandchild keeps open: az.cmd does."""
        kill = subprocess.Popen.kill

        def kill_on_windows(process: subprocess.Popen[bytes]) -> None:
            monkeypatch.setattr(subprocess, "_mswindows", True)
            kill(process)

        monkeypatch.setattr(subprocess.Popen, "kill", kill_on_windows)
        store = SecretStore(tmp_path, command_limit=0.5)
        grandchild = [sys.executable, "-c", "import time; time.sleep(20)"]
        code = f"import subprocess, time; subprocess.Popen({grandchild!r}); time.sleep(20)"
        begun = time.monotonic()
        assert "no answer within" in refused(store, command(code))
        assert time.monotonic() - begun < 10

    def test_texts_are_masked_meanwhile(self, tmp_path: Path) -> None:
        """The event loop masks what it writes down, and must not wait for a hardware key."""
        os.mkfifo(tmp_path / "touch")
        store = SecretStore(tmp_path, environment={"KEY": SECRET})
        store.resolve(SecretReference("env:KEY"))
        code = "print(open('touch').read())"
        with ThreadPoolExecutor() as threads:
            asked = threads.submit(store.resolve, command(code))
            with (tmp_path / "touch").open("w") as touch:  # opens when the command reads
                masked = threads.submit(store.redact, SECRET).result(timeout=5)
                touch.write("touched")
            assert asked.result(timeout=20).get_secret_value() == "touched"
        assert masked == "***"

    def test_others(self, tmp_path: Path) -> None:
        store = SecretStore(tmp_path)
        assert "cannot be run: No such file" in refused(store, 'cmd:["no-such-program-here"]')
        assert "JSON array" in refused(store, "cmd:pass octopus")
        assert "is empty" in refused(store, command("pass"))
        assert "no UTF-8" in refused(
            store, command("import sys; sys.stdout.buffer.write(b'\\xff')")
        )

    def test_it_is_asked_once_for_many_nodes_and_again_later(self, tmp_path: Path) -> None:
        now = [0.0]
        code = "open('calls', 'a').write('x'); print(len(open('calls').read()))"
        store = SecretStore(tmp_path, monotonic=lambda: now[0])
        seen = []
        for now[0] in (0.0, 1.0, 59.0, 61.0):
            seen.append(store.resolve(command(code)).get_secret_value())
        assert seen == ["1", "1", "1", "2"]


class TestKeyring:
    @pytest.fixture
    def keyring(self, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
        module, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
        errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
        errors.NoKeyringError = type(  # type: ignore[attr-defined]
            "NoKeyringError", (errors.KeyringError, RuntimeError), {}
        )
        module.errors = errors  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "keyring", module)
        monkeypatch.setitem(sys.modules, "keyring.errors", errors)
        return module

    def test_service_and_user(self, tmp_path: Path, keyring: types.ModuleType) -> None:
        held = {("octotui", "EXAMPLE/svc"): SECRET}
        keyring.get_password = lambda *key: held.get(key)  # type: ignore[attr-defined]
        store = SecretStore(tmp_path)
        found = store.resolve(SecretReference("keyring:octotui/EXAMPLE/svc"))
        assert found.get_secret_value() == SECRET
        assert "keyring set octotui other" in refused(store, "keyring:octotui/other")

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            ("NoKeyringError", "this machine has no keyring"),
            ("KeyringError", "would not give out keyring:a/b: KeyringError"),
        ],
    )
    def test_no_keyring(
        self, tmp_path: Path, keyring: types.ModuleType, error: str, told: str
    ) -> None:
        def fail(*_: str) -> str:
            raise getattr(keyring.errors, error)("hunter2")

        keyring.get_password = fail  # type: ignore[attr-defined]
        assert told in refused(SecretStore(tmp_path), "keyring:a/b")

    def test_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "keyring", None)
        assert "octotui[keyring]" in refused(SecretStore(tmp_path), "keyring:a/b")


def test_an_unknown_scheme_is_no_reference() -> None:
    with pytest.raises(ValueError, match="a secret must be a reference") as caught:
        SecretReference("x:hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "form",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        repr,
        str.strip,
        lambda text: f"GET /?key={text}",
    ],
)
def test_what_was_given_out_is_masked(tmp_path: Path, form: object) -> None:
    store = SecretStore(tmp_path, environment={"KEY": f" {SECRET} "})
    text = form(f" {SECRET} ")  # type: ignore[operator]
    assert store.redact(text) == text
    store.resolve(SecretReference("env:KEY"))
    masked = store.redact(f"before {text} after")
    assert "hunter2" not in masked
    assert masked.startswith("before")
    assert masked.endswith("after")
    assert SECRET not in repr(store)


def test_longer_secrets_are_masked_before_their_parts(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, environment={"A": "abc", "B": "abcdef", "C": "one\ntwo two"})
    for name in "ABC":
        store.resolve(SecretReference(f"env:{name}"))
    assert store.redact("abcdef abc") == "*** ***"
    assert store.redact("log: two two") == "log: ***"


def test_a_secret_of_many_lines_leaves_other_texts_readable(tmp_path: Path) -> None:
    """What a vault answers may be JSON: its brackets alone are no secret."""
    secret = json.dumps({"user": "octo", "password": "hunter2"}, indent=1)
    store = SecretStore(tmp_path, environment={"A": secret})
    store.resolve(SecretReference("env:A"))
    harmless = json.dumps({"step": "stage", "nodes": {}})
    assert store.redact(harmless) == harmless
    assert "hunter2" not in store.redact(f"it said {secret.splitlines()[2]}")
    assert store.redact(json.dumps({"said": secret})) == '{"said": "***"}'
