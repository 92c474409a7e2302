"""What a bundle masks: the secrets that are known, and what looks like one."""

from __future__ import annotations

import json
import time

import pytest

from octotui.report.mask import Mask

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "Server=SQL1;User=octo;Password=hunter2;Encrypt=true",
        "Server=SQL1;Password='hunter2 ; more';Encrypt=true",
        'Server=SQL1;Pwd="hunter2";Encrypt=true',
        "Server=SQL1;Password=my hunter2, really;Encrypt=true",
        '{"cs": "Server=SQL1;Password=\\"hunter2 it\'s\\";Encrypt=true"}',
        "<add connectionString='x;Password=&quot;hunter2;x&quot;;y'/>",
        "AccountName=octo;AccountKey=hunter2==;EndpointSuffix=x",
        "CREATE LOGIN octo WITH PASSWORD = N'hun''hunter2', CHECK_POLICY = ON",
        "GET /api HTTP/1.1 Authorization: Basic hunter2",
        "proxy-authorization: Digest username=octo, response=hunter2",
        "X-Octopus-ApiKey: hunter2",
        "Set-Cookie: OctopusIdentificationToken=hunter2; HttpOnly",
        "sent Bearer hunter2-hunter2-hunter2 to it",
        "https://octo:hunter2@octopus.example.com/app",
        "https://octo:hun@hunter2@octopus.example.com/app",
        "https://store.example.com/backup?sv=1&sig=hunter2&se=2",
        "https://octopus.example.com/api?apikey=hunter2&x=1",
        '<set key="Octopus.Storage.MasterKey">hunter2</set>',
        '<set key="Octopus.Storage.MasterKey" type="text">hunter2</set>',
        '<add key="SqlPassword" value="hunter2"/>',
        "<AdminPassword>hunter2</AdminPassword>",
        "<AdminPassword>\n  hunter2\n</AdminPassword>",
        '"Octopus.Storage.MasterKey": "hunter2"',
        '"SqlPassword":\n  "hunter2"',
        r"{\"SqlPassword\":\"hunter2\",\"x\":1}",
        r"{\"SqlPassword\":\"hunter2\\",
        '{"Name": "DbPassword", "Value": "hunter2", "Scope": {}}',
        '{"Name": "Password of the database", "Value": "hunter2"}',
        '"the master key of it": "hunter2"',
        '{"Key":"Octopus.Storage.MasterKey",\n"NewValue":"x\\"hunter2"}',
        "Octopus.Server.exe create-instance --masterKey hunter2 --x",
        "Octopus.Server.exe admin --password=hunter2 --x",
        'sqlcmd -Password "hunter2 x"',
        "ConvertTo-SecureString 'hunter2' -AsPlainText -Force",
        "PROPERTY CHANGE: Adding DBPASSWORD property. Its value is 'hunter2'.",
        "Modifying DBPASSWORD property. Its current value is 'x'. Its new value: 'hunter2'.",
        "Property(S): DBPASSWORD = hunter2",
        "MSI (s) (58:5C): Command Line: X=1 DBPASSWORD=my;hunter2 REBOOT=R",
        'MSI (s) (58:5C): Command Line: DBPASSWORD="a""hunter2 b" REBOOT=R',
        'MSI (s) (58:5C): Command Line: DBPASSWORD="hunter2\\" REBOOT=R',
        "Property(C): OCTOPUSPASSWORD = correct horse hunter2",
        "Property(N): DBPASSWORD = my;hunter2 <pass>",
        "Property(S): DBPASSWORD = file:x hunter2",
        "Password=hun hunter2",
        "password: hun hunter2",
        "password = a<hunter2",
        "token=*** and Password=hunter2",
        "token=file:x and Password=hunter2",
        "client_secret=hunter2",
        "password: hunter2",
        "-----BEGIN RSA PRIVATE KEY-----\n10:00 hunter2\n10:00 x\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)
def test_what_names_a_secret_is_masked_by_its_looks(text: str) -> None:
    masked = Mask().text(text)
    assert SECRET not in masked
    assert "***" in masked
    assert Mask().text(masked) == masked


@pytest.mark.parametrize(
    "secret",
    [
        "API-ABCDEFGHIJKLMNOPQRSTUVWXY12",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "01000000d08c9ddf0115d1118c7a00c04fc297eb01000000aabbccdd",
    ],
)
def test_what_is_a_secret_wherever_it_stands(secret: str) -> None:
    assert Mask().text(f"they said ({secret}).") == "they said (***)."


@pytest.mark.parametrize(
    "text",
    [
        "MSI (s) (58:5C) [08:59:56:101]: Running as a service, impersonation token is there.",
        'api_key = "env:OCTO_KEY"',
        "password = 'keyring:octotui/svc'",
        "https://octopus.example.com/api does not accept the API key (HTTP 401)",
        "basic authentication is turned off",
        "System.Data, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089",
        "OCTO1: install the package: done in 8.1 s",
        "Executing SQL Server script 'Octopus.Core.UpgradeScripts.Script0815Lab.sql'",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Mask().text(text) == text


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    mask = Mask(lambda text: text.replace(SECRET, "***"))
    assert mask.text("the word is hunter2") == "the word is ***"
    assert mask.json({"a": ["hunter2", 2]}) == {"a": ["***", 2]}


def test_json_is_masked_below_keys_that_name_a_secret_and_stays_json() -> None:
    value = {
        "api_key": "env:KEY",
        "settings": {"password": ["a", {"b": 7}], "token": None, "master_key_set": True},
        "said": "Password=hunter2;x",
        "at": 12.5,
    }
    expected = {
        "api_key": "env:KEY",
        "settings": {"password": ["***", {"b": "***"}], "token": None, "master_key_set": True},
        "said": "Password=***;x",
        "at": 12.5,
    }
    assert Mask().json(value) == expected
    assert json.loads(Mask().document(json.dumps(value))) == expected
    assert Mask().document("{no json, password=hunter2") == "{no json, password=***"


@pytest.mark.parametrize(
    "pair",
    [
        {"Name": "DbPassword", "Value": SECRET},
        {"Key": "Octopus.Storage.MasterKey", "Value": SECRET},
        {"id": "api-key", "value": {"NewValue": SECRET}},
        {"name": "x", "IsSensitive": True, "Value": SECRET, "DefaultValue": SECRET},
        {"name": "x", "Type": "Sensitive", "values": [SECRET, {"a": 7}]},
    ],
)
def test_a_json_value_beside_a_name_that_tells_is_masked(pair: dict[str, object]) -> None:
    masked = Mask().json([pair])[0]
    assert SECRET not in str(masked)
    assert "***" in str(masked)
    assert {key: masked[key] for key in masked if "value" not in key.lower()} == {
        key: pair[key] for key in pair if "value" not in key.lower()
    }
    harmless = {"Name": "Port", "Value": "10943", "IsSensitive": False}
    assert Mask().json(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET /api?apikey=hunter2&x=1 HTTP/1.1 200", "GET /api?apikey=***&x=1 HTTP/1.1 200"),
        ("<cs>Server=x;Password=hun hunter2</cs>", "<cs>Server=x;Password=***</cs>"),
        ('cs="Password=hun hunter2" y="1"', 'cs="Password=***" y="1"'),
        ("DBPASSWORD=*** REBOOT=R", "DBPASSWORD=*** REBOOT=R"),
        ('Command Line: X=1 PASSWORD="hunter2" Y=2', 'Command Line: X=1 PASSWORD="***" Y=2'),
        ("Password=a hunter2\nthe next line", "Password=***\nthe next line"),
    ],
)
def test_what_stands_around_a_secret_stays(text: str, masked: str) -> None:
    assert Mask().text(text) == masked


@pytest.mark.parametrize(
    "unit",
    [
        '="password" ', '="password">', '="password" value="', "eyJ-", "eyJaaaaaaaa.", "x-",
        "x-token ", "password=", "password= ", "password=*** ", "password=x\n", "pwd", "pwd   ",
        "Command Line: ", 'Command Line: password="', "Property(S): PASSWORD = ", "basic ",
        "password=&quot;", "-password '", '-password "', '"password":"\\', "<password ", "://a:",
        '"name":"password","value":"', '"name":"password",',
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", ["", 'password\\":\\"'])
def test_eight_times_the_text_takes_about_eight_times_as_long(before: str, unit: str) -> None:
    def seconds(size: int) -> float:
        text = before + unit * (size // len(unit)) + "x"
        begun = time.process_time()
        Mask().text(text)
        return time.process_time() - begun

    once = min(seconds(4_000) for _ in range(3))
    assert seconds(32_000) < 24 * once + 0.1, "a square would be 64 times as long"


def test_backslashes_without_an_end_are_read_once() -> None:
    def seconds(size: int) -> float:
        begun = time.process_time()
        Mask().text('password\\":\\"' + "\\" * size + 'x -password \\"' + "\\" * size)
        return time.process_time() - begun

    assert seconds(64_000) < 24 * min(seconds(8_000) for _ in range(3)) + 0.1


def test_a_log_of_megabytes_is_masked_as_one_of_lines() -> None:
    line = "MSI (s) (58:5C): Executing op: RegAddValue(Name=File,Value=C:\\Octopus\\x.dll)\n"
    text = line * 20_000 + "Password=hunter2;\n" + "\u0130" * 9 + line * 20_000 + "pwd=hunter2"
    masked = Mask().text(text)
    assert SECRET not in masked
    assert len(masked) == len(text) - 2 * (len(SECRET) - 3)


def test_a_document_of_json_stays_readable_json_wherever_it_begins() -> None:
    text = '\r\n  {"Größe": 1, "password": "hunter2"}\n'
    assert Mask().document(text) == '{\n  "Größe": 1,\n  "password": "***"\n}'
    assert Mask().document('\n[{"pwd": "hunter2"}]') == '[\n  {\n    "pwd": "***"\n  }\n]'


@pytest.mark.parametrize("text", ["[" * 100_000 + "\npwd=hunter2\n", "{'a': 1}\npwd=hunter2\n"])
def test_what_only_begins_like_json_is_masked_as_text(text: str) -> None:
    assert Mask().document(text) == text.replace(SECRET, "***")


@pytest.mark.parametrize(
    "text",
    [
        "\u0130" * 40 + " first\nlast word=1\nPassword=hunter2\nthe next line\n",
        "\npwd=hunter2\nplain\nplain\nplain\npwd=hunter2",
        "pwd=hunter2\npwd=hunter2\npwd=hunter2\nplain\n",
        "plain\nplain\n<SqlPassword>hunter2</SqlPassword>\nplain",
    ],
)
def test_only_the_secret_of_a_text_changes(text: str) -> None:
    assert Mask().text(text) == text.replace(SECRET, "***")


def test_a_tuple_is_masked_as_a_list_is() -> None:
    value = {"said": ("pwd=hunter2", 1), "token": ("hunter2", {"a": ("hunter2", None, "")})}
    assert Mask().json(value) == {
        "said": ["pwd=***", 1],
        "token": ["***", {"a": ["***", None, ""]}],
    }


def test_a_secret_in_a_key_is_masked_too() -> None:
    assert Mask(lambda text: text.replace(SECRET, "***")).json({"of hunter2": 1}) == {"of ***": 1}


@pytest.mark.parametrize("before", ["pwd=x1", "Authorization: x1", "plain\npwd=x1\npwd=x1"])
@pytest.mark.parametrize(
    "text", ["<SqlPassword>\nhunter2\n</SqlPassword>", '"SqlPassword":\n  "hunter2"']
)
def test_a_value_below_its_name_is_masked_though_the_line_above_names_another(
    before: str, text: str
) -> None:
    masked = Mask().text(f"{before}\n{text}\nplain\n")
    assert SECRET not in masked
    assert "x1" not in masked
    assert masked.endswith("\nplain\n")


@pytest.mark.parametrize(
    "pair",
    [
        {"Name": "x", "Type": "String", "Value": "plain"},
        {"Name": "x", "Kind": "Sensitive", "Value": "plain"},
        {"Name": "x", "IsSensitive": "no", "Value": "plain"},
    ],
)
def test_a_json_value_is_not_masked_for_other_reasons(pair: dict[str, object]) -> None:
    assert Mask().json(pair) == pair


def test_no_letter_of_a_secret_is_taken_for_its_quotes() -> None:
    assert Mask().text("Password=xhunter2x;Encrypt=true") == "Password=***;Encrypt=true"


@pytest.mark.parametrize("text", ["api_key=env:OCTO_KEY", "password = 'file:my key.txt'"])
def test_a_reference_stays_with_and_without_quotes(text: str) -> None:
    assert Mask().text(text) == text
