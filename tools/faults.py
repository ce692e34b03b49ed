"""Small faults for mutation testing, from the syntax tree of Python source.

Messages, docstrings, annotations and what only type checkers read have none. `put_faults.py` uses them.
"""

import ast
import itertools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

PAIRS = ("< <=", "> >=", "< >", "<= >=", "== !=", "is is_not", "in not_in", "and or", "+ -", "* /", "// /", "% //")
OTHER_NAMES = {"min": "max", "any": "all", "minimum": "maximum", "argmin": "argmax", "floor": "ceil", "zeros": "ones"}
OTHER_NAMES |= {other: name for name, other in OTHER_NAMES.items()}
OTHER_OPERATORS: dict[str, list[str]] = {}
for one, other in (pair.split() for pair in PAIRS):
    OTHER_OPERATORS.setdefault(one.replace("_", " "), []).append(other.replace("_", " "))
    OTHER_OPERATORS.setdefault(other.replace("_", " "), []).append(one.replace("_", " "))
KEYED = {"get", "pop", "setdefault", "startswith", "endswith", "getattr", "hasattr", "removeprefix", "removesuffix"}
NOT_HERE = {"TYPE_CHECKING", 'sys.platform == "win32"'}  # conditions of what these tests do not run
SYMMETRIC = {"min", "max", "minimum", "maximum", "gcd"}  # in their arguments
SILENT = {"warn", "warning", "info", "debug", "error", "cast", "add_argument", "TypeVar", "quoted"}


@dataclass(frozen=True)
class Fault:
    """Bytes `start` to `stop` of a module become `after`."""

    kind: str
    start: int
    stop: int
    after: str


class FaultMaker(ast.NodeVisitor):
    """Collects the faults of one module, except in messages, annotations and what only type checkers read."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.lines = [0, *itertools.accumulate(len(line) for line in source.splitlines(keepends=True))]
        self.faults: list[Fault] = []
        self.visit(ast.parse(source))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr) -> str:
        return self.source[slice(*self.span(node))].decode()

    def replace(self, kind: str, node: ast.expr | ast.stmt, *texts: str) -> None:
        self.faults += [Fault(kind, *self.span(node), text) for text in texts]

    def swap_operator(self, kind: str, left: ast.expr, right: ast.expr) -> None:
        start, stop = self.span(left)[1], self.span(right)[0]
        between = re.sub(rb"#[^\n]*", lambda comment: b" " * len(comment[0]), self.source[start:stop])
        if found := re.search(rb"is\s+not|not\s+in|[a-z]+|[<>=!+\-*/%@&|^]+", between):
            for other in OTHER_OPERATORS.get(" ".join(found[0].decode().split()), ()):
                self.faults.append(Fault(kind, start + found.start(), start + found.end(), other))

    def alter_key(self, node: ast.AST | None, kind: str = "key") -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.replace(kind, node, repr(node.value + "_"))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Pass over what has no true positions before Python 3.12."""

    def visit_arg(self, node: ast.arg) -> None:
        """Pass over annotations."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value and self.text(node.annotation) != "TypeAlias":
            self.alter_key(node.value, "default")
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            self.alter_key(default, "default")
        for part in (node.args, *node.decorator_list, *node.body):
            self.visit(part)

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        if self.text(node.test) in NOT_HERE and isinstance(node, ast.If):
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.replace("condition", node.test, "True", "False")
            self.generic_visit(node)

    visit_IfExp = visit_If

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.replace("condition", test, "True")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, right in itertools.pairwise((node.left, *node.comparators)):
            self.swap_operator("comparison", left, right)
            self.alter_key(left)
            self.alter_key(right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for left, right in itertools.pairwise(node.values):
            self.swap_operator("logic", left, right)
        for value in node.values:
            self.replace("logic", value, str(isinstance(node.op, ast.And)))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.replace("logic", node, f"({self.text(node.operand)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.swap_operator("arithmetic", node.left, node.right)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.replace("boolean", node, str(not node.value))
        elif isinstance(node.value, int | float):
            self.replace("constant", node, *(repr(v) for v in (node.value + 1, node.value - 1, 0) if v != node.value))

    def visit_Dict(self, node: ast.Dict) -> None:
        for key in node.keys:
            self.alter_key(key)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self.text(node.value) != "Literal":
            self.alter_key(node.slice)
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in OTHER_NAMES:
            self.replace("name", node, OTHER_NAMES[node.id])

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr in OTHER_NAMES:
            stop = self.span(node)[1]
            self.faults.append(Fault("name", stop - len(node.attr), stop, OTHER_NAMES[node.attr]))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = self.text(node.func).rpartition(".")[2]
        if name in SILENT or name.endswith("Error"):
            return
        for first, second in itertools.pairwise(() if name in SYMMETRIC else node.args):
            if not isinstance(first, ast.Starred) and not isinstance(second, ast.Starred):
                start, stop = self.span(first)[0], self.span(second)[1]
                between = self.source[self.span(first)[1] : self.span(second)[0]].decode()
                self.faults.append(Fault("arguments", start, stop, self.text(second) + between + self.text(first)))
        if name in KEYED:
            for argument in node.args:
                self.alter_key(argument)
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call):
            self.replace("statement", node, "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.replace("statement", node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise | ast.Continue | ast.Break) -> None:
        self.replace("statement", node, "pass")

    visit_Continue = visit_Break = visit_Raise

    def visit_Return(self, node: ast.Return) -> None:
        if node.value:
            self.replace("statement", node, "return None")
        self.generic_visit(node)


def put(fault: Fault, source: bytes) -> bytes:
    """Return the source with the fault."""
    return source[: fault.start] + fault.after.encode() + source[fault.stop :]


def behaviour(source: bytes) -> object:
    """Return what the source compiles to, without positions; None if it does not compile."""

    def plain(code: CodeType) -> object:
        constants = [plain(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
        return code.co_name, code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants

    try:
        return plain(compile(source, "", "exec", dont_inherit=True))
    except SyntaxError:
        return None


def choose(modules: Sequence[Path], seed: str, number: int) -> Iterator[tuple[Path, Fault]]:
    """Yield different faults of the modules, large modules more often, each kind of fault as often as the others."""
    sources = {module: module.read_bytes() for module in modules}
    faults = {module: sorted(set(FaultMaker(source).faults), key=repr) for module, source in sources.items()}
    chance = random.Random(seed)
    while number and any(faults.values()):
        module = chance.choices(modules, [len(faults[each]) for each in modules])[0]
        kind = chance.choice(sorted({fault.kind for fault in faults[module]}))
        fault = chance.choice([fault for fault in faults[module] if fault.kind == kind])
        faults[module].remove(fault)
        if behaviour(put(fault, sources[module])) not in (None, behaviour(sources[module])):
            number -= 1
            yield module, fault
