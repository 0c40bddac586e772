"""The simulated site, read by the real drivers over its paced lines, agrees with its ledger."""

import asyncio
import os
import time
from typing import Any

import pytest

from drivers import load, load_map
from host_tools.problems import Problem
from host_tools.sim.ledger import Ledger
from host_tools.sim.lines import LineSettings, Piece
from host_tools.sim.loads import Day, Quantities, Series
from host_tools.sim.plan import match_capture
from host_tools.sim.site import SimulatedSite
from host_tools.sim.taps import StreamTap, level_frame, register_value, tic_frame, to_integer
from host_tools.sim.tic_meter import TicMeter

_RS485 = {"name": "rs485-1", "uart": "uart1", "baud": 9600, "rs485": True}
_METERS: tuple[dict[str, Any], ...] = (
    {
        "name": "a",
        "port": "rs485-1",
        "protocol": "modbus",
        "map": "sdm630",
        "interval_s": 5,
        "points": ["power", "energy_import", "voltage_l2"],
        "options": {"unit": 1},
    },
    {
        "name": "b",
        "port": "rs485-1",
        "protocol": "modbus",
        "map": "em340",
        "interval_s": 5,
        "points": ["power", "energy_import"],
        "options": {"unit": 2},
    },
)


def _gateway(*meters, **port):
    return {"ports": [{**_RS485, **port}], "meters": list(meters)}


async def _ask(driver, descriptor, seconds=3.0):
    """Take one turn of an asking driver over a terminal; return its readings."""
    out = bytearray(260)
    readings = []

    def emit(reading):
        names = [point.name for point in reading.points]
        readings.append(dict(zip(names, reading.values, strict=True)))

    while length := driver.request(out):
        os.write(descriptor, out[:length])
        driver.sent(0)
        deadline = time.monotonic() + seconds
        while driver.waiting and time.monotonic() < deadline:
            try:
                data = os.read(descriptor, 256)
                driver.feed(data, 0, len(data), 0, emit)
            except BlockingIOError:
                await asyncio.sleep(0.002)
        if driver.waiting:
            break
    return readings


def _read_site(gateway, asked, simulation=None):
    """Run a site while each of the drivers asks once; return (site, readings per driver)."""

    async def run():
        site = SimulatedSite(gateway, simulation or {}, Ledger())
        site.start(asyncio.get_running_loop())
        path = site.uarts["uart1"]
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return site, [await _ask(driver, descriptor) for driver in asked]
        finally:
            os.close(descriptor)
            site.close()

    return asyncio.run(run())


def _driver(meter):
    options = {**meter["options"], "points": meter["points"]}
    return load("modbus")(load_map(meter["map"]), options)


def test_two_meters_on_one_line_answer_what_the_ledger_says():
    site, readings = _read_site(_gateway(*_METERS), [_driver(meter) for meter in _METERS])
    for meter, (reading,) in zip(_METERS, readings, strict=True):
        told: dict[str, int | None] = {}
        for answer in site.ledger.answers():
            assert answer.intact and answer.heard and not answer.pushed
            if answer.meter == meter["name"]:
                told |= answer.values
        assert {name: told[name] for name in meter["points"]} == reading
        assert all(value is not None for value in reading.values())


def test_an_unknown_unit_stays_silent_and_enters_nothing():
    stranger = load("modbus")(load_map("sdm630"), {"unit": 9, "points": ["power"]})
    site, readings = _read_site(_gateway(_METERS[0]), [stranger])
    assert readings == [[]]
    assert len(site.ledger) == 0


def test_a_gateway_at_another_rate_gets_nothing_and_the_meter_hears_nothing():
    gateway = _gateway(_METERS[0], baud=19200)
    site, readings = _read_site(gateway, [_driver(_METERS[0])])
    assert readings == [[]]
    assert len(site.ledger) == 0


def test_a_real_series_is_what_the_meter_shows(tmp_path):
    path = tmp_path / "house.csv"
    path.write_text("t,P_kW,V,index_Wh\n0,1.402,237.27,12345701\n")
    quantities = Quantities(Day("household"), "a", series=Series(path))
    assert quantities.value("power", "W", 5.0) == 1402
    assert str(quantities.value("voltage_l1", "V", 5.0)) == "237.27"
    assert quantities.value("energy_import", "Wh", 5.0) == 12345701
    assert quantities.value("energy_export", "Wh", 5.0) == 0


def test_a_series_with_words_is_a_problem_that_names_its_line(tmp_path):
    path = tmp_path / "house.csv"
    path.write_text("t,P_kW\n0,1.4\n1,none\n")
    with pytest.raises(Problem) as caught:
        Series(path)
    assert caught.value.where.endswith(":3")


@pytest.mark.parametrize("kind", Day.kinds)
def test_a_day_has_its_hours_and_its_energy_is_the_integral_of_its_power(kind):
    day = Day(kind, start_s=0)
    powers = [day.power_w("x", float(t)) for t in range(0, 86400, 300)]
    assert min(powers) >= 0
    assert max(powers) > 3 * (sum(powers[12:36]) / 24 if kind != "street" else 300)
    quantities = Quantities(Day(kind, start_s=8 * 3600), "x")
    first = quantities.value("energy_import", "Wh", 0.0)
    steps = [float(quantities.value("power", "W", float(t))) / 3600 for t in range(1, 601)]
    for t in range(1, 601):
        last = quantities.value("energy_import", "Wh", float(t))
    assert float(last - first) == pytest.approx(sum(steps), rel=0.01)


def _pieces(tap, data, size, damaged=()):
    for index, at in enumerate(range(0, len(data), size)):
        sent = data[at : at + size]
        tap(Piece(True, sent, b"?" * len(sent) if index in damaged else sent, 1000 + index))


def _tic(*groups):
    lines = []
    for group in groups:
        summed = group + b"\t"
        lines.append(b"\n" + summed + bytes([(sum(summed) & 0x3F) + 0x20]) + b"\r")
    return b"\x02" + b"".join(lines) + b"\x03"


_TIC_ROWS = (("energy", "Wh", 0, 1, "EASF01"), ("relays", "", 0, 2, "STGE"))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_pushed_frame_is_entered_however_it_is_cut(size):
    ledger = Ledger()
    data = _tic(b"EASF01\t003519703", b"DATE\tH240210121413\t", b"STGE\t003A0000")
    _pieces(StreamTap("linky", ledger, tic_frame(_TIC_ROWS)), b"noise" + data + data, size)
    assert [a.values for a in ledger.answers()] == [{"energy": 3519703, "relays": 0x3A0000}] * 2
    assert all(a.intact and a.pushed for a in ledger.answers())


def test_what_was_said_before_a_silence_is_entered():
    ledger = Ledger()
    tap = StreamTap("linky", ledger, tic_frame(_TIC_ROWS))
    data = _tic(b"EASF01\t003519703", b"EASF02\t003519703")
    _pieces(tap, data[:-12], 5)
    assert not ledger.answers()
    tap.silence()
    assert [a.values for a in ledger.answers()] == [{"energy": 3519703}]


def test_a_frame_that_the_line_damaged_is_marked():
    ledger = Ledger()
    data = _tic(b"EASF01\t003519703")
    _pieces(StreamTap("linky", ledger, tic_frame(_TIC_ROWS)), data * 3, len(data), damaged=(1,))
    assert [a.intact for a in ledger.answers()] == [True, False, True]


def test_a_level_frame_is_entered():
    ledger = Ledger()
    frame = level_frame(load_map("a02yyuw"))
    _pieces(StreamTap("bin", ledger, frame), b"\x00\xff\x07\xa1\xa7\xff\x07\xa1\xa8", 3)
    assert [a.values for a in ledger.answers()] == [{"distance": 1953}]


def test_a_share_is_half_up_and_the_blind_zone_nothing():
    frame = level_frame(load_map("a02yyuw"), 1650, 150)
    assert frame(b"\xff\x07\xa1\xa7", False) == ({"distance": 1953, "level": 0}, 4)
    assert frame(bytes((255, 3, 0x84, 0x86)), False) == ({"distance": 900, "level": 500}, 4)
    assert frame(bytes((255, 0, 29, 28)), False) == ({"distance": None, "level": None}, 4)


@pytest.mark.parametrize("name", ["linky_standard", "linky_producer", "tic_historique_3p"])
def test_what_a_simulated_tic_meter_says_is_read_by_tap_and_driver_alike(name):
    table = load_map(name)
    meter = TicMeter(table, Quantities(Day("household"), "linky").value)
    data, _ = meter.frame(1_783_152_672.0)
    values, used = tic_frame(table["points"])(data, False)
    assert used == len(data)
    assert values
    readings = []

    def emit(reading):
        kept = zip(reading.points, reading.values, strict=True)
        readings.append({p.name: v for p, v in kept if isinstance(v, int)})

    driver = load("tic")(table, {})
    driver.feed(data, 0, len(data), 0, emit)
    assert readings == [{name: value for name, value in values.items() if value is not None}]
    assert len(readings[0]) >= 8


def test_a_capture_says_which_map_and_rate_it_wants():
    gateway: dict[str, Any] = {
        "ports": [{"name": "p", "uart": "uart1", "baud": 9600}],
        "meters": [{"name": "linky", "port": "p", "protocol": "tic", "map": "linky_standard"}],
    }
    match_capture(gateway, b"\x02\nADCO 012345678901 A\r\nBASE 000000001 B\r\x03")
    assert gateway["meters"][0]["map"] == "tic_historique"
    assert gateway["meters"][0]["points"] == ["energy_import"]
    assert gateway["ports"][0]["baud"] == 1200
    with pytest.raises(Problem):
        match_capture({"meters": [], "ports": []}, b"\x02")


def test_two_meters_that_speak_unasked_are_not_put_on_one_line():
    meters = [
        {"name": n, "port": "p", "protocol": "level", "map": "a02yyuw"} for n in ("one", "two")
    ]
    gateway = {"ports": [{"name": "p", "uart": "uart1"}], "meters": meters}
    with pytest.raises(Problem, match="one, two"):
        SimulatedSite(gateway, {}, Ledger())


def test_registers_become_integers_without_the_drivers_help():
    single = ("power", "W", -1, "gauge", 4, 0, "float32")
    assert register_value({}, single, [0x4367, 0x6666]) == 2314
    swapped = ("power", "W", -1, "gauge", 4, 0, "int32", -1)
    assert register_value({"words": "CDAB"}, swapped, [0xFFFE, 0xFFFF]) == -2
    assert to_integer(25, -1, 0) == 2  # half to even


def test_line_settings_say_how_long_a_byte_takes():
    assert LineSettings(9600, 7, "E", 1).byte_s == pytest.approx(10 / 9600)
    assert str(LineSettings(2400, 8, "E", 1)) == "2400 8E1"
