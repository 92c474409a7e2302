"""Makes the mutants of a file: each is one small change to one function, compiled.

The operators are mutmut's, with three changes (``OPERATORS``). Mutmut leaves out decorated
functions because it copies them; nothing is copied here, so properties, context managers,
validators and hooks are mutated like any other function. Left out: what runs once at import
(constants and tables of a module, fields of a class), calls of ``len`` and ``isinstance``,
annotations and docstrings.
"""

from __future__ import annotations
import __future__

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, deep_replace
from mutmut.mutation.mutators import OPERATORS_TYPE, mutation_operators, operator_string
from mutmut.mutation.pragma_handling import IgnoredCode


def change_identifier(node: cst.BaseString) -> Iterable[cst.BaseString]:
    """A string without a blank stands for something and is changed once; a sentence is not."""
    if isinstance(node, cst.SimpleString) and re.fullmatch(r"\S*\w\S*", str(node.evaluated_value)):
        yield from list(operator_string(node))[:1]


def remove_call(node: cst.Expr) -> Iterable[cst.Pass]:
    """A call whose result nobody uses is there for what it does: a guard, a note, a message."""
    value = node.value.expression if isinstance(node.value, cst.Await) else node.value
    if isinstance(value, cst.Call):
        yield cst.Pass()


def remove_raise(node: cst.Raise) -> Iterable[cst.Pass]:
    yield cst.Pass()


def never_branch(node: cst.If) -> Iterable[cst.If]:
    """``if`` a guard: as if the condition were never true."""
    yield node.with_changes(
        test=cst.Name("False"), whitespace_before_test=cst.SimpleWhitespace(" ")
    )


#: Mutmut's table. Its three variants of every string would drown the rest, so only identifiers
#: are changed, once; calls for their effect, raises and branches are removed in addition.
OPERATORS: OPERATORS_TYPE = [
    *((kind, op) for kind, op in mutation_operators if op is not operator_string),
    (cst.BaseString, change_identifier),
    (cst.Expr, remove_call),
    (cst.Raise, remove_raise),
    (cst.If, never_branch),
]


class Visitor(MutationVisitor):
    """Mutmut's visitor, except that it goes into decorated functions (not into decorators)."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.FunctionDef) and node.decorators:
            node = node.with_changes(decorators=[])
        return super()._skip_node_and_children(node)


@dataclass(frozen=True, eq=False)
class Mutant:
    """One change of one function, and what is needed to put it in and to show it."""

    file: str
    #: As Python names it: ``Class.method``, ``function``.
    function: str
    #: Where the function begins, decorators included: tells a property's getter from its setter.
    first_line: int
    #: Of the change.
    line: int
    #: The statement that the change is in: a test that runs none of these cannot notice it.
    statement: range
    #: The changed lines, stripped and joined: with file and function the key of an equivalent.
    before: str
    after: str
    diff: str
    code: CodeType
    #: Defaults of parameters that the change is in, by name.
    defaults: dict[str, Any]


def functions(module: CodeType) -> dict[tuple[str, int], CodeType]:
    """Functions of a module and methods of its classes, by name and first line."""
    found = {}
    for code in _inner(module):
        if code.co_qualname.rpartition(".")[0].endswith("<locals>") or code.co_name.startswith("<"):
            continue
        if "__qualname__" in code.co_names and "__module__" in code.co_names:  # a class body
            found.update(functions(code))
        else:
            found[(code.co_qualname, code.co_firstlineno)] = code
    return found


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


@dataclass(frozen=True)
class Part:
    """A class or function at the top of a module: all that has to be compiled for a mutant."""

    node: cst.BaseCompoundStatement
    text: str
    #: Lines of the module before it.
    above: int

    def compiled(self, text: str, path: str) -> dict[tuple[str, int], CodeType]:
        module = "\n" * self.above + text
        flags = __future__.annotations.compiler_flag  # every module of ours begins with this import
        return functions(compile(module, path, "exec", flags=flags, dont_inherit=True))


def parts(module: cst.Module) -> Iterator[Part]:
    above = len(module.header)
    for statement in module.body:
        text = module.code_for_node(statement)
        if isinstance(statement, cst.FunctionDef | cst.ClassDef):
            yield Part(statement, text, above)
        above += text.count("\n")


def mutants(root: Path, file: str) -> list[Mutant]:
    """All mutants of a file, in the order of its lines; what compiles to the same is left out."""
    source = (root / file).read_text(encoding="utf-8")
    # With the path that the interpreter knows the module by, so that tracebacks fit.
    path = str(root / file)
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Visitor(OPERATORS, IgnoredCode(set(), set(), set()))
    wrapper.visit(visitor)
    positions = wrapper.resolve(PositionProvider)
    parents = wrapper.resolve(ParentNodeProvider)
    part_of: dict[cst.CSTNode, Part] = {part.node: part for part in parts(wrapper.module)}
    originals = {node: part.compiled(part.text, path) for node, part in part_of.items()}
    made: list[Mutant] = []
    seen: set[tuple[str, int, bytes]] = set()
    for mutation in visitor.mutations:
        function = mutation.contained_by_top_level_function
        if not isinstance(function, cst.FunctionDef):
            continue
        top: cst.CSTNode = function
        while top not in part_of:
            top = parents[top]
        part = part_of[top]
        changed = deep_replace(part.node, mutation.original_node, mutation.mutated_node)
        assert isinstance(changed, cst.BaseCompoundStatement)
        text = wrapper.module.code_for_node(changed)
        name, first_line = place = _name(function, positions, parents)
        code = part.compiled(text, path)[place]
        defaults = _changed_defaults(part.text, text, first_line - part.above)
        fingerprint = _fingerprint(code)
        key = (name, first_line, fingerprint + repr(defaults).encode())
        if key in seen or (fingerprint == _fingerprint(originals[top][place]) and not defaults):
            continue
        seen.add(key)
        before, after, line, diff = _difference(file, part.text, text, part.above)
        statement = _statement(mutation.original_node, positions, parents)
        made.append(
            Mutant(file, name, first_line, line, statement, before, after, diff, code, defaults)
        )
    return sorted(made, key=lambda mutant: mutant.line)


def _fingerprint(code: CodeType) -> bytes:
    """What a code object does; where its lines stand is no part of it."""
    constants = [
        _fingerprint(c) if isinstance(c, CodeType) else f"{type(c)}{c!r}".encode()
        for c in code.co_consts
    ]
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags)
    return b"|".join([code.co_code, repr(names).encode(), code.co_exceptiontable, *constants])


def _name(function: cst.FunctionDef, positions: Any, parents: Any) -> tuple[str, int]:
    names = [function.name.value]
    node: cst.CSTNode = function
    while not isinstance(node := parents[node], cst.Module):
        if isinstance(node, cst.ClassDef):
            names.insert(0, node.name.value)
    first = function.decorators[0] if function.decorators else function
    return ".".join(names), positions[first].start.line


def _changed_defaults(source: str, text: str, first_line: int) -> dict[str, Any]:
    """Defaults are evaluated where a function is defined, not in its code."""
    old, new = (_defaults(version, first_line) for version in (source, text))
    return {
        name: ast.literal_eval(value)
        for name, value in new.items()
        if old[name] != value and _is_literal(value)
    }


def _defaults(text: str, first_line: int) -> dict[str, str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.decorator_list[0].lineno if node.decorator_list else node.lineno
            if first == first_line:
                arguments = node.args
                positional = [*arguments.posonlyargs, *arguments.args]
                count = len(arguments.defaults)
                pairs = [
                    *zip(positional[len(positional) - count :], arguments.defaults, strict=True),
                    *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
                ]
                return {a.arg: ast.unparse(value) for a, value in pairs if value is not None}
    raise AssertionError(f"no function begins on line {first_line}")


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except ValueError:
        return False
    return True


def _statement(node: cst.CSTNode, positions: Any, parents: Any) -> range:
    """The lines of the statement that the node is in; of a compound one only its head."""
    while not isinstance(node, cst.SimpleStatementLine | cst.BaseCompoundStatement) and not (
        isinstance(node, cst.ExceptHandler | cst.MatchCase)
    ):
        node = parents[node]
    span: CodeRange = positions[node]
    if isinstance(node, cst.SimpleStatementLine | cst.FunctionDef):
        return range(span.start.line, span.end.line + 1)
    body = node.cases[0] if isinstance(node, cst.Match) else getattr(node, "body", None)
    inner = positions[body].start.line if body is not None else span.end.line + 1
    return range(span.start.line, max(inner, span.start.line + 1))


def _difference(file: str, old: str, new: str, above: int) -> tuple[str, str, int, str]:
    """The changed lines before and after, the first one's number, and all of it to be read."""
    before, after = old.splitlines(), new.splitlines()
    first = _alike(before, after)
    last = _alike(before[first:][::-1], after[first:][::-1])
    end = len(before) - last
    removed, added = before[first:end], after[first : len(after) - last]
    lines = [f"{file}:{above + first + 1}"]
    lines += [f"   {line}" for line in before[max(first - 1, 0) : first]]
    lines += [f"-  {line}" for line in removed] + [f"+  {line}" for line in added]
    lines += [f"   {line}" for line in before[end : end + 1]]
    return _joined(removed), _joined(added), above + first + 1, "\n".join(map(str.rstrip, lines))


def _alike(one: list[str], other: list[str]) -> int:
    """How many lines they begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines)
