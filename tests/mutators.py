"""What a tired person might have written instead: every small change of a source, one at a time.

    for mutant in mutants("agent/bus.py", source):
        print(mutant.line, mutant.old, "->", mutant.new)
    code = compiled(source, mutant.number, "agent/bus.py")

Comparisons, arithmetic and bits, `and` and `or`, negations, numbers one up and one down, truth
values, statements left out, `break` for `continue`, returned values. A generator over the syntax
tree in a fixed order: the n-th mutant of a text is always the same one. Left alone is what only
people read: docstrings, annotations, lines of the log, texts and their formatting.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

_COMPARED: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COUNTED: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}
_SAID = {"debug", "info", "warn", "error"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_READ_BY_PEOPLE = {"annotation", "returns", "decorator_list", "type_comment"}

Put = Callable[[ast.AST], None]


class Mutant(NamedTuple):
    """One change. number: its place among those of its file; end: the last line of its statement.

    where: the function it is in; code: its line, without what is around it; nth: which of those
    that look the same in that function.
    """

    file: str
    number: int
    line: int
    end: int
    where: str
    code: str
    old: str
    new: str
    nth: int

    @property
    def name(self) -> str:
        """Return what names it for as long as its own line stays as it is."""
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.file} | {self.where} | {self.code} | {self.old} -> {self.new}{again}"


class _Site(NamedTuple):
    statement: ast.stmt
    where: str
    old: ast.AST
    new: ast.AST
    put: Put


def mutants(file: str, source: str) -> list[Mutant]:
    """Return every mutant of this source."""
    lines = source.splitlines()
    seen: Counter[tuple[str, ...]] = Counter()
    found = []
    for index, site in enumerate(_sites(ast.parse(source))):
        line = getattr(site.old, "lineno", site.statement.lineno)
        code = lines[line - 1].strip()
        old, new = _text(site.old), _text(site.new)
        seen[site.where, code, old, new] += 1
        nth = seen[site.where, code, old, new]
        end = _end(site.statement)
        found.append(Mutant(file, index, line, end, site.where, code, old, new, nth))
    return found


def compiled(source: str, index: int | None, path: str) -> CodeType:
    """Return the code of the source with that mutant, of the source itself for None."""
    tree = ast.parse(source)
    for place, site in enumerate(_sites(tree) if index is not None else ()):
        if place == index:
            site.put(ast.copy_location(site.new, site.old))
            return compile(ast.fix_missing_locations(tree), path, "exec")
    if index is not None:
        raise IndexError(f"{path} has no mutant {index}")
    return compile(tree, path, "exec")


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _end(statement: ast.stmt) -> int:
    """Return the last line of a statement, of its head alone when it holds others."""
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        return max(statement.lineno, body[0].lineno - 1)
    return statement.end_lineno or statement.lineno


def _sites(tree: ast.Module) -> Iterator[_Site]:
    for at, statement in enumerate(tree.body):
        yield from _in_statement(statement, "", _into(tree.body, at))


def _into(nodes: list[Any], at: int) -> Put:
    def put(node: ast.AST) -> None:
        nodes[at] = node

    return put


def _in_statement(statement: ast.stmt, where: str, put: Put) -> Iterator[_Site]:
    if isinstance(statement, ast.Expr) and (
        isinstance(statement.value, ast.Constant) or _is_said(statement.value)
    ):
        return
    for new in _statements(statement):
        yield _Site(statement, where, statement, new, put)
    inner = where
    if isinstance(statement, _SCOPES):
        inner = f"{where}.{statement.name}" if where else statement.name
    for name, value in ast.iter_fields(statement):
        if name in _READ_BY_PEOPLE:
            continue
        if isinstance(value, ast.expr):
            if name == "test":
                yield from _negated(statement, inner, value)
            yield from _in_expression(statement, inner, value, _onto(statement, name))
        elif isinstance(value, ast.arguments):
            yield from _in_children(statement, inner, value)
        elif isinstance(value, list):
            for at, child in enumerate(value):
                if isinstance(child, ast.stmt):
                    yield from _in_statement(child, inner, _into(value, at))
                elif isinstance(child, ast.expr):
                    yield from _in_expression(statement, inner, child, _into(value, at))
                elif isinstance(child, ast.ExceptHandler | ast.withitem):
                    yield from _in_part(statement, inner, child)


def _in_part(statement: ast.stmt, where: str, part: ast.AST) -> Iterator[_Site]:
    for at, child in enumerate(getattr(part, "body", ())):
        yield from _in_statement(child, where, _into(part.body, at))  # type: ignore[attr-defined]
    if isinstance(part, ast.withitem):
        yield from _in_children(statement, where, part)


def _onto(node: ast.AST, name: str) -> Put:
    def put(new: ast.AST) -> None:
        setattr(node, name, new)

    return put


def _in_children(statement: ast.stmt, where: str, node: ast.AST) -> Iterator[_Site]:
    for name, value in ast.iter_fields(node):
        if name in _READ_BY_PEOPLE:
            continue
        if isinstance(value, ast.expr):
            yield from _in_expression(statement, where, value, _onto(node, name))
        elif isinstance(value, list):
            for at, child in enumerate(value):
                if isinstance(child, ast.expr):
                    yield from _in_expression(statement, where, child, _into(value, at))
                elif isinstance(child, ast.comprehension | ast.keyword):
                    yield from _in_children(statement, where, child)


def _in_expression(statement: ast.stmt, where: str, node: ast.expr, put: Put) -> Iterator[_Site]:
    if isinstance(node, ast.JoinedStr) or _is_said(node):
        return
    for new in _expressions(node):
        yield _Site(statement, where, node, new, put)
    if isinstance(node, ast.IfExp):
        yield from _negated(statement, where, node.test, _onto(node, "test"))
    yield from _in_children(statement, where, node)


def _negated(
    statement: ast.stmt, where: str, test: ast.expr, put: Put | None = None
) -> Iterator[_Site]:
    """Yield the opposite of a condition, where no comparison or `not` in it has one already."""
    if isinstance(test, ast.Compare | ast.Constant):
        return
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return
    new = ast.UnaryOp(ast.Not(), test)
    yield _Site(statement, where, test, new, put or _onto(statement, "test"))


def _is_said(node: ast.AST) -> bool:
    """Tell whether this calls the log."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    if node.func.attr not in _SAID:
        return False
    log = node.func.value
    name = log.attr if isinstance(log, ast.Attribute) else getattr(log, "id", "")
    return str(name).lstrip("_") == "log"


def _statements(node: ast.stmt) -> list[ast.stmt]:
    """Return what may stand in the place of a whole statement."""
    if isinstance(node, ast.Break):
        return [ast.Continue()]
    if isinstance(node, ast.Continue):
        return [ast.Break()]
    if isinstance(node, ast.Return):
        value = node.value
        if value is None or isinstance(value, ast.Constant):
            return []
        return [ast.Return(ast.Constant(None))]
    left_out: bool = isinstance(node, ast.AugAssign | ast.Raise | ast.Delete)
    if isinstance(node, ast.Expr):
        left_out = isinstance(node.value, ast.Call | ast.Await)
    if isinstance(node, ast.Assign):
        left_out = all(isinstance(t, ast.Attribute | ast.Subscript) for t in node.targets)
    new: list[ast.stmt] = [ast.Pass()] if left_out else []
    if isinstance(node, ast.AugAssign) and type(node.op) in _COUNTED:
        new.append(ast.AugAssign(node.target, _COUNTED[type(node.op)](), node.value))
    return new


def _expressions(node: ast.expr) -> list[ast.expr]:
    """Return what may stand in the place of an expression."""
    if isinstance(node, ast.Constant):
        return _constants(node.value)
    if isinstance(node, ast.Compare):
        return [
            ast.Compare(node.left, [*node.ops[:at], new(), *node.ops[at + 1 :]], node.comparators)
            for at, op in enumerate(node.ops)
            for new in _COMPARED[type(op)]
        ]
    if isinstance(node, ast.BinOp):
        is_text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str | bytes)
        if is_text or type(node.op) not in _COUNTED:
            return []
        return [ast.BinOp(node.left, _COUNTED[type(node.op)](), node.right)]
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [ast.BoolOp(other, node.values)]
    if isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        return [node.operand]
    return []


def _constants(value: object) -> list[ast.expr]:
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int):
        return [ast.Constant(value + 1), ast.Constant(value - 1)]
    return []
