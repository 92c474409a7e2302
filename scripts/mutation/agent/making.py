"""Makes small faults in a PowerShell script, one at a time, from the engine's own syntax tree.

A fault is a small mistake in one place: a condition that no longer decides, a comparison that is
off by one, a check that is gone, two steps in the wrong order. Left out is what another fault
covers (a condition's own comparison is not negated, since the condition is forced both ways), and
messages.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

Node: TypeAlias = Mapping[str, Any]
Extent: TypeAlias = tuple[int, int]
Key: TypeAlias = tuple[str, str, str, str, int]

_SYNTAX = Path(__file__).with_name("syntax.ps1")
_NAMED_CLOSELY = {
    "-eq": "-ne",
    "-ne": "-eq",
    "-ceq": "-cne",
    "-cne": "-ceq",
    "-gt": "-ge",
    "-ge": "-gt",
    "-lt": "-le",
    "-le": "-lt",
    "-and": "-or",
    "-or": "-and",
    "-match": "-notmatch",
    "-notmatch": "-match",
    "-contains": "-notcontains",
    "-notcontains": "-contains",
    "-is": "-isnot",
    "-isnot": "-is",
    "-": "+",
    "*": "/",
    "/": "*",
}
#: Also where the comparison is the whole condition: a limit is moved, upper case counts no more.
_CLOSE = {
    "-gt": "-ge",
    "-ge": "-gt",
    "-lt": "-le",
    "-le": "-lt",
    "-cne": "-ne",
    "-ceq": "-eq",
    "-cnotmatch": "-notmatch",
    "-cmatch": "-match",
    "-ccontains": "-contains",
    "-cnotcontains": "-notcontains",
}
#: How a file is opened, and what would let others in or lose what is there.
_MEMBERS = {
    "[System.IO.FileShare]::Read": "[System.IO.FileShare]'ReadWrite, Delete'",
    "[System.IO.FileMode]::CreateNew": "[System.IO.FileMode]::Create",
    "[System.IO.FileMode]::Append": "[System.IO.FileMode]::Create",
}
_PLAIN_METHODS = {"ToLowerInvariant", "Trim", "TrimEnd", "TrimStart", "Replace", "StartsWith"}
#: A command line, whose words each mean something; of a statement of SQL, its options do.
_COMMAND_LINE = re.compile(r"(^| )(--?|/)\w|\b[A-Z]{4,}=")
_WORD = re.compile(r"(?: +|^)[^\s]+")
_OPTION = re.compile(r"(?<=WITH )\w+(?:, )?|, \w+(?: = \d+)?")
#: A process that is given this many seconds has not ended in time.
_TOO_SHORT = "0.01"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: ``extent`` of the script becomes ``became``; ``line`` counts from 1."""

    function: str
    line: int
    extent: Extent
    was: str
    became: str
    source: str
    #: Of mutants that are alike in the same function, which one: from 1.
    nth: int = 1

    def apply(self, text: str) -> str:
        """The script with this fault."""
        return text[: self.extent[0]] + self.became + text[self.extent[1] :]

    @property
    def key(self) -> Key:
        """What stays the same when lines elsewhere change: how the list of equivalents names it."""
        return (self.function, self.source, self.was, self.became, self.nth)


class Script:
    """A script's text with its syntax tree."""

    def __init__(self, text: str, nodes: Sequence[Node]) -> None:
        self.text = text
        self.nodes = nodes
        self.functions = [n for n in nodes if n["kind"] == "FunctionDefinition"]
        #: Where a block of statements begins, behind its brace, by its extent.
        self.blocks: dict[Extent, int] = dict(_blocks(text, nodes))

    def of(self, extent: Extent) -> str:
        return self.text[extent[0] : extent[1]]

    def function_at(self, position: int) -> str:
        """The name of the function there; "script" outside of all."""
        for function in self.functions:
            if function["extent"][0] <= position < function["extent"][1]:
                return str(function["name"])
        return "script"

    def block_at(self, extent: Extent) -> Extent | None:
        """The innermost block of statements around an extent; None for the script's own level."""
        around = [b for b in self.blocks if b[0] <= extent[0] and extent[1] <= b[1]]
        return min(around, key=lambda b: b[1] - b[0], default=None)

    def blocks_by_function(self) -> dict[str, tuple[str, list[Extent]]]:
        """Each function's blocks in order, with a digest that changes with its text.

        Those of the script's own level are listed as "script".
        """
        found: dict[str, tuple[str, list[Extent]]] = {}
        rest = self.text
        for function in reversed(self.functions):
            rest = rest[: function["extent"][0]] + rest[function["extent"][1] :]
        digest = hashlib.sha256(rest.encode()).hexdigest()
        own = [b for b in self.blocks if self.function_at(b[0]) == "script"]
        found["script"] = (digest, sorted(own))
        for function in self.functions:
            begin, end = function["extent"]
            digest = hashlib.sha256(self.text[begin:end].encode()).hexdigest()
            blocks = sorted(b for b in self.blocks if begin <= b[0] and b[1] <= end)
            found[str(function["name"])] = (digest, blocks)
        return found

    def readers(self, position: int) -> list[Extent]:
        """The blocks that read the variable which the script assigns there, at its own level."""
        for node in self.nodes:
            if (
                node["kind"] == "AssignmentStatement"
                and node["extent"][0] <= position < node["extent"][1]
                and self.function_at(position) == "script"
            ):
                name = self.of(_pair(node["left"])).lstrip("$").lower()
                found = [
                    self.block_at(_pair(v["extent"]))
                    for v in self.nodes
                    if v["kind"] == "VariableExpression" and str(v["name"]).lower() == name
                ]
                return [block for block in found if block]
        return []


def read_script(pwsh: Path, file: Path) -> Script:
    """Asks the engine for the script's syntax. Raises CalledProcessError where it has errors."""
    command = [str(pwsh), "-NoProfile", "-NonInteractive", "-File", str(_SYNTAX), str(file)]
    printed = subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout
    return Script(file.read_text(encoding="ascii"), json.loads(printed))


def all_mutants(script: Script) -> list[Mutant]:
    """Every fault, in the order of the file, none twice."""
    found: dict[tuple[Extent, str], Mutant] = {}
    for node in script.nodes:
        for extent, became in _changes(script, node):
            was = script.of(extent)
            if was == became:
                continue
            line = script.text.count("\n", 0, extent[0]) + 1
            source = script.text.splitlines()[line - 1].strip()
            function = script.function_at(extent[0])
            mutant = Mutant(function, line, extent, was, became, source)
            found.setdefault((extent, became), mutant)
    alike: Counter[Key] = Counter()
    numbered = []
    for mutant in sorted(found.values(), key=lambda m: (m.extent, m.became)):
        alike[mutant.key] += 1
        numbered.append(replace(mutant, nth=alike[mutant.key]))
    return numbered


def instrumented(script: Script, folder: Path) -> tuple[str, dict[Extent, str]]:
    """The script that leaves a folder below ``folder`` for each block it enters; their names."""
    names = {block: str(number) for number, block in enumerate(script.blocks)}
    text = script.text
    for block, begin in sorted(script.blocks.items(), key=lambda item: -item[1]):
        mark = f" $null = [System.IO.Directory]::CreateDirectory('{folder / names[block]}'); "
        text = text[:begin] + mark + text[begin:]
    return text, names


def _blocks(text: str, nodes: Sequence[Node]) -> Iterator[tuple[Extent, int]]:
    for node in nodes:
        extent = _pair(node["extent"])
        if node["kind"] == "StatementBlock" and text[extent[0]] == "{":
            yield extent, extent[0] + 1
        elif node["kind"] == "NamedBlock" and node["statements"] and extent[0] > 0:
            around = _pair(node["parent_extent"])
            if text[around[0]] == "{":
                yield around, node["statements"][0][0]


def _pair(extent: Sequence[int]) -> Extent:
    return (extent[0], extent[1])


def _changes(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    maker = _MAKERS.get(node["kind"])
    if maker is not None:
        yield from maker(script, node)


def _condition(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    for condition in node["conditions"]:
        # A loop that never ends is found by every test that enters it.
        if node["kind"] == "IfStatement":
            yield _pair(condition), "$true"
        yield _pair(condition), "$false"


def _is_condition(script: Script, node: Node) -> bool:
    extents = [
        _pair(condition)
        for other in script.nodes
        if other["kind"] in ("IfStatement", "WhileStatement", "ForStatement")
        for condition in other["conditions"]
    ]
    return _pair(node["extent"]) in extents


def _binary(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    extent = _pair(node["operator"])
    operator = script.of(extent).lower()
    if operator in _CLOSE:
        yield extent, _CLOSE[operator]
    joins = operator in ("-and", "-or")
    if operator in _NAMED_CLOSELY and (joins or not _is_condition(script, node)):
        yield extent, _NAMED_CLOSELY[operator]


def _unary(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    if node["operation"] == "Not" and not _is_condition(script, node):
        yield _pair(node["extent"]), script.of(_pair(node["child"]))


def _number(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    text = script.of(_pair(node["extent"]))
    if node["parent"] == "Hashtable":
        return
    if re.fullmatch(r"-?\d+", text):
        yield _pair(node["extent"]), str(int(text) + 1)
    elif re.fullmatch(r"0x[0-9a-f]+", text):
        yield _pair(node["extent"]), hex(int(text, 16) ^ 1)


def _variable(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    other = {"true": "$false", "false": "$true"}.get(str(node["name"]).lower())
    if other:
        yield _pair(node["extent"]), other


def _statements(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    if node["parent"] in ("ArrayExpression", "SubExpression", "ParenExpression", "Hashtable"):
        return
    pairs = [(_pair(e), str(k)) for e, k in zip(node["statements"], node["kinds"], strict=True)]
    alone = len(pairs) == 1 and node["parent"] in ("IfStatement", "TryStatement", "CatchClause")
    for index, (extent, kind) in enumerate(pairs):
        if not alone and _may_go(script, extent, kind):
            yield extent, ""
        if index and _is_act(script, extent, kind):
            before, what_before = pairs[index - 1]
            between = script.text[before[1] : extent[0]]
            # A value must be there before it is used, so only acts and loops change places.
            if what_before in ("ForEachStatement", "IfStatement") or _is_act(
                script, before, what_before
            ):
                swapped = script.of(extent) + between + script.of(before)
                if "#" not in between:
                    yield (before[0], extent[1]), swapped


def _is_act(script: Script, extent: Extent, kind: str) -> bool:
    """Whether a statement is there for what it does: a command or a method, its value unused."""
    text = script.of(extent)
    return (
        kind == "Pipeline"
        and re.match(r"[A-Z]\w+-\w+ |\$\w+(\.\w+)+\(|\[System\.IO\.\w+\]::\w+\(", text) is not None
    ) or (kind == "AssignmentStatement" and text.startswith("$null = "))


def _may_go(script: Script, extent: Extent, kind: str) -> bool:
    """Whether the script can still run without a statement."""
    text = script.of(extent)
    if kind == "AssignmentStatement":
        left = re.match(r"(\S+) ([-+]?=) ", text)
        if left is None:
            return False
        name, operator = left[1], left[2]
        if operator != "=" or "." in name or "[" in name or name == "$null":
            return True
        # What was assigned before in the same function still has a value.
        function = next(
            (f for f in script.functions if f["extent"][0] <= extent[0] < f["extent"][1]), None
        )
        if function is None:
            return False
        earlier = script.text[function["extent"][0] : extent[0]]
        return re.search(rf"{re.escape(name)}(?= =|[,)])", earlier) is not None
    if kind in ("ThrowStatement", "BreakStatement", "ContinueStatement", "ExitStatement"):
        return True
    if kind == "ReturnStatement":
        return True
    return _is_act(script, extent, kind) or (
        kind in ("IfStatement", "ForEachStatement") and "\n" in text
    )


def _try(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    for block in (*node["catches"], *node["finally"]):
        yield _pair(block), "{ }"


def _array(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    elements = [_pair(e) for e in node["elements"]]
    if len(elements) < 2 or node["parent"] == "InvokeMemberExpression":
        return
    for index, element in enumerate(elements):
        begin, end = element
        if index + 1 < len(elements):
            end = elements[index + 1][0]
        else:
            begin = elements[index - 1][1]
        yield (begin, end), ""


def _hashtable(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    for begin, end in node["entries"]:
        follows = script.text[end : end + 1] == ";"
        yield (begin, end + follows), ""


def _command(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    elements = [_pair(e) for e in node["elements"]]
    kinds, valued = node["kinds"], node["valued"]
    if node["name"] in ("Set-StrictMode", "New-Object", "ConvertTo-Json", "ConvertFrom-Json"):
        return
    for index, kind in enumerate(kinds):
        name = script.of(elements[index])
        # Without these a command asks for them, or is another.
        if kind != "CommandParameter" or name in (
            "-LiteralPath",
            "-ClassName",
            "-TaskName",
            "-UserId",
            "-Execute",
            "-Argument",
            "-Action",
            "-Milliseconds",
        ):
            continue
        last = index
        if not valued[index] and index + 1 < len(kinds) and kinds[index + 1] != "CommandParameter":
            last = index + 1
        yield (elements[index - 1][1], elements[last][1]), ""
    callee = next((f for f in script.functions if f["name"] == node["name"]), None)
    if (
        callee is not None
        and "CommandParameter" not in kinds
        and "@" not in script.of(elements[-1])
    ):
        parameters = callee["parameters"]
        given = len(elements) - 1
        optional = [p for p in parameters if p["optional"]]
        if given == len(parameters) and optional and parameters[-1]["optional"]:
            yield (elements[-2][1], elements[-1][1]), ""
        elif given < len(parameters) and parameters[given]["type"] == "double":
            yield (elements[-1][1], elements[-1][1]), f" {_TOO_SHORT}"


def _pipeline(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    elements = [_pair(e) for e in node["elements"]]
    for index in range(1, len(elements)):
        if script.of(elements[index]).startswith(("Where-Object", "Sort-Object")):
            yield (elements[index - 1][1], elements[index][1]), ""


def _method(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    if node["name"] in _PLAIN_METHODS and not node["static"]:
        became = "$true" if node["name"] == "StartsWith" else script.of(_pair(node["target"]))
        yield _pair(node["extent"]), became
    if node["static"] and node["name"] in ("Min", "Max"):
        other = {"Min": "Max", "Max": "Min"}[node["name"]]
        text = script.of(_pair(node["extent"]))
        yield _pair(node["extent"]), text.replace(f"::{node['name']}", f"::{other}", 1)


def _member(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    became = _MEMBERS.get(script.of(_pair(node["extent"])))
    if became:
        yield _pair(node["extent"]), f"({became})"


def _text(script: Script, node: Node) -> Iterator[tuple[Extent, str]]:
    begin, end = _pair(node["extent"])
    if node["style"] not in ("DoubleQuoted", "SingleQuoted"):
        return
    inside = script.text[begin + 1 : end - 1]
    if node["parent"] in ("ReturnStatement", "Pipeline", "CommandExpression"):
        returned = re.search(r"return $", script.text[max(0, begin - 7) : begin])
        if returned and re.fullmatch(r"[a-z-]*", inside):
            yield (begin, end), "''" if inside else "'mutant'"
    options: re.Pattern[str] | None = None
    if re.match(r"(BACKUP|RESTORE) ", inside):
        options = _OPTION
    elif _COMMAND_LINE.search(re.sub(r"\$\(.*\)", "", inside)) and " " in inside:
        options = _WORD
    if options is not None:
        for word in options.finditer(inside):
            rest = inside[: word.start()] + inside[word.end() :]
            yield (begin, end), script.text[begin] + rest + script.text[end - 1]


_MAKERS = {
    "IfStatement": _condition,
    "WhileStatement": _condition,
    "ForStatement": _condition,
    "BinaryExpression": _binary,
    "UnaryExpression": _unary,
    "ConstantExpression": _number,
    "VariableExpression": _variable,
    "StatementBlock": _statements,
    "NamedBlock": _statements,
    "TryStatement": _try,
    "ArrayLiteral": _array,
    "Hashtable": _hashtable,
    "Command": _command,
    "Pipeline": _pipeline,
    "InvokeMemberExpression": _method,
    "MemberExpression": _member,
    "StringConstantExpression": _text,
    "ExpandableStringExpression": _text,
}
