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
import subprocess
import sys
import time
from dataclasses import dataclass

from host_tools.packing import image
from tests.heap_world import CYCLES, HEAP_BYTES, ROOT, Life, Look, World
from tests.on_32_bits import absent

HEAP_32 = 192 * 1024
LEAST_32 = 40 * 1024
# The collector takes any word that looks like an address for one: with addresses this short a
# dropped module of 11 KB is sometimes still held. The least of so many runs.
_RUNS_32 = 5
# Machine code of this computer, whose place the plain kernel takes; what opens its terminals.
_NOT_ON_32 = {"agent.codec_viper", "firmware.hal.host"}


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
        least, longest = found.life.least, found.life.longest
        print(
            f"heap: {options.cycles:,} readings of Modbus and TIC under TLS: of {HEAP_BYTES:,} "
            f"bytes the longest free stretch is {longest:,}, {least:,} are wanted"
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
