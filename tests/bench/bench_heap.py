"""The heap of a gateway with Modbus, TIC and TLS after 10,000 readings (tests/heap.py)."""

from tests import heap
from tests.bench.figure import Figure
from tests.heap_world import CYCLES, HEAP_BYTES


def run() -> list[Figure]:
    """Measure by room and by stage, on 64 bits and on 32 where there is node."""
    found = heap.measure()
    figures = []
    for what, mpy, words_64, words_32 in heap.rows(found):
        for size, where in (
            (mpy, "as .mpy, in the bundle"),
            (words_64, "heap, objects of 64 bits, MicroPython unix"),
            (words_32, "heap, objects of 32 bits, MicroPython WebAssembly, without loop and TLS"),
        ):
            if size is not None:
                figures.append(Figure(what, size, "bytes", where))
    how = f"of {HEAP_BYTES:,} bytes of 64-bit objects, {CYCLES:,} readings, virtual time"
    figures.append(Figure("longest free stretch", found.life.longest, "bytes", how))
    if found.words_32:
        left = heap.HEAP_32 - found.words_32["built"]
        how = f"of {heap.HEAP_32:,} bytes of 32-bit objects, before the loop runs"
        figures.append(Figure("left on 32 bits", left, "bytes", how))
    faults = found.life.faults(CYCLES)
    if faults:
        raise SystemExit("; ".join(faults))
    return figures
