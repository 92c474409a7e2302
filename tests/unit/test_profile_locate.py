"""Places of keys and values in TOML."""

from __future__ import annotations

from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from octotui.profile.locate import KeyPath, Places

TEXT = """\
top = 1
# [comment]
[server]
  url = "x" # ] trailing
a.b."c d" = 'y'
many = [ "one", # comment ]
  ['two', 3], { in = { deep = 1979-05-27 07:32:00 } },
]
long = \"\"\"
[not.a.table]
key = 1 \\\""" still \"\"\"\"
raw = '''it's'''
[server.sub]
x = {
  k = 1, # newer TOML breaks lines here
}
[[nodes]]
name = "A"
[nodes.settings]
port = 1
[[nodes]]
name = "B"
[[nodes.disks]]
size = 2
[[nodes.disks]]
size = 3
"""


def spot(places: Places, path: KeyPath) -> tuple[int, int, int, int]:
    return (*places.position(places.key(path)), *places.position(places.value(path)))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (("top",), (1, 1, 1, 7)),
        (("server",), (3, 2, 3, 1)),
        (("server", "url"), (4, 3, 4, 9)),
        (("server", "a"), (5, 1, 5, 1)),
        (("server", "a", "b"), (5, 3, 5, 3)),
        (("server", "a", "b", "c d"), (5, 5, 5, 13)),
        (("server", "many", 0), (6, 10, 6, 10)),
        (("server", "many", 1, 1), (7, 11, 7, 11)),
        (("server", "many", 2, "in", "deep"), (7, 24, 7, 31)),
        (("server", "long"), (9, 1, 9, 8)),
        (("server", "raw"), (12, 1, 12, 7)),
        (("server", "sub", "x", "k"), (15, 3, 15, 7)),
        (("nodes",), (17, 3, 17, 1)),
        (("nodes", 0), (17, 1, 17, 1)),
        (("nodes", 0, "settings", "port"), (20, 1, 20, 8)),
        (("nodes", 1, "name"), (22, 1, 22, 8)),
        (("nodes", 1, "disks", 1, "size"), (26, 1, 26, 8)),
        # What is not written is where the table around it is.
        (("nodes", 1, "host"), (21, 1, 21, 1)),
        (("elsewhere", "x"), (1, 1, 1, 1)),
    ],
)
def test_places(path: KeyPath, place: tuple[int, int, int, int]) -> None:
    assert spot(Places(TEXT), path) == place


def test_the_whole_text_was_read() -> None:
    places = Places(TEXT)
    assert places.stopped is None
    assert ("server", "long", "key") not in places


def _leaves(data: Any, path: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    if isinstance(data, dict):
        return [leaf for key, value in data.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(data, list):
        return [leaf for i, value in enumerate(data) for leaf in _leaves(value, (*path, i))]
    return [(path, data)]


_KEY = st.sampled_from(["a", "b-1", '"quoted.key"', "'x y'", "a.b", 'c . "d"'])
_SCALAR = st.sampled_from(
    [
        '"te#xt"',
        "'li]teral'",
        '"""mul\n"ti" """',
        "'''x\n'''",
        "1_000",
        "true",
        "1979-05-27",
        "-inf",
    ]
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ " + ",\n# c ]\n".join(items) + " ]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"k{i}={v}" for i, v in enumerate(items)) + "}"
        )
    ),
    max_leaves=8,
)
_LINE = (
    st.tuples(_KEY, _VALUE).map(lambda pair: f"{pair[0]} = {pair[1]}  # comment")
    | _KEY.map(lambda key: f"[t.{key}]")
    | _KEY.map(lambda key: f"[[list.{key}]]")
    | st.just("# comment")
    | st.just("")
)


@given(st.lists(_LINE, max_size=12).map("\n".join))
def test_every_value_that_the_parser_reads_is_found_where_it_stands(text: str) -> None:
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError:
        Places(text)  # must not raise
        return
    places = Places(text)
    assert places.stopped is None
    by_path = {entry.path: entry for entry in places.entries}
    for path, value in _leaves(data):
        entry = by_path[path]
        assert tomli.loads(f"value = {text[entry.value : entry.end]}")["value"] == value


@given(st.text(alphabet="[]{}=.,\"'#\\\n ab1", max_size=60))
def test_a_text_that_is_no_toml_is_no_error(text: str) -> None:
    places = Places(text)
    for entry in places.entries:
        assert 0 <= entry.key <= len(text)
        assert 0 <= entry.value <= entry.end <= len(text)


@given(st.text(max_size=60))
def test_positions_and_offsets_agree(text: str) -> None:
    places = Places(text)
    for offset in range(len(text)):
        assert places.offset(*places.position(offset)) == offset
