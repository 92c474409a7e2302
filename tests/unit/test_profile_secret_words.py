"""What an operator reads where a secret cannot be had, to the last word, and never the secret."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import BaseModel, ValidationError

from octotui.api import SecretReference
from octotui.api.errors import SecretError
from octotui.profile import SecretStore
from octotui.profile.references import (
    is_reference,
    meant_scheme,
    secret_names,
    secret_values,
    sounds_secret,
    split_command,
    what_is_wrong,
)


def command(code: str) -> str:
    return "cmd:" + json.dumps([sys.executable, "-c", code])


def words(store: SecretStore, reference: str) -> str:
    with pytest.raises(SecretError) as caught:
        store.resolve(SecretReference(reference))
    return str(caught.value)


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    (tmp_path / "large").write_bytes(b"x" * (64 * 1024 + 1))
    return SecretStore(tmp_path, environment={"EMPTY": " "}, command_limit=0.2)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (
            "env:NONE",
            "the environment variable NONE is not set. Set it in the session that starts octotui.",
        ),
        ("env:EMPTY", "what env:EMPTY refers to is empty. Store the secret there."),
        (
            "file:missing",
            "the secret's file missing cannot be read: No such file or directory. "
            "file: is relative to the profile's folder, FOLDER.",
        ),
        (
            "file:a\0b",
            "the secret's file a\0b cannot be read: embedded null byte. "
            "file: is relative to the profile's folder, FOLDER.",
        ),
        (
            "file:~nobody-of-this-name/key",
            "the secret's file ~nobody-of-this-name/key cannot be read: Could not determine home "
            "directory. file: is relative to the profile's folder, FOLDER.",
        ),
        ("file:empty", "what file:empty refers to is empty. Store the secret there."),
        ("file:binary", "the secret's file binary is not UTF-8."),
        ("file:large", "the secret's file large is far too large for a secret."),
        (
            'cmd:["no-such-program-here"]',
            "the secret's command no-such-program-here cannot be run: No such file or directory.",
        ),
        ('cmd:{"a": 1}', 'cmd: must be followed by a JSON array, as in cmd:["pass", "octopus"].'),
        (
            command("pass"),
            "the answer of the secret's command PYTHON is empty. Store the secret there.",
        ),
        (
            command("import sys; sys.stdout.buffer.write(b'\\xff')"),
            "the secret's command PYTHON wrote no UTF-8.",
        ),
        (
            command("import sys; sys.exit(3)"),
            "the secret's command PYTHON ended with exit code 3. Run it by hand to see what it "
            "says.",
        ),
        (
            command("import time; time.sleep(60)"),
            "the secret's command PYTHON gave no answer within 0 s. Run it by hand: it may wait "
            "for somebody to unlock something.",
        ),
    ],
)
def test_why_a_secret_cannot_be_had(
    tmp_path: Path, store: SecretStore, reference: str, said: str
) -> None:
    expected = said.replace("FOLDER", str(tmp_path)).replace("PYTHON", sys.executable)
    assert words(store, reference) == expected


def test_a_secret_of_the_largest_size_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * (64 * 1024))
    secret = SecretStore(tmp_path).resolve(SecretReference("file:key"))
    assert secret.get_secret_value() == "x" * (64 * 1024)


def test_a_command_can_ask_nobody(tmp_path: Path) -> None:
    """What the operator types belongs to the cockpit."""
    read, write = os.pipe()
    os.write(write, b"typed\n")
    os.close(write)
    ours = os.dup(0)
    os.dup2(read, 0)
    try:
        found = SecretStore(tmp_path).resolve(
            SecretReference(command("import sys; print('read: ' + sys.stdin.read())"))
        )
    finally:
        os.dup2(ours, 0)
        os.close(ours)
        os.close(read)
    assert found.get_secret_value() == "read: "


def test_a_command_that_cannot_be_encoded(tmp_path: Path) -> None:
    said = words(SecretStore(tmp_path), 'cmd:["pass", "\\ud800"]')
    assert said.startswith("the secret's command pass cannot be run: 'utf-8' codec can't encode")


def test_a_command_is_asked_again_after_a_minute(tmp_path: Path) -> None:
    now = [1000.0]
    store = SecretStore(tmp_path, monotonic=lambda: now[0])
    counting = command("open('calls', 'a').write('x'); print(len(open('calls').read()))")
    answers = []
    for now[0] in (1000.0, 1059.9, 1060.0, 1119.9):
        answers.append(store.resolve(SecretReference(counting)).get_secret_value())
    assert answers == ["1", "1", "2", "2"]


def test_what_a_command_says_besides_reaches_no_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The screen belongs to the cockpit, and what programs complain of may hold the secret."""
    code = "import sys; print('hunter2'); print('hunter2 is weak', file=sys.stderr)"
    store = SecretStore(tmp_path)
    assert store.resolve(SecretReference(command(code))).get_secret_value() == "hunter2"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("ending", "secret"),
    [("\n", "a"), ("\r\n", "a"), ("", "a"), ("\n\n", "a\n"), ("\r", "a"), (" \n", "a ")],
)
def test_only_the_end_of_the_last_line_is_taken_away(
    tmp_path: Path, ending: str, secret: str
) -> None:
    (tmp_path / "key").write_bytes(f"a{ending}".encode())
    found = SecretStore(tmp_path).resolve(SecretReference("file:key"))
    assert found.get_secret_value() == secret


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    module, errors = types.ModuleType("keyring"), types.ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})  # type: ignore[attr-defined]
    errors.NoKeyringError = type(  # type: ignore[attr-defined]
        "NoKeyringError", (errors.KeyringError,), {}
    )
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return module


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "NoKeyringError",
            "this machine has no keyring to read from. That is usual in an SSH session or a CI "
            "job, where no desktop runs. Refer to the secret by env:, file: or cmd: here.",
        ),
        (
            "KeyringError",
            "the keyring would not give out keyring:octo/upgrade: KeyringError. "
            "Unlock the keyring, then retry.",
        ),
        (
            "",
            "the keyring has nothing for service octo and user upgrade. "
            "Store it: keyring set octo upgrade.",
        ),
    ],
)
def test_why_a_keyring_gives_nothing(
    tmp_path: Path, keyring: types.ModuleType, error: str, said: str
) -> None:
    def get_password(service: str, user: str) -> None:
        if error:
            raise getattr(sys.modules["keyring.errors"], error)("hunter2")

    keyring.get_password = get_password  # type: ignore[attr-defined]
    assert words(SecretStore(tmp_path), "keyring:octo/upgrade") == said


def test_a_keyring_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert words(SecretStore(tmp_path), "keyring:octo/upgrade") == (
        "keyring:octo/upgrade needs the package keyring, which is not installed. "
        "Install octotui[keyring], or refer to the secret by env:, file: or cmd:."
    )


def test_a_store_that_is_shown_says_where_it_looks_and_no_secret(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, environment={"KEY": "hunter2"})
    store.resolve(SecretReference("env:KEY"))
    assert repr(store) == f"SecretStore({str(tmp_path)!r})"


def test_the_environment_of_the_process_is_the_usual_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "OCTOTUI_TEST_KEY", "hunter2")
    secret = SecretStore(tmp_path).resolve(SecretReference("env:OCTOTUI_TEST_KEY"))
    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(secret) + str(secret)


# -- masking ------------------------------------------------------------------------------------

AWKWARD = 'a/b "ü"\t\\ & 100%'


@pytest.mark.parametrize(
    "form",
    [
        AWKWARD,
        repr(AWKWARD)[1:-1],
        quote(AWKWARD, safe=""),
        json.dumps(AWKWARD)[1:-1],
        json.dumps(AWKWARD, ensure_ascii=False)[1:-1],
    ],
)
def test_a_secret_is_masked_in_every_form_it_is_written_in(tmp_path: Path, form: str) -> None:
    store = SecretStore(tmp_path)
    store.remember(AWKWARD)
    assert store.redact(f"<{form}>") == "<***>"


def test_a_line_of_a_secret_is_masked_by_itself_from_four_characters_on(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    store.remember("first line\n  four \nabc\n{")
    assert store.redact("four and abc and { and first line") == "*** and abc and { and ***"
    assert store.redact("the whole: first line\n  four \nabc\n{.") == "the whole: ***."


def test_blanks_around_a_secret_may_be_taken_away(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    store.remember(" ab ")
    assert store.redact("x ab y") == "x***y"
    assert store.redact("xaby") == "x***y"


def test_nothing_is_masked_that_is_no_secret(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    store.remember("")
    store.remember("\n")
    assert store.redact("plain text") == "plain text"


# -- references ---------------------------------------------------------------------------------

WANTED = (
    "a profile holds no secret itself, only where it is found: env:NAME, file:PATH, "
    'keyring:SERVICE/USER or cmd:["program", "argument"]'
)
ENV = "env: must be followed by the name of an environment variable, as in env:API_KEY"
FILE = "file: must be followed by a path, relative to the profile"
KEYRING = "keyring: must be followed by service and user, as in keyring:octotui/upgrade"
CMD = 'cmd: must be followed by a JSON array of texts, as in cmd:["pass", "octopus"]'


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("env:API_KEY", ""),
        ("env:ProgramFiles(x86)", ""),
        ("file:secrets/key", ""),
        ("keyring:octotui/EXAMPLE/svc", ""),
        ('cmd:["pass"]', ""),
        ('cmd:["pass", ""]', ""),
        ("hunter2", WANTED),
        ("https://hunter2", WANTED),
        (7, WANTED),
        ("env", WANTED),
        ("env:", ENV),
        ("env:hunter-2", ENV),
        ("file:", FILE),
        ("file: ", FILE),
        ("file:a\0", FILE),
        ("keyring:octotui", KEYRING),
        ("keyring:octotui/", KEYRING),
        ("keyring:/upgrade", KEYRING),
        ("keyring: / ", KEYRING),
        ("cmd:", CMD),
        ("cmd:pass octopus", CMD),
        ("cmd:[]", CMD),
        ('cmd:[""]', CMD),
        ('cmd:["a", 1]', CMD),
        ('cmd:["a\\u0000"]', CMD),
        ('cmd:{"a": "b"}', CMD),
        ("cmd:" + "[" * 100_000, CMD),
    ],
)
def test_what_is_wrong_with_a_reference(value: object, wrong: str) -> None:
    assert what_is_wrong(value) == wrong
    if isinstance(value, str):
        assert is_reference(value) is not bool(wrong)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("ENV:KEY", "env:"),
        ("evn:KEY", "env:"),
        ("evn:KEY:2", "env:"),
        ("evn", ""),
        ("flie:key", "file:"),
        ("key-ring:a/b", "keyring:"),
        ("command:[]", "cmd:"),
        ("password:[]", ""),
        ("env:KEY", ""),
        ("env", ""),
        ("hunter2", ""),
        (7, ""),
    ],
)
def test_the_scheme_that_was_meant(value: object, meant: str) -> None:
    assert meant_scheme(value) == meant


def test_the_parts_of_a_reference() -> None:
    reference = SecretReference("keyring:octotui/a:b")
    assert (reference.scheme, reference.target) == ("keyring", "octotui/a:b")
    assert repr(reference) == "SecretReference('keyring:octotui/a:b')"
    assert reference == SecretReference("keyring:octotui/a:b")
    assert reference != SecretReference("keyring:octotui/a")
    assert reference != "keyring:octotui/a:b"
    assert len({reference, SecretReference("keyring:octotui/a:b")}) == 1
    assert split_command('["a", "b"]') == ["a", "b"]


@pytest.mark.parametrize("text", ["hunter2", "env:", "x:hunter2", ":hunter2", ""])
def test_what_is_no_reference_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="a secret must be a reference") as caught:
        SecretReference(text)
    assert str(caught.value) == (
        "a secret must be a reference: env:NAME, file:PATH, keyring:SERVICE/USER "
        'or cmd:["program", "argument"]'
    )


def test_a_settings_model_takes_references_and_gives_them_back() -> None:
    class Account(BaseModel):
        password: SecretReference

    class Settings(BaseModel):
        token: SecretReference | None = None
        accounts: tuple[Account, ...] = ()
        nested: Account | None = None
        name: str = ""

    settings = Settings.model_validate(
        {"token": "env:T", "accounts": [{"password": "file:p"}], "nested": {"password": "env:N"}}
    )
    assert settings.token == SecretReference("env:T")
    assert settings.model_copy().token == settings.token
    assert Settings(token=SecretReference("env:T")).token == settings.token
    assert json.loads(settings.model_dump_json())["accounts"] == [{"password": "file:p"}]
    schema = Account.model_json_schema()["properties"]["password"]
    assert schema["type"] == "string"
    assert schema["pattern"] == "^(env|file|keyring|cmd):."
    for literal in ("hunter2", 7_777_777, ["hunter2"]):
        with pytest.raises(ValidationError) as caught:
            Account.model_validate({"password": literal})
        (said,) = [error["msg"] for error in caught.value.errors()]
        assert "a secret must be a reference" in said
        assert "hunter2" not in said
        assert "7777777" not in said

    written = {
        "token": "hunter2",
        "accounts": [{"password": "a"}, {"password": "b"}, "odd"],
        "nested": {"password": "c", "other": "d"},
        "name": "e",
    }
    assert list(secret_values(Settings, written)) == [
        (("token",), "hunter2"),
        (("accounts", 0, "password"), "a"),
        (("accounts", 1, "password"), "b"),
        (("nested", "password"), "c"),
    ]
    assert next(secret_values(Settings, written, ("sources", "x")))[0] == (
        "sources",
        "x",
        "token",
    )
    assert list(secret_values(Settings, "hunter2 is no token")) == []
    assert list(secret_values(Settings, {"token": {"a": "hunter2"}})) == [
        (("token",), {"a": "hunter2"})
    ]
    assert secret_names(Settings) == {"token", "password"}


class Account(BaseModel):
    """Holds others like itself."""

    pin: SecretReference | None = None
    deputies: tuple[Account, ...] = ()


def test_the_names_of_secrets_in_settings_that_hold_their_like() -> None:
    assert secret_names(Account) == {"pin"}
    written = {"deputies": [{"deputies": [{"pin": "hunter2"}]}]}
    assert list(secret_values(Account, written)) == [
        (("deputies", 0, "deputies", 0, "pin"), "hunter2")
    ]


@pytest.mark.parametrize(
    ("path", "names", "sounds"),
    [
        (("transports", "winrm", "password"), (), True),
        (("a", "ApiKey"), (), True),
        (("a", "pass_phrase"), (), True),
        (("private-notes",), (), False),
        (("api_url", 0), (), False),
        (("password", 0, "x"), (), True),
        (("unlock",), ("unlock_code",), False),
        (("unlock_cod",), ("unlock_code",), True),
        (("UNLOCK_CODE",), ("unlock_code",), True),
        ((0, 1), ("a",), False),
    ],
)
def test_keys_that_sound_secret(
    path: tuple[str | int, ...], names: tuple[str, ...], sounds: bool
) -> None:
    assert sounds_secret(path, names) is sounds
