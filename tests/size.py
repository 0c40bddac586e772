"""Size of each device file as .mpy, heap of a running gateway, against a committed table.

    python -m tests.size              # compare; fails when something grew beyond its margin
    python -m tests.size --accept     # write the table anew: the growth is then seen in review

The heap is what lives in that of a gateway with Modbus, TIC and TLS after some readings, in
objects of 64 bits: tests/heap_world.py, where the whole of it is. Not the flash.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from host_tools.packing.image import ROOT, compile_all
from tests import heap_world

TABLE = ROOT / "tests" / "size_table.txt"
HEAP = "heap"
TOTAL = "total"
_HEAD = """\
# Bytes of each device file as .mpy, and of a running gateway's heap: objects of 64 bits.
# Written by python -m tests.size --accept.
"""
_CYCLES = 100
_FILE_BYTES = 64  # a file may grow by so much, or by a twentieth
_FILE_PARTS = 20
_TOTAL_PARTS = 100  # all files together: by a hundredth
_HEAP_PARTS = 50  # the heap


def margin(name: str, size: int) -> int:
    """Return the bytes by which an entry of that size may grow unseen."""
    if name == HEAP:
        return size // _HEAP_PARTS
    if name == TOTAL:
        return size // _TOTAL_PARTS
    return max(_FILE_BYTES, size // _FILE_PARTS)


def compare(committed: dict[str, int], measured: dict[str, int]) -> list[str]:
    """Return a line for each entry that grew beyond its margin, is new, or is gone."""
    found = []
    for name, size in measured.items():
        if name not in committed:
            found.append(f"{name}: {size} bytes, is not in the table")
        elif size > committed[name] + margin(name, committed[name]):
            found.append(
                f"{name}: {size} bytes, the table says {committed[name]} "
                f"and allows {margin(name, committed[name])} more"
            )
    found += [f"{name}: is in the table and not measured" for name in committed.keys() - measured]
    return found


def read_table(text: str) -> dict[str, int]:
    """Return name -> bytes of the lines "bytes name"; # begins a comment."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return {name: int(size) for size, name in rows}


def as_table(sizes: dict[str, int]) -> str:
    """Return the text of the table."""
    lines = [f"{size:7} {name}\n" for name, size in sorted(sizes.items())]
    return _HEAD + "".join(lines)


def measure_files() -> dict[str, int]:
    """Compile every device file as the image does."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = {name: len(data) for name, data in compile_all(Path(folder)).items()}
    return sizes | {TOTAL: sum(sizes.values())}


def measure_heap() -> int:
    """Let a gateway live for a while; return the bytes that live in its heap then."""
    with heap_world.World() as world:
        given = world.harness()
        life = world.live(_CYCLES, extra=given)
    faults = life.faults(_CYCLES)
    if faults:
        raise SystemExit("; ".join(faults))
    return life.cycles[-1].live - given


def main() -> int:
    """Print every entry with its change; 0 when nothing grew beyond its margin."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accept", action="store_true", help="write the table anew")
    parser.add_argument("--no-heap", action="store_true", help="compile only; run no gateway")
    options = parser.parse_args()
    committed = read_table(TABLE.read_text()) if TABLE.exists() else {}
    measured = measure_files()
    if options.no_heap:
        measured |= {HEAP: committed[HEAP]} if HEAP in committed else {}
    else:
        measured[HEAP] = measure_heap()
    for name, size in sorted(measured.items()):
        change = size - committed.get(name, size)
        print(f"{size:7} {name}" + (f"  {change:+}" if change else ""))
    if options.accept:
        TABLE.write_text(as_table(measured))
        return 0
    found = compare(committed, measured)
    for line in found:
        print(f"size: {line}", file=sys.stderr)
    if found:
        print("size: if it must be, accept it: python -m tests.size --accept", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
