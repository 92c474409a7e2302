"""A profile as plain TOML: what is in it without plugins, and never a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from octotui.profile.find import profile_files
from octotui.profile.plain import PlainProfile, read_plain

PROFILE = """
[octopus]
url = "https://octopus.example.com/"
ca = "ca.pem"

[[nodes]]
name = "OCTO1"

[[nodes]]
name = "OCTO2"
url = "https://octo2.example.com"
"""


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with-a-mark"])
def test_addresses_and_nodes(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "prod.toml"
    path.write_bytes(mark + PROFILE.encode())
    nodes = (("OCTO1", ""), ("OCTO2", "https://octo2.example.com"))
    assert read_plain(path) == PlainProfile(
        path, "https://octopus.example.com", tmp_path / "ca.pem", nodes
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nodes = 5\n[octopus]\nurl = 'https://a.example'", "[[nodes]]"),
        ("nodes = [5]\n[octopus]\nurl = 'https://a.example'", "needs a name"),
        ("octopus = 5", "[octopus]"),
        ("", "[octopus]"),
        ("[octopus]", "octopus.url must be an address"),
        ("[octopus]\nurl = 'https://[hunter2'", "octopus.url must be an address"),
        ("[octopus]\nurl = 'https://ann:hunter2@a.example'", "must not carry"),
        (
            "[octopus]\nurl = 'https://a.example'\n[[nodes]]\nname = 'N'\n"
            "url = 'https://ann:hunter2@b.example'",
            "nodes.N.url must not carry",
        ),
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("x = = 5", "line 1"),
    ],
    ids=lambda value: value[:30],
)
def test_a_fault_is_said_and_no_password(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "prod.toml"
    path.write_text(text)
    read = read_plain(path)
    assert says in read.fault
    assert read == PlainProfile(path, fault=read.fault)
    assert "hunter2" not in repr(read)


def test_what_is_no_text_and_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "prod.toml"
    assert "No such file" in read_plain(path).fault
    path.write_bytes(b"\xff\xfe")
    assert "UTF-8" in read_plain(path).fault


def test_the_profiles_of_both_folders_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, users = tmp_path / "own", tmp_path / "users"
    monkeypatch.setattr(
        "octotui.profile.find.profile_folders", lambda: (own, users, tmp_path / "gone")
    )
    own.mkdir()
    users.mkdir()
    for path in (own / "b.toml", users / "a.toml", users / "c.toml", own / "note.txt"):
        path.write_text("")
    assert profile_files() == [users / "a.toml", own / "b.toml", users / "c.toml"]
