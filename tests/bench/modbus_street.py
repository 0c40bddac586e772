"""Run by bench_modbus.py on MicroPython: bytes of a first meter, of each further one, of 247.

The last is taken after every meter has had a turn.
"""

import gc

import drivers
from drivers import load_map
from drivers.modbus import Modbus

_METERS = 247
_POINTS = 20


def _used():
    gc.collect()
    return gc.mem_alloc()


def main():
    """Make them all, let each have its turn, print."""
    table = load_map("sdm630")
    options = {"unit": 1, "points": [row[0] for row in table["points"][:_POINTS]]}
    begun = _used()
    meters = [Modbus(table, options)]
    first = _used() - begun
    for unit in range(2, _METERS + 1):
        options["unit"] = unit
        meters.append(Modbus(table, options))
    made = _used() - begun
    del table
    drivers.forget_maps()
    out = bytearray(300)
    held = _used()
    for meter in meters:
        frame = meter._begin().frame  # what a turn leaves behind: its buffers, and what is known
        meter.request(out)
        frame.clear()
        meter.reset()
    print(first, (made - first) // (_METERS - 1), made + _used() - held)


main()
