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
HARDWARE = {"machine", "network", "esp32", "rp2"}
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


def violations(path: str, source: str) -> list[str]:
    """Return what the file at path (relative to the project) may not do, one line each."""
    room = path.split("/")[0]
    tree = ast.parse(source)
    found = []

    def report(line, what):
        found.append(f"{path}:{line}: {what}")

    for name, line in _imports(tree):
        top = name.split(".")[0]
        if room in MAY_IMPORT and top in ROOMS and top not in MAY_IMPORT[room]:
            report(line, f"{room}/ may not import {top}/")
        if room in ("drivers", "agent", "firmware", "boards"):
            if top in HARDWARE and not path.startswith(HAL):
                report(line, f"{top} outside firmware/hal/ and boot.py")
            if top == "asyncio" and room != "firmware":
                report(line, "asyncio belongs to firmware/")
            if top == "os" and room in ("drivers", "agent") and path != "agent/store.py":
                report(line, "os belongs to agent/store.py")
            if top == "time" and room in ("drivers", "agent"):
                report(line, "time is an argument")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "open":
            if room == "drivers" or (room == "agent" and path != "agent/store.py"):
                report(node.lineno, "open belongs to agent/store.py")
        if isinstance(node, ast.Attribute) and node.attr == "platform":
            if isinstance(node.value, ast.Name) and node.value.id == "sys":
                if room in ("drivers", "agent", "firmware") and not path.startswith(HAL):
                    report(node.lineno, "sys.platform above hal/")
        if isinstance(node, ast.Assert) and room in ("drivers", "agent", "firmware"):
            report(node.lineno, "assert in device code: -O1 drops it")
        if isinstance(node, ast.Raise) and node.cause is not None:
            if room in ("drivers", "agent", "firmware"):
                report(node.lineno, "raise ... from in device code")
        if isinstance(node, ast.ExceptHandler) and room in ("drivers", "agent", "firmware"):
            caught = node.type.id if isinstance(node.type, ast.Name) else ""
            if node.type is None or caught == "BaseException":
                report(node.lineno, "bare except")
            if caught == "Exception" and path != "firmware/loop.py":
                report(node.lineno, "except Exception outside firmware/loop.py")
    return found


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
