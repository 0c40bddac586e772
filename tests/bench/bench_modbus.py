"""How much of a line's time the gateway uses, and what a full read costs beside others.

Line use runs the firmware's port task on MicroPython (modbus_line.py). The other figures are of
this computer: our driver under the gateway's bus, and pymodbus, on the same paced terminal.
"""

import contextlib
import os
import statistics
import subprocess
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
_TIMES = 3


def _undisturbed() -> None:
    """Run before all else on this computer, where it is permitted: a board has nothing else."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def _line_use(baud: int) -> Figure:
    done = subprocess.run(
        [
            *(interpreter(), "-X", "heapsize=1m", "tests/bench/modbus_line.py"),
            *("sdm630", str(baud), str(_WINDOWS), str(max(8, baud // 1200))),
        ],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": ".:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
        preexec_fn=_undisturbed,
    )
    rows = [[int(cell) for cell in line.split()] for line in done.stdout.splitlines()]
    used = sorted(carrying / elapsed for _, _, carrying, elapsed in rows)
    return Figure(
        f"line use at {baud:,} baud",
        round(statistics.median(used), 4),
        "of 1",
        f"bytes and mandatory silence over time, MicroPython unix before all other processes, "
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


def _full_reads(name: str) -> Iterator[Figure]:
    table = load_map(name)
    one, wide = _reads(table)
    masters = (
        ("Éclor", _ours(table)),
        ("pymodbus, a read per point", lambda bench: _peer(bench, one)),
        ("pymodbus, widest reads", lambda bench: _peer(bench, wide)),
    )
    took: dict[str, tuple[int, float]] = {}
    for who, read in masters:
        seconds = []
        for _ in range(_TIMES):  # ours walks the chain of models at its first
            meter = ModbusMeter(table, 1, lambda point, now_s: Decimal(1))
            with SerialBench([meter], LineSettings(9600, 8, "N", 1)) as bench:
                begun_s = time.monotonic()
                read(bench)
                seconds.append(time.monotonic() - begun_s)
            count = len(meter.requests)
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


def run() -> list[Figure]:
    """Measure line use on MicroPython and full reads beside pymodbus."""
    figures = [_line_use(baud) for baud in _BARS]
    for name in ("sdm630", "sunspec_103"):
        figures += _full_reads(name)
    return figures
