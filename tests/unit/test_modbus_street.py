"""A street of meters of one model: what they share, and what each keeps for itself."""

import gc
import struct
import sys

import drivers
from drivers import load_map
from drivers.checksums import crc16_modbus
from drivers.errors import Refused
from drivers.modbus import Modbus
from tests.skips import skip


def test_247_meters_of_twenty_points_fit_a_gateway():
    if sys.implementation.name != "micropython":
        skip("the heap that counts is MicroPython's")
    table = load_map("sdm630")
    options = {"unit": 1, "points": [row[0] for row in table["points"][:20]]}
    gc.collect()
    before = gc.mem_alloc()
    meters = []
    for unit in range(1, 248):
        options["unit"] = unit
        meters.append(Modbus(table, options))
    drivers.forget_maps()
    gc.collect()
    made = gc.mem_alloc() - before
    right = 0
    for meter in meters:
        reading = []  # a list of all would lie in pieces across the whole heap
        _turn(meter, reading)
        right += reading[0] == (meter.unit, 100 * meter.unit, 100 * meter.unit)
    gc.collect()
    used = gc.mem_alloc() - before
    assert right == 247
    # 64-bit objects, of which the heap of these tests has 384 KB; a 32-bit board needs half.
    assert made < 90_000, made
    assert used < 100_000, used


def test_what_one_meter_of_a_street_is_taught_no_other_one_learns():
    table = load_map("sdm120")
    meters = [Modbus(table, {"unit": unit}) for unit in (1, 2)]
    whole = meters[1].plan.steps
    readings = []
    out = bytearray(300)
    meters[0].request(out)
    try:
        refusal = _frame(b"\x01\x84\x02")
        meters[0].feed(refusal, 0, len(refusal), 0, None)
    except Refused:
        pass
    _turn(meters[0], readings)
    _turn(meters[1], readings)
    assert meters[0]._steps != whole and meters[1]._steps == whole == meters[0].plan.steps
    assert [row[0] for row in readings] == [1, 2]


def test_two_ports_that_ask_at_once_never_mix_their_answers():
    table = load_map("sdm120")
    meters = [Modbus(table, {"unit": unit}) for unit in (1, 2, 3)]
    readings = []
    turns = [_answers(meter, readings) for meter in meters]
    while turns:  # one transaction of each in turn
        turns = [turn for turn in turns if next(turn, None)]
    assert sorted(readings) == [(unit, 100 * unit, 100 * unit) for unit in (1, 2, 3)]


def _turn(meter, readings):
    """Answer everything that a meter is asked in one turn."""
    for _ in _answers(meter, readings):
        pass


def _answers(meter, readings):
    """Answer one request after the other, with a float of the unit, in steps of a generator."""
    out = bytearray(300)
    unit = meter.unit
    scale = [10**-point.exponent if point.exponent < 0 else 1 for point in meter.points]

    def emit(reading):
        values = []
        for i, value in enumerate(reading.values):
            kilo = 1000 if meter.points[i].unit in ("Wh", "varh", "VAh", "Ah") else 1
            values.append(100 * value // (scale[i] * kilo))
        readings.append((unit, min(values), max(values)))

    while meter.request(out):
        data = _frame(bytes((unit, out[1], 2 * out[5])) + struct.pack(">f", unit) * (out[5] // 2))
        meter.feed(data, 0, 5, 0, emit)
        yield True
        meter.feed(data, 5, len(data), 0, emit)
        yield True


def _frame(body):
    crc = crc16_modbus(body, 0, len(body))
    return body + bytes((crc & 0xFF, crc >> 8))
