"""The law of imports (README.md, "The house"): every arrow, checked in the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("drivers", "boards", "agent", "firmware", "host_tools", "tests")
MAY_IMPORT = {
    "drivers": {"drivers"},
    "boards": set(),
    "agent": {"agent", "drivers"},
    "firmware": {"firmware", "agent", "drivers", "boards"},
    "host_tools": {"host_tools", "agent", "drivers", "boards"},
}
DEVICE = ("drivers", "agent", "boards", "firmware")
HARDWARE = {"machine", "network", "esp32", "rp2"}
FILES = ("agent/store.py", "agent/slots.py", "agent/settings.py")  # who touches the file system
CATCHERS = (
    "firmware/loop.py",
    "firmware/boot.py",
    "firmware/repair.py",
)  # who records it and starts again
HAL = ("firmware/hal/", "firmware/boot.py")


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "") if not node.level else ".", node.lineno
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "__import__"
            and node.args
        ):
            first = node.args[0]
            while isinstance(first, ast.BinOp):
                first = first.left
            if isinstance(first, ast.Constant):
                yield str(first.value), node.lineno


def _import_breach(path, room, name):
    """Return what is wrong with importing name in the file at path, or None."""
    top = name.split(".", maxsplit=1)[0]
    if room in MAY_IMPORT and top in ROOMS and top not in MAY_IMPORT[room]:
        return f"{room}/ may not import {top}/"
    if room not in DEVICE:
        return None
    if top in HARDWARE and not path.startswith(HAL):
        return f"{top} outside firmware/hal/ and boot.py"
    if top == "asyncio" and room != "firmware":
        return "asyncio belongs to firmware/"
    if top == "os" and room in ("drivers", "agent") and path not in FILES:
        return "os belongs to " + ", ".join(FILES)
    if top == "time" and room in ("drivers", "agent"):
        return "time is an argument"
    return None


def _node_breach(path, room, node):
    """Return what is wrong with one node of a device file, or None."""
    if isinstance(node, ast.Name) and node.id == "open":
        if room == "drivers" or (room == "agent" and path not in FILES):
            return "open belongs to " + ", ".join(FILES)
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.platform":
        if not path.startswith(HAL):
            return "sys.platform above hal/"
    if isinstance(node, ast.Assert):
        return "assert in device code: -O1 drops it"
    if isinstance(node, ast.Raise) and node.cause is not None:
        return "raise ... from in device code"
    if isinstance(node, ast.ExceptHandler):
        caught = ast.unparse(node.type) if node.type else "BaseException"
        if caught == "BaseException":
            return "bare except"
        if caught == "Exception" and path not in CATCHERS:
            return "except Exception outside firmware/loop.py and boot.py"
    return None


def violations(path: str, source: str) -> list[str]:
    """Return what the file at path (relative to the project) may not do, one line each."""
    room = path.split("/", maxsplit=1)[0]
    tree = ast.parse(source)
    found = [(line, _import_breach(path, room, name)) for name, line in _imports(tree)]
    if room in DEVICE:
        found += [(getattr(n, "lineno", 0), _node_breach(path, room, n)) for n in ast.walk(tree)]
    return [f"{path}:{line}: {what}" for line, what in found if what]


def _sources():
    return [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py"))]


def test_the_law_holds():
    found = []
    for path in _sources():
        found += violations(path.relative_to(ROOT).as_posix(), path.read_text())
    assert not found, "\n".join(found)
    assert len(_sources()) > 10


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("drivers/x.py", "import agent.bus"),
        ("drivers/x.py", "from agent import bus"),
        ("drivers/x.py", "import time"),
        ("agent/x.py", "import firmware.loop"),
        ("agent/x.py", "import asyncio"),
        ("agent/x.py", "import os"),
        ("agent/x.py", "f = open('x')"),
        ("agent/x.py", "import machine"),
        ("agent/x.py", "import sys\nif sys.platform == 'rp2': pass"),
        ("agent/x.py", "def f(x):\n    assert x"),
        ("agent/x.py", "try:\n    f()\nexcept Exception:\n    pass"),
        ("agent/x.py", "try:\n    f()\nexcept:\n    pass"),
        ("agent/x.py", "try:\n    f()\nexcept OSError as e:\n    raise ValueError from e"),
        ("boards/x.py", "import drivers"),
        ("firmware/x.py", "import host_tools"),
        ("firmware/x.py", "import machine"),
        ("host_tools/x.py", "import firmware.main"),
        ("host_tools/x.py", "m = __import__('firmware.' + 'main')"),
    ],
)
def test_each_breach_is_found(path, source):
    assert violations(path, source)


def test_the_hal_may_import_hardware():
    assert not violations("firmware/hal/rp2.py", "import machine")


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Return rooms that import one another in a circle; [] when there is none."""
    rooms = set(arrows) | {room for found in arrows.values() for room in found}
    while free := {room for room in rooms if not arrows.get(room, set()) & (rooms - {room})}:
        rooms -= free
    return sorted(rooms)


def _host_arrows():
    """Return which rooms of host_tools/ each of them imports; files beside them are left out."""
    folder = ROOT / "host_tools"
    rooms = {path.name for path in folder.iterdir() if (path / "__init__.py").exists()}
    arrows: dict[str, set[str]] = {}
    for room in rooms:
        names = arrows[room] = set()
        for path in (folder / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition("host_tools.")[2] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module == "host_tools":
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.partition("host_tools.")[2])
        arrows[room] = {name.partition(".")[0] for name in names} & rooms
    return arrows


def test_no_room_of_the_host_tools_knows_who_lives_above_it():
    arrows = _host_arrows()
    assert len(arrows) > 10 and {"trust", "cable"} <= arrows["commands"]
    assert not circle(arrows)
    for room, below in {"packing": "trust", "sim": "collect", "collect": "look"}.items():
        assert circle(arrows | {below: arrows[below] | {room}})
