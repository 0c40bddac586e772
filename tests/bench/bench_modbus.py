"""How much of a line's time the gateway uses, and what a full read costs beside others.

Line use runs the firmware's port task on MicroPython (modbus_line.py). Full reads are of the same
meter on the same paced terminal: ours on MicroPython and here, pymodbus, and micropython-modbus on
MicroPython (modbus_rivals.py), which pip fetches into build/ where it can be reached.
Memory is what modbus_street.py says on MicroPython.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from pymodbus.client import ModbusSerialClient

from drivers import load_map
from drivers.modbus import Modbus
from drivers.modbus_values import type_of
from host_tools.desk.master import Master
from host_tools.desk.wires import open_serial
from host_tools.sim.lines import LineSettings
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.workbench import SerialBench
from tests.bench.figure import Figure
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
_BARS = {9600: 0.97, 19200: 0.97, 115200: 0.90}
_WINDOWS = 5
_SUNSPEC_AT = 40070  # where the simulated chain has the model: a peer is told, ours walks
_TIMES = 2
_RIVAL = "micropython-modbus==2.3.7"


def _micropython(*arguments: str, heap: str = "1m", path: str = ".", told: str = "") -> str:
    done = subprocess.run(
        [interpreter(), "-X", f"heapsize={heap}", *arguments],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": f"{path}:.frozen"},
        input=told,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


def _rival() -> Path | None:
    """Return the folder with micropython-modbus, fetched once; None, and said, without it.

    Its archive holds modules for a board and nothing that pip could install, so what pip has
    unpacked is kept when it gives up.
    """
    kept = ROOT / "build" / _RIVAL
    if not (kept / "umodbus").exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--no-deps", "--no-clean", _RIVAL],
                cwd=folder,
                env={**os.environ, "TMPDIR": folder},
                capture_output=True,
                timeout=120,
                check=False,
            )
            found = next(Path(folder).glob("*/*/umodbus"), None)
            if found is None:
                print(f"{_RIVAL} cannot be fetched: its figures are left out")
                return None
            shutil.copytree(found.parent, kept, dirs_exist_ok=True)
    return kept


def _line_use(baud: int) -> Figure:
    said = _micropython(
        *("tests/bench/modbus_line.py", "sdm630", str(baud)),
        *(str(_WINDOWS), str(max(8, baud // 1200))),
    )
    rows = [[int(cell) for cell in line.split()] for line in said.splitlines()]
    used = sorted(carrying / elapsed for _, _, carrying, elapsed in rows)
    return Figure(
        f"line use at {baud:,} baud",
        round(statistics.median(used), 4),
        "of 1",
        f"bytes and mandatory silence over time, MicroPython unix, the process' own time, "
        f"median of {_WINDOWS} windows ({used[0]:.3f} to {used[-1]:.3f}); bar {_BARS[baud]}",
    )


def _reads(table: dict[str, Any]) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Return (one read per point, widest reads): (function, address, count) of a peer."""
    offset = _SUNSPEC_AT if "models" in table else 0
    spans = []
    for row in table["points"]:
        count = max(1, type_of(row[6])[1] // 2)
        spans.append((row[4], offset + row[5], count))
        if len(row) > 7 and isinstance(row[7], tuple):
            spans.append((row[4], offset + row[7][0], 1))
    spans = sorted(set(spans))
    limit = table.get("max_registers", 125)
    wide: list[tuple[int, int, int]] = []
    for function, address, count in spans:
        if wide and wide[-1][0] == function and address + count <= wide[-1][1] + limit:
            wide[-1] = (function, wide[-1][1], max(wide[-1][2], address + count - wide[-1][1]))
        else:
            wide.append((function, address, count))
    return spans, wide


def _peer(bench: SerialBench, reads: list[tuple[int, int, int]]) -> None:
    """Read with pymodbus."""
    client: Any = ModbusSerialClient(bench.path, baudrate=9600, timeout=2)
    if not client.connect():
        raise RuntimeError("pymodbus cannot open the line")
    for function, address, count in reads:
        call = client.read_input_registers if function == 4 else client.read_holding_registers
        if call(address, count=count, device_id=1).isError():
            raise RuntimeError(f"pymodbus: {function} {address} {count}")
    client.close()


def _ours(table: dict[str, Any]) -> Callable[[SerialBench], None]:
    driver = Modbus(table, {"unit": 1, "wait_ms": 0, "line": (9600, 8, "N", 1)})

    def read(bench: SerialBench) -> None:
        wire = open_serial(bench.path, (9600, 8, "N", 1))
        turn = Master(wire, (9600, 8, "N", 1)).read(driver)
        wire.close()
        if not turn.complete:
            raise RuntimeError("our own driver got no answer")

    return read


_Took = tuple[float, int]  # seconds and transactions, where the bench cannot count itself


def _told(said: str) -> _Took:
    took_us, count = said.split()
    return int(took_us) / 1e6, int(count)


def _on_micropython(name: str) -> Callable[[SerialBench], _Took | None]:
    def read(bench: SerialBench) -> _Took:
        script = ("tests/bench/modbus_rivals.py", bench.path, "9600")
        return _told(_micropython(*script, "eclor", name))

    return read


def _rivals(rival: Path, reads: list[tuple[int, int, int]]) -> Callable[[SerialBench], _Took]:
    def read(bench: SerialBench) -> _Took:
        script = ("tests/bench/modbus_rivals.py", bench.path, "9600", "umodbus")
        return _told(_micropython(*script, path=str(rival), told=json.dumps(reads)))

    return read


def _full_reads(name: str, rival: Path | None) -> Iterator[Figure]:
    table = load_map(name)
    one, wide = _reads(table)
    masters: list[tuple[str, Callable[[SerialBench], _Took | None]]] = [
        ("Éclor", _ours(table)),
        ("Éclor on MicroPython", _on_micropython(name)),
        ("pymodbus, a read per point", lambda bench: _peer(bench, one)),
        ("pymodbus, widest reads", lambda bench: _peer(bench, wide)),
    ]
    if rival:
        masters += [
            ("micropython-modbus, a read per point", _rivals(rival, one)),
            ("micropython-modbus, widest reads", _rivals(rival, wide)),
        ]
    took: dict[str, tuple[int, float]] = {}
    for who, read in masters:
        seconds = []
        for _ in range(_TIMES):  # ours walks the chain of models at its first
            meter = ModbusMeter(table, 1, lambda point, now_s: Decimal(1))
            with SerialBench([meter], LineSettings(9600, 8, "N", 1)) as bench:
                begun_s = time.monotonic()
                try:
                    own = read(bench)  # without the start of an interpreter
                except subprocess.CalledProcessError as error:
                    print(f"{name}, {who}: {(error.stdout + error.stderr).strip()[-200:]}")
                    continue
                took_s, count = own or (time.monotonic() - begun_s, len(meter.requests))
                seconds.append(took_s)
        if seconds:
            took[who] = (count, min(seconds))
    for who, (count, least_s) in took.items():
        ratio = least_s / took["Éclor"][1]
        where = "9600 8N1, paced terminal, no pause between requests"
        yield Figure(f"{name}, full read: {who}", count, "transactions", where)
        yield Figure(
            f"{name}, full read: {who}",
            round(least_s, 3),
            "s",
            f"least of {_TIMES}; {ratio:.2f} times ours",
        )


def _memory() -> Iterator[Figure]:
    shared, each, turned = _micropython("tests/bench/modbus_street.py", heap="384k").split()
    where = "64-bit objects, a board's are half; MicroPython unix, heap of 384 KB"
    yield Figure("247 meters x 20 points of SDM630", int(turned), "bytes", f"all asked; {where}")
    yield Figure("the first of them, with its plan", int(shared), "bytes", where)
    yield Figure("each further one", int(each), "bytes", where)


def run() -> list[Figure]:
    """Measure line use and memory on MicroPython, and full reads beside others."""
    figures = [_line_use(baud) for baud in _BARS]
    figures += _memory()
    rival = _rival()
    for name in ("sdm630", "sunspec_103"):
        figures += _full_reads(name, rival)
    return figures
