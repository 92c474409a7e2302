"""Every fault of a profile, one small file each, and whatever bytes anybody may come up with.

A bad profile ends with its faults: ``# expect: LINE:COLUMN PATH: TEXT ...``, where ``...`` stands
for anything, and ``# meant: WORD`` for a suggestion.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from octotui.profile import ProfileFaults, find_profile, load_profile
from tests.unit.profile_support import FakeProviders

BAD = sorted((Path(__file__).parent / "bad_profiles").glob("*.toml"))

GOOD = """\
[octopus]
url = "https://octopus.example.com"
api_key = "env:OCTOPUS_API_KEY"

[upgrade]
drain = { policy = "cancel", deadline = "1h30m" }

[transports.winrm]
username = 'EXAMPLE\\upgrade'
password = "env:PASSWORD"

[jobs]
run_as = { username = 'EXAMPLE\\octo', password = 'cmd:["pass", "octo"]' }

[[nodes]]
name = "OCTO1"
host = "octo1.example.com"
settings.port = 5985

[[nodes]]
name = "OCTO2"
host = "octo2.example.com"

[backup]
kind = "node"
path = '\\\\backup\\octopus'

[[smoke]]
url = "https://octopus.example.com/app"
"""


def faults_of(path: Path, providers: FakeProviders | None = None) -> ProfileFaults:
    with pytest.raises(ProfileFaults) as caught:
        load_profile(path, providers or FakeProviders())
    return caught.value


def faults_in(tmp_path: Path, content: str | bytes) -> ProfileFaults:
    path = tmp_path / "profile.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return faults_of(path)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_each_fault_is_told_in_its_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = re.findall(r"^# expect: (.+)$", text, re.MULTILINE)
    meant = re.findall(r"^# meant: (.+)$", text, re.MULTILINE)
    found = faults_of(path).faults
    told = [
        f"{f.line}:{f.column} " + ": ".join(part for part in (f.path, f.message) if part)
        for f in found
    ]
    assert len(told) == len(expected), told
    for one, pattern in zip(told, expected, strict=True):
        assert re.fullmatch(re.escape(pattern).replace(r"\.\.\.", ".*"), one), (pattern, one)
    assert [f.suggestion for f in found if f.suggestion] == meant


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_literal_secret_is_repeated(path: Path) -> None:
    error = faults_of(path)
    for text in (str(error), repr(error), repr(error.faults), repr(error.__context__)):
        assert "hunter2" not in text.lower()
        assert "48110815" not in text


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_rendering_shows_the_line_with_a_caret_at_the_place(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for fault in faults_of(path).faults:
        rendered = fault.render().splitlines()
        assert rendered[0].startswith(f"{path}:{fault.line}:{fault.column}: ")
        if not fault.source_line:
            continue
        shown, caret = rendered[1], rendered[2].index("^")
        # What the caret points at is what stands at that line and column of the file.
        at = lines[fault.line - 1][fault.column - 1 : fault.column + 2]
        pointed_at = shown[caret : caret + 3]
        assert pointed_at == at or pointed_at.startswith("***"[: len(pointed_at)])


def test_there_are_enough_bad_profiles() -> None:
    assert len(BAD) >= 60


def test_the_good_one_is_good(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(GOOD)
    assert load_profile(path, FakeProviders()).first_node == "OCTO1"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "1:1: it is empty"),
        (b" \r\n\t\n", "1:1: it is empty"),
        (b"\xef\xbb\xbf", "1:1: it is empty"),
        ("[octopus]\n".encode("utf-16"), "1:1: it is written in UTF-16; save it as UTF-8"),
        ("[octopus]\n".encode("utf-32"), "1:1: it is written in UTF-32; save it as UTF-8"),
        (b'[octopus]\nurl = "caf\xe9"\n', "2:11: byte 0xe9 is no UTF-8"),
        ('# é\nurl = "é'.encode() + b'\xff"', "2:9: byte 0xff is no UTF-8"),
        (b"\x00\x01\x02", "1:1: "),
        (b"[octopus]\nurl = '\x07'\n", "2:8: "),
        (b"x" * (256 * 1024 + 1), "it has more than 262144 bytes"),
        (b"x = " + b"[" * 5000, "1:1: arrays or tables are nested too deeply"),
        (b"x = " + b"1" * 5000, "1:1: a number is too long"),
    ],
)
def test_bytes_that_are_no_profile(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in str(faults_in(tmp_path, content))


def test_a_byte_order_mark_of_utf_8_is_read_over(tmp_path: Path) -> None:
    # Windows PowerShell and Notepad write it.
    path = tmp_path / "profile.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load_profile(path, FakeProviders()).nodes[1].name == "OCTO2"
    fault = faults_in(tmp_path, b"\xef\xbb\xbf" + GOOD.replace("[oct", "x=1\r\n[oct").encode())
    assert (fault.faults[0].line, fault.faults[0].column) == (1, 1)


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    assert f"{missing}: there is no such file" in str(faults_of(missing))
    assert f"{tmp_path}: this is a directory" in str(faults_of(tmp_path))
    assert "cannot be read" in str(faults_of(Path("nul\0byte.toml")))


def test_the_text_of_all_faults_has_each_at_the_start_of_a_line(tmp_path: Path) -> None:
    error = faults_in(tmp_path, GOOD.replace("[upgrade]", "[upgrade]\nx = 1\ny = 2"))
    assert str(error).splitlines()[0] == "the profile has 2 faults:"
    places = [line for line in str(error).splitlines() if line.startswith(str(tmp_path))]
    assert [line.removeprefix(f"{tmp_path}/profile.toml:")[:4] for line in places] == [
        "6:1:",
        "7:1:",
    ]


def test_names_of_nothing_installed_name_the_plugins_with_problems(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(GOOD)
    providers = FakeProviders(transports={}, problems=("winrm (x 1): it cannot be imported",))
    text = str(faults_of(path, providers))
    assert 'there is no transport "winrm"; available: none' in text
    assert "winrm (x 1): it cannot be imported" in text


def test_rivals_must_be_chosen_between(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(GOOD)
    transports = FakeProviders().transports
    both = {"a/winrm": transports["winrm"], "b/winrm": transports["winrm"]}
    text = str(faults_of(path, FakeProviders(transports=both)))
    assert (
        'more than one plugin offers the transport "winrm": choose "a/winrm" or "b/winrm"' in text
    )
    path.write_text(
        GOOD.replace("[transports.winrm]", '[transports."a/winrm"]').replace(
            "host =", 'transport = "a/winrm"\nhost ='
        )
    )
    assert load_profile(path, FakeProviders(transports=both)).nodes[0].transport.name == "a/winrm"


def test_a_plugins_own_faults_are_named_without_what_it_was_given(tmp_path: Path) -> None:
    text = GOOD.replace("[upgrade]", '[upgrade]\nsource = "troubled"')
    silent = faults_in(tmp_path, text + '[sources.troubled]\npassword = "hunter22"\n')
    assert "its plugin could not check these settings: RuntimeError" in str(silent)
    talking = faults_in(tmp_path, text + '[sources.troubled]\npassword = "hunter22"\ntalk = "x"\n')
    assert "cannot use ***" in str(talking)
    assert "hunter22" not in str(silent) + str(talking)


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    error = faults_in(tmp_path, GOOD.replace("[upgrade]", '[upgrade]\n"\\u001b[31m" = 1'))
    assert "\x1b" not in str(error)


def test_a_long_line_is_shown_around_its_fault(tmp_path: Path) -> None:
    filler = ", ".join(f'"x{i}"' for i in range(100))
    error = faults_in(tmp_path, GOOD.replace("[upgrade]", f"[upgrade]\nhold = [{filler}]"))
    for fault in error.faults:
        assert len(fault.source_line) <= 100
        assert fault.source_line[fault.caret - 1 :].startswith(f'"x{fault.path[13:-1]}"')


class TestFinding:
    def test_a_path_or_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        user = tmp_path / "user"
        monkeypatch.setattr(
            "octotui.profile.find.profile_folders", lambda: (Path("profiles"), user)
        )
        (tmp_path / "profiles").mkdir()
        (tmp_path / "prod").mkdir()  # a folder of that name is not what is meant
        user.mkdir()
        (tmp_path / "profiles" / "prod.toml").write_text(GOOD)
        (user / "test.toml").write_text(GOOD)
        (tmp_path / "here.toml").write_text(GOOD)
        assert find_profile("prod") == Path("profiles/prod.toml")
        assert find_profile("prod.toml") == Path("profiles/prod.toml")
        assert find_profile("test") == user / "test.toml"
        assert find_profile("here.toml") == Path("here.toml")
        assert find_profile("no/such.toml") == Path("no/such.toml")
        with pytest.raises(ProfileFaults, match="no profile of that name") as caught:
            find_profile("prdo")
        assert caught.value.faults[0].suggestion == "prod"

    @pytest.mark.parametrize("name", ["", "x" * 5000, "a\0b", "..", "~"])
    def test_odd_names(self, name: str) -> None:
        with pytest.raises(ProfileFaults):
            load_profile(find_profile(name), FakeProviders())


def _loads_or_faults(path: Path, content: bytes) -> str:
    """What is told of a profile with that content; empty where it is a good one."""
    path.write_bytes(content)
    try:
        load_profile(path, FakeProviders())
    except ProfileFaults as error:
        told = error.render()
    else:
        return ""
    assert str(path) in told
    return told


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profiles") / "profile.toml"


_MANY = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_MANY
@given(content=st.binary(max_size=200))
def test_any_bytes_end_in_faults(scratch: Path, content: bytes) -> None:
    _loads_or_faults(scratch, content)


@_MANY
@given(
    content=st.text(alphabet=st.sampled_from("[]{}=.,\"'#\\\n\r\t 0aé_-:truefalse"), max_size=80)
)
def test_any_text_of_toml_signs_ends_in_faults(scratch: Path, content: str) -> None:
    _loads_or_faults(scratch, content.encode())


@_MANY
@given(
    start=st.integers(0, len(GOOD)),
    length=st.integers(0, 30),
    new=st.sampled_from(
        ["", "\n", '"', "'", '"""', "[", "]", "[[", "{", "}", "=", ",", "1", "nodes", "\x00", "é"]
    ),
    again=st.booleans(),
)
def test_any_damage_ends_in_faults(
    scratch: Path, start: int, length: int, new: str, again: bool
) -> None:
    text = GOOD[:start] + new + GOOD[start + length :]
    _loads_or_faults(scratch, (text + GOOD[start:] if again else text).encode())


_VALUE = st.recursive(
    st.sampled_from(
        ['"x"', "''", "1", "-0.5", "inf", "true", "1979-05-27", "07:32:00", '"env:X"', '"winrm"']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"k{i} = {v}" for i, v in enumerate(items)) + " }"
        )
    ),
    max_leaves=6,
)


@_MANY
@given(
    line=st.sampled_from([i for i, line in enumerate(GOOD.splitlines()) if "=" in line]),
    value=_VALUE,
)
def test_any_value_anywhere_ends_in_faults(scratch: Path, line: int, value: str) -> None:
    lines = GOOD.splitlines()
    lines[line] = f"{lines[line].partition('=')[0]}= {value}"
    _loads_or_faults(scratch, "\n".join(lines).encode())


@_MANY
@given(
    name=st.sampled_from(
        [
            "octopus",
            "upgrade",
            "package",
            "transports",
            "jobs",
            "nodes",
            "backup",
            "smoke",
            "sources",
        ]
    ),
    value=_VALUE,
)
def test_any_value_as_a_section_ends_in_faults(scratch: Path, name: str, value: str) -> None:
    _loads_or_faults(scratch, f"{name} = {value}\n".encode())


@_MANY
@given(
    secret=st.text(alphabet="abcdefghijklmnop'\"\\#={}[], :", min_size=12, max_size=40).filter(
        lambda text: "nonsense" not in text
    ),
    where=st.sampled_from(
        [
            'api_key = "env:OCTOPUS_API_KEY"',
            'password = "env:PASSWORD"',
            'password = \'cmd:["pass", "octo"]\'',
        ]
    ),
    style=st.sampled_from(
        ['"nonsense{}"', "'nonsense{}'", "nonsense{}", '"""nonsense{}', '["nonsense{}"]']
    ),
)
def test_a_secret_is_not_repeated_however_it_was_written(
    scratch: Path, secret: str, where: str, style: str
) -> None:
    text = GOOD.replace(where, f"{where.partition('=')[0]}= {style.format(secret)}")
    assert "nonsense" not in _loads_or_faults(scratch, text.encode())
