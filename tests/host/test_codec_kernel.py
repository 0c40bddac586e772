"""The kernel's two texts are one, and its numbers stay within a 32-bit port's small ints."""

import ast
import inspect
import random
import re
from array import array
from pathlib import Path

import agent
from agent import codec_plain
from agent.codec import Block, decode
from agent.codec_rows import TERM_BITS, Rows
from tests.host.codec_inputs import adversaries, series_of

_FOLDER = Path(inspect.getfile(codec_plain)).parent
_SMALL = 1 << 30
_SIGNATURE = re.compile(r"(@micropython\.viper\n)?def code\(.*?\)(?: -> int)?:\n", re.DOTALL)


def _body(name):
    text = (_FOLDER / name).read_text()
    text = text[text.index("from micropython import const") :]
    return _SIGNATURE.sub("def code():\n", text)


def test_both_kernels_are_the_same_text():
    assert agent and _body("codec_plain.py") == _body("codec_viper.py")


def test_a_number_that_several_modules_name_is_the_same_in_each():
    found: dict[str, dict[str, str]] = {}
    for path in _FOLDER.glob("codec*.py"):
        for name, number in re.findall(r"(?m)^(\w+) = const\((.*?)\)", path.read_text()):
            found.setdefault(name, {})[path.name] = number
    assert sum(len(by_file) > 1 for by_file in found.values()) > 30
    assert [by_file for by_file in found.values() if len(set(by_file.values())) > 1] == []


class _Checked(ast.NodeTransformer):
    """Put every result of an operation on words through `narrow`; values may be of any size."""

    def _checked(self, node):
        self.generic_visit(node)
        if {"values", "small"} & {
            part.id for part in ast.walk(node) if isinstance(part, ast.Name)
        }:
            return node
        call = ast.Call(ast.Name("narrow", ast.Load()), [node], [])
        return ast.copy_location(call, node)

    def visit_BinOp(self, node):
        return self._checked(node)

    def visit_UnaryOp(self, node):
        return self._checked(node)

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        value = ast.Call(
            ast.Name("narrow", ast.Load()), [ast.BinOp(load, node.op, node.value)], []
        )
        return ast.copy_location(ast.Assign([node.target], value), node)


def _checked_kernel():
    def narrow(value):
        assert -_SMALL <= value < _SMALL, value
        return value

    tree = ast.parse(inspect.getsource(codec_plain))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            _Checked().visit(node)
    space = {"narrow": narrow}
    exec(compile(ast.fix_missing_locations(tree), "checked", "exec"), space)
    return space["code"]


class _Words(array):
    """An array whose elements must be words that viper loads alike on 32 and 64 bits."""

    def __setitem__(self, index, value):
        if isinstance(index, int):
            assert 0 <= value < _SMALL, value
        super().__setitem__(index, value)


def _terms(*terms):
    """Return terms as a writer keeps them: (other channel, its value, taken away) of each."""
    packed = 0
    for other, is_value, is_minus in reversed(terms):
        packed = packed << TERM_BITS | other + 1 << 2 | is_value << 1 | is_minus
    return packed


_TERMS = [
    _terms((0, 1, 0)),
    _terms((1, 0, 0)),
    _terms((2, 1, 0), (1, 1, 1), (0, 1, 1)),
    _terms((3, 0, 0), (2, 0, 0), (1, 0, 0)),
]


def test_no_number_leaves_thirty_bits_on_the_worst_series(monkeypatch):
    if Rows.kernel is None:
        Rows(1)
    monkeypatch.setattr(Rows.kernel, "code", _checked_kernel())
    monkeypatch.setattr(Rows.kernel, "words", lambda count: _Words("I", bytes(4 * count)))
    monkeypatch.setattr(Rows.kernel, "work", _Words("I", bytes(40)))
    dice = random.Random(3)
    noise = [dice.choice((-(1 << 21), (1 << 21) - 1, dice.getrandbits(20))) for _ in range(120)]
    is_told = False
    for name, rows in [*adversaries(40, seed=3), ("told as it is", series_of(noise))]:
        block = Block(len(rows[0][1]), 4000)
        block.open(bytes(4), 0, 1, 0)
        monkeypatch.setattr(
            block.rows, "_terms", lambda channel: _TERMS[channel - 1] if channel else 0
        )
        grid = 1 + len(name) % 3
        monkeypatch.setattr(block.rows, "_grid", lambda channel, it=grid: it)
        monkeypatch.setattr(block.rows, "_conclude_block", lambda values: 0)
        count = 0
        for row in rows:
            if not block.add(*row):
                break
            count += 1
            is_told |= block.rows.state[codec_plain._AS_THEY_ARE] > 0
        start, end = block.close()
        assert decode(bytes(block.data[start:end])).rows == rows[:count], name
    assert is_told, "no value was told as it is"


def test_the_check_notices_a_number_too_large(monkeypatch):
    text = inspect.getsource(codec_plain).replace("e = 0x40000", "e = 0x40000000")
    assert text != inspect.getsource(codec_plain)
    monkeypatch.setattr(inspect, "getsource", lambda module: text)
    kernel = _checked_kernel()
    monkeypatch.setattr(Rows.kernel, "code", kernel)
    random.seed(1)
    try:
        for rows in (series_of([random.randrange(-(1 << 21), 1 << 21) for _ in range(99)]),):
            block = Block(1, 4000)
            block.open(bytes(4), 0, 1, 0)
            for row in rows:
                block.add(*row)
    except AssertionError:
        return
    raise AssertionError("accepted a number of 35 bits")
