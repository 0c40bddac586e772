"""Every Modbus map: literal, documented, and each point read exactly from its simulated meter."""

import ast
import random
import struct
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from drivers.modbus import Modbus
from drivers.modbus_plan import CODE, EXPONENT, KIND, NAME, SCALE, TYPE, UNIT
from drivers.modbus_values import type_of
from drivers.reading import GOOD, KIND_NAMES, QUALITY_NAMES, UNAVAILABLE, decimal_text
from host_tools.sim.modbus_meter import ModbusMeter

MAPS = Path(__file__).resolve().parent.parent.parent / "drivers" / "maps"
UNITS = {"Wh", "varh", "VAh", "W", "var", "VA", "V", "A", "Hz", "%", "deg", "degC", "m3", "m"}
UNITS |= {"m3/h", "s", "h", "lx", "lm", ""}


def _map(path):
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MAP":
            return ast.literal_eval(node.value), ast.get_docstring(tree)
    raise AssertionError(f"{path.name} has no MAP")


def _modbus_maps():
    paths = [p for p in sorted(MAPS.glob("*.py")) if '"protocol": "modbus"' in p.read_text()]
    return {p.stem: _map(p)[0] for p in paths}


TABLES = _modbus_maps()
names = pytest.mark.parametrize("name", sorted(TABLES))


def read(table, values, *, transport="rtu", options=None, meter_options=None):
    """Read every point once through the driver; return (readings, meter, driver)."""
    driver = Modbus(table, {"transport": transport, "unit": 3, **(options or {})})
    meter = ModbusMeter(table, 3, values, transport=transport, **(meter_options or {}))
    readings = []

    def emit(reading):
        readings.append((list(reading.values), bytes(reading.quality)))

    out = bytearray(300)
    while True:
        count = driver.request(out)
        if not count:
            return readings, meter, driver
        for _, data in meter.received(bytes(out[:count]), 0.0):
            driver.feed(data, 0, len(data), 0, emit)
        assert not driver.waiting


def random_value(row, draw):
    """Return (the meter's own value, the decimal the reading must show)."""
    kind = row[TYPE]
    _, size, _ = type_of(kind)
    scale = row[SCALE] if len(row) > SCALE else 0
    if kind == "coil" or kind.startswith("bit:"):
        value = draw.randrange(2)
        return value, str(value)
    if kind.startswith("text"):
        value = bytes(draw.choices(b"ABCDEF0123456789", k=size))
        return value, value
    if kind.startswith("float"):
        number = draw.choice([-1, 1]) * 10 ** draw.uniform(-2, 5)
        exact = Decimal(struct.unpack(">f", struct.pack(">f", number))[0])
        if size == 8:
            exact = Decimal(number)
        value = exact.scaleb(scale)
    else:
        if kind.startswith("bcd"):
            raw = draw.randrange(10 ** (2 * size))
        elif kind.startswith("int"):
            raw = draw.randrange(-(1 << (8 * size - 1)) + 1, (1 << (8 * size - 1)) - 1)
        else:
            raw = draw.randrange(1, (1 << (8 * size)) - 1)
        value = Decimal(raw).scaleb(row[EXPONENT] if isinstance(scale, tuple) else scale)
    step = Decimal(1).scaleb(row[EXPONENT])
    return value, f"{(value / step).to_integral_value(ROUND_HALF_EVEN) * step:f}"


def _expected(row, text):
    if isinstance(text, bytes):
        return text
    return text


def test_there_are_the_maps_the_project_promises():
    assert len(TABLES) >= 24


@names
def test_a_map_is_one_literal_with_its_source(name):
    table, doc = _map(MAPS / f"{name}.py")
    assert doc and len(doc) > 60, "the docstring says which document the map comes from"
    for key in ("protocol", "maker", "model", "source", "points"):
        assert table[key], key
    seen = set()
    for row in table["points"]:
        assert row[NAME] not in seen and row[NAME] == row[NAME].lower(), row
        seen.add(row[NAME])
        assert row[UNIT] in UNITS, row
        assert -18 <= row[EXPONENT] <= 18 and row[KIND] in KIND_NAMES, row
        assert row[CODE] in (1, 2, 3, 4), row
        type_of(row[TYPE])


@names
@pytest.mark.parametrize("transport", ["rtu", "tcp"])
def test_every_point_is_read_to_the_exact_decimal(name, transport):
    table = TABLES[name]
    draw = random.Random(name)
    for _ in range(5):
        wanted = {row[NAME]: random_value(row, draw) for row in table["points"]}
        readings, _, driver = read(table, lambda p, now: wanted[p][0], transport=transport)  # noqa: B023
        assert len(readings) == 1
        values, quality = readings[0]
        for i, point in enumerate(driver.points):
            expected = wanted[point.name][1]
            where = f"{name}.{point.name}: {QUALITY_NAMES[quality[i]]}"
            assert quality[i] == GOOD, where
            if isinstance(expected, bytes):
                assert values[i] == expected, where
            else:
                got = Decimal(decimal_text(values[i], point.exponent))
                assert got == Decimal(expected), where


@names
def test_not_available_becomes_null_with_a_quality(name):
    table = TABLES[name]
    readings, _, driver = read(table, lambda p, now: None)
    values, quality = readings[0]
    for i, row in enumerate(driver.plan.rows):
        if row[TYPE] == "coil" or row[TYPE].startswith(("bit", "acc")) or row[8:9] == ((),):
            continue
        assert values[i] is None, (name, row)
        assert quality[i] == UNAVAILABLE, (name, row)


@names
def test_a_meter_that_refuses_its_holes_still_gives_every_point(name):
    table = TABLES[name]
    if any(row[TYPE] == "coil" for row in table["points"]):
        pytest.skip("bits have no holes in this map")
    from drivers.errors import Refused

    driver = Modbus(table, {"unit": 3})
    meter = ModbusMeter(table, 3, lambda p, now: b"x" if p in texts else 1, holes=False)
    texts = {row[NAME] for row in table["points"] if row[TYPE].startswith("text")}
    readings = []
    out = bytearray(300)
    for turn in range(2):
        asked = 0
        while count := driver.request(out):
            asked += 1
            for _, data in meter.received(bytes(out[:count]), 0.0):
                try:
                    driver.feed(data, 0, len(data), 0, lambda r: readings.append(bytes(r.quality)))
                except Refused:
                    assert turn == 0 or "models" in table, "the plan is remembered"
    assert len(readings) == 2
    assert set(readings[1]) == {GOOD}
