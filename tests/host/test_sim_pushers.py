"""Simulated meters of OBIS texts, SML and DLMS: driver and witness agree, faults included."""

from collections.abc import Callable
from typing import Any

import pytest

from drivers import load, load_map
from host_tools.sim.attach import ATTACH
from host_tools.sim.dlms_meter import DLMSMeter, dlms_frame
from host_tools.sim.input_meter import InputMeters, InputTap
from host_tools.sim.ledger import Ledger
from host_tools.sim.lines import LineSettings, Piece
from host_tools.sim.loads import Day, Quantities
from host_tools.sim.meter_faults import NAMES, MeterFaults
from host_tools.sim.obis_meter import (
    P1Meter,
    ReadOutMeter,
    ReadOutTap,
    p1_frame,
    pushed_read_out,
)
from host_tools.sim.sml_meter import SMLMeter, sml_frame
from host_tools.sim.taps import StreamTap
from tests.fakes.collector_of_readings import Collected

_NOW_S = 1_783_152_672.0
_PUSHERS: tuple[tuple[str, str, Callable[..., Any], Callable[..., Any]], ...] = (
    ("dsmr", "landis_gyr_e350", P1Meter, p1_frame),
    ("dsmr", "fluvius_emucs", P1Meter, p1_frame),
    ("sml", "emh_ed300l", SMLMeter, sml_frame),
    ("sml", "dzg_dvs74", SMLMeter, sml_frame),
    ("dlms", "kaifa_ma304", DLMSMeter, dlms_frame),
)


def _quantities() -> Callable[[str, str, float], Any]:
    return Quantities(Day("household"), "meter").value


def _told(driver, rows):
    """Return the numbers of each reading that has one, by name."""
    kept = []
    for row in rows:
        values = {
            point.name: cell[1]
            for point, cell in zip(driver.points, row, strict=True)
            if not isinstance(cell[1], bytes) and cell[1] is not None
        }
        if values:
            kept.append(values)
    return kept


def _run(case, faults, frames):
    """Push so many frames through driver and witness; return (readings, answers, errors)."""
    protocol, name, make, witness = case
    table = load_map(name)
    meter = make(table, _quantities())
    driver = load(protocol)(table, {})
    got = Collected(driver)
    ledger = Ledger()
    tap = StreamTap("m", ledger, witness(table))
    at_ms = 0
    for n in range(frames):
        data, _ = meter.frame(_NOW_S + n)
        for delay_ms, part in faults.apply(data):
            tap(Piece(True, part, part, at_ms + int(delay_ms)))
            got.feed(part)
        at_ms += 1000
        got.silence()
        tap.silence()
    return _told(driver, got.rows), [dict(a.values) for a in ledger.answers()], got.errors


@pytest.mark.parametrize("case", _PUSHERS, ids=lambda case: case[1])
def test_a_pushing_meter_its_driver_and_its_witness_agree(case: Any) -> None:
    readings, answers, errors = _run(case, MeterFaults(), 30)
    assert errors == []
    assert len(readings) == 30
    assert readings == answers
    assert len(readings[0]) >= 3


@pytest.mark.parametrize("case", _PUSHERS, ids=lambda case: case[1])
def test_damaged_frames_are_the_same_to_driver_and_witness(case: Any) -> None:
    faults = MeterFaults(5, 0.5)
    readings, answers, errors = _run(case, faults, 300)
    assert set(faults.applied) == set(NAMES)
    assert errors
    assert readings == answers
    assert 150 < len(readings) < 400


def _converse(driver, meter, tap, got):
    """Let an asking driver read the meter out once; return the speeds of the line."""
    out = bytearray(300)
    line = LineSettings(300, 7, "E", 1)
    speeds = []
    for _ in range(8):
        length = driver.request(out)
        if not length:
            break
        request = bytes(out[:length])
        tap(Piece(False, request, request, 1000))
        driver.sent(0)
        for _delay, piece in meter.received(request, _NOW_S):
            if isinstance(piece, LineSettings):
                line = piece
                speeds.append(line.baud)
                continue
            heard = piece if not driver.line or driver.line[0] == line.baud else bytes(9)
            tap(Piece(True, piece, heard, 1000))
            got.feed(heard)
        got.silence()
    return speeds


@pytest.mark.parametrize("name", ["itron_em214", "landis_gyr_uh50"])
@pytest.mark.parametrize(("mode", "address"), [("A", ""), ("B", "12"), ("C", ""), ("C", "12")])
def test_a_meter_that_is_asked_changes_its_speed_with_its_driver(name, mode, address):
    table = load_map(name)
    ledger = Ledger()
    meter = ReadOutMeter(table, _quantities(), mode=mode, address=address)
    driver = load("iec62056")(table, {"mode": mode, "address": address, "wake": 3})
    got = Collected(driver)
    speeds = _converse(driver, meter, ReadOutTap("m", ledger, table), got)
    assert _told(driver, got.rows) == [dict(a.values) for a in ledger.answers()]
    assert len(got.rows) == 1
    assert [a.intact for a in ledger.answers()] == [True]
    assert (9600 in speeds) == (mode in "BC")
    assert speeds[-1] == 300


def test_a_meter_that_never_follows_its_own_offer_is_read_slowly():
    table = load_map("itron_em214")
    meter = ReadOutMeter(table, _quantities(), switches=False)
    driver = load("iec62056")(table, {})
    got = Collected(driver)
    _converse(driver, meter, ReadOutTap("m", Ledger(), table), got)
    assert len(got.rows) == 1


def test_a_meter_of_another_address_stays_silent():
    meter = ReadOutMeter(load_map("itron_em214"), _quantities(), address="12")
    assert meter.received(b"/?13!\r\n", _NOW_S) == []
    assert meter.received(b"\x06050\r\n", _NOW_S) == []


def test_mode_d_is_pushed():
    table = load_map("itron_em214")
    meter = ReadOutMeter(table, _quantities(), mode="D")
    driver = load("iec62056")(table, {"mode": "D"})
    got = Collected(driver)
    data, _ = meter.frame(_NOW_S)
    ledger = Ledger()
    StreamTap("m", ledger, pushed_read_out(table))(Piece(True, data + data, data, 0))
    assert _told(driver, got.feed(data + data).rows) == [dict(a.values) for a in ledger.answers()]
    assert len(got.rows) == 2


def _inputs() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    meters = [
        {"name": "water", "options": {"input": 2, "start": 900}, "map": "pulse_volume"},
        {"name": "heat", "options": {"pulses": 100, "steps": 1000}, "map": "s0_electricity"},
        {"name": "lid", "options": {"input": 3}, "map": "contact_tamper"},
    ]
    return meters, {str(meter["name"]): load_map(str(meter["map"])) for meter in meters}


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_inputs_their_drivers_and_their_witness_count_the_same(share):
    meters, tables = _inputs()
    ledger = Ledger()
    now_s = _NOW_S - _NOW_S % 10
    tap = InputTap(meters, tables, ledger, lambda: now_s)
    quantities = Quantities(Day("school", start_s=9 * 3600), "inputs")
    simulated = InputMeters(
        meters,
        tables,
        lambda m, name, unit, now: quantities.value(name, unit, now),
        lambda: True,
        fault_seed=5,
        fault_share=share,
    )
    drivers = [
        load(tables[str(m["name"])]["protocol"])(
            tables[str(m["name"])],
            {**m["options"], "points": [r[0] for r in tables[str(m["name"])]["points"]][:1]},
        )
        for m in meters
    ]
    got = [Collected(driver) for driver in drivers]
    levels: dict[int, int] = {}
    end_s = now_s + 300
    due_s = now_s + 10
    periods: dict[str, list[int | None]] = {str(m["name"]): [] for m in meters}
    while now_s < end_s:
        now_ms = int(now_s * 1000) & 0x3FFFFFFF
        while due_s <= now_s:
            for meter, driver in zip(meters, drivers, strict=True):
                seen = Collected(driver)
                driver.due(int(due_s * 1000) & 0x3FFFFFFF, seen.emit)
                periods[str(meter["name"])].append(seen.rows[0][0][1])
            due_s += 10
        data, pause_s = simulated.frame(now_s)
        for at, byte in enumerate(data):  # a line hands them over in pieces
            tap(Piece(True, bytes((byte,)), bytes((byte,)), int(now_s * 1000) + 2 * at))
        for byte in data:
            place, level = byte >> 1 & 0x1F, byte & 1
            if levels.get(place) != level:
                head = 0x80 | place << 2 | (place not in levels) << 1 | level
                levels[place] = level
                edge = bytes((head, now_ms >> 7 & 0x7F, now_ms & 0x7F))
                for one in got:
                    one.feed(edge, now_ms=now_ms)
        for one in got:
            one.silence(now_ms)
        now_s += pause_s
    tap.pass_time(int(end_s * 1000))
    for meter in meters:
        name = str(meter["name"])
        witnessed = [next(iter(a.values.values())) for a in ledger.answers() if a.meter == name]
        assert periods[name][1:] == witnessed[1 : len(periods[name])]
        assert len(set(witnessed)) > 1, name
    assert all(not one.errors for one in got)
    assert set(simulated.applied) == ({"bounce", "disturbance"} if share else set())


def test_nothing_pulses_before_the_gateway_listens():
    meters, tables = _inputs()
    quantities = Quantities(Day("school", start_s=9 * 3600), "inputs")
    simulated = InputMeters(
        meters, tables, lambda m, name, unit, now: quantities.value(name, unit, now), lambda: False
    )
    said = b"".join(simulated.frame(_NOW_S + n / 10)[0] for n in range(600))
    assert set(said) == {0x41, 0x43, 0x44}


def test_each_protocol_has_a_simulated_meter():
    from drivers import DRIVERS

    assert set(ATTACH) == set(DRIVERS)
