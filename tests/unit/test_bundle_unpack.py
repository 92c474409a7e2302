"""A zip of others is unpacked within bounds, and nothing wrong with it stops a bundle."""

from __future__ import annotations

import io
import zipfile

import pytest

from octotui.report.bundle import unpack
from octotui.report.bundle.unpack import Unpacked, unpacked


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def parts(data: bytes) -> list[Unpacked]:
    return list(unpacked(io.BytesIO(data)))


def test_texts_are_read_whatever_their_encoding() -> None:
    text = "größe\r\n"
    files = {
        "utf8.txt": text.encode(),
        "utf8-mark.txt": text.encode("utf-8-sig"),
        "utf16.txt": text.encode("utf-16"),
        "utf16-le.txt": text.encode("utf-16-le"),
        "utf16-be.txt": text.encode("utf-16-be"),
        "western.txt": text.encode("cp1252"),
        "empty.txt": b"",
    }
    found = {part.name: part.text for part in parts(zipped(files))}
    assert found.pop("empty.txt") == ""
    assert found == dict.fromkeys(found, text)
    assert len(found) == 6


@pytest.mark.parametrize(
    "data",
    [
        b"MDMP" + bytes(100) + b"API-KEY",
        bytes(range(256)) * 4,
        "a log in UTF-16\r\n".encode("utf-16") + b"and a line of 8 bits a letter\r\n",
        "a log in UTF-16\r\n".encode("utf-16-le") * 9 + b"and a line of 8 bits a letter\r\n",
    ],
)
def test_what_cannot_be_read_is_left_out_and_said(data: bytes) -> None:
    [part] = parts(zipped({"x.bin": data}))
    assert part.text is None
    assert "nothing in it could be masked" in part.note


def test_zips_in_zips_are_opened_up_to_a_depth() -> None:
    data = zipped({"inner.txt": b"deep"})
    for _ in range(4):
        data = zipped({"in.zip": data, "beside.txt": b"x"})
    found = parts(data)
    assert [p.name for p in found if p.text is not None] == [
        "in.zip/in.zip/beside.txt", "in.zip/beside.txt", "beside.txt",
    ]  # fmt: skip
    assert [p.name for p in found if p.text is None] == ["in.zip/in.zip/in.zip"]


def test_of_a_long_log_the_end_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "LOG_LIMIT", 1000)
    log = b"".join(b"line %06d\n" % number for number in range(50_000))
    [part] = parts(zipped({"long.log": log}))
    assert part.text is not None
    assert part.text.startswith("line ")
    assert part.text.endswith("line 049999\n")
    assert part.note == f"only the last 1000 of {len(log)} bytes"


def test_a_bomb_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "UNPACKED_LIMIT", 1_000_000)
    found = parts(zipped({"bomb.txt": b"0" * 50_000_000, "after.txt": b"x"}))
    assert len(found) == 2
    assert "more than a bundle takes" in found[1].note
    assert f"of {50_000_000} bytes" in found[0].note


def test_too_many_files_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "FILES_LIMIT", 5)
    found = parts(zipped({f"{number}.txt": b"x" for number in range(20)}))
    assert [part.text for part in found] == ["x"] * 5 + [None]


def test_a_damaged_zip_gives_what_it_can() -> None:
    [part] = parts(b"no zip at all")
    assert part.text is None
    data = bytearray(zipped({"a.txt": b"a" * 100, "b.txt": b"b" * 100}))
    data[data.index(b"a.txt") + 5] ^= 0xFF  # the first byte of what is packed in it
    first, second = parts(bytes(data))
    assert (first.text, second.text) == (None, "b" * 100)
    assert "cannot be unpacked" in first.note


@pytest.mark.parametrize("end", [b"\r\n", b""])
def test_a_byte_of_another_encoding_changes_no_other_letter(end: bytes) -> None:
    data = "Päß €".encode() + b" \x96 \x81 " + "Größe".encode("cp1252") + end
    [part] = parts(zipped({"mixed.log": data}))
    assert part.text == "Päß € \u2013 \\x81 Größe" + end.decode()


def test_a_letter_that_is_not_written_yet_is_no_fault() -> None:
    [part] = parts(zipped({"growing.log": "fünf €".encode()[:-1]}))
    assert part.text is not None
    assert part.text.startswith("fünf ")
