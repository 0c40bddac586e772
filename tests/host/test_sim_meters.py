"""Simulated meters against their drivers: what one says the other reads, and the witness too."""

from decimal import Decimal

import pytest

from drivers import load, load_map
from drivers.reading import BAD_FRAME
from host_tools.sim.ledger import Ledger
from host_tools.sim.level_meter import LevelMeter
from host_tools.sim.lines import Piece
from host_tools.sim.loads import Day, Quantities
from host_tools.sim.mbus_meter import MBusMeter, MBusTap
from host_tools.sim.meter_faults import NAMES, MeterFaults
from host_tools.sim.radar_meter import RadarMeter, RadarTap
from host_tools.sim.taps import StreamTap, level_frame, tic_frame
from host_tools.sim.tic_meter import TicMeter
from tests.fakes.collector_of_readings import Collected

_NOW_S = 1_783_152_672.0


def _value(name, unit, now_s):
    return Decimal(sum(name.encode())) + Decimal("1.2345")


def _read_out(driver, meters, tap, got, turns=8):
    """Let a driver ask until its turn is over."""
    out = bytearray(300)
    for _ in range(turns):
        length = driver.request(out)
        if not length:
            return
        request = bytes(out[:length])
        driver.sent(0)
        tap(Piece(False, request, request, 1000))
        for meter in meters:
            meter.silence()
            for _delay, data in meter.received(request, _NOW_S):
                tap(Piece(True, data, data, 1000))
                got.feed(data)
        got.silence()


@pytest.mark.parametrize("name", ["engelmann_sensostar2", "itron_cyble"])
@pytest.mark.parametrize("per_telegram", [99, 1, 3])
@pytest.mark.parametrize("by", ["address", "secondary"])
def test_an_m_bus_meter_its_driver_and_its_witness_agree(name, per_telegram, by):
    table = load_map(name)
    ledger = Ledger()
    tap = MBusTap({5: ("m", table)}, ledger)
    options = {"address": 5} if by == "address" else {"secondary": "12345678C5140004"}
    driver = load("mbus")(table, options)
    got = Collected(driver)
    identity = str(options.get("secondary", ""))
    meters = [
        MBusMeter(table, 5, _value, identity=identity, per_telegram=per_telegram),
        MBusMeter(table, 6, _value),
    ]
    _read_out(driver, meters, tap, got, 20)
    assert not got.errors
    told = {p.name: row[1] for p, row in zip(driver.points, got.rows[0], strict=True)}
    assert [answer.values for answer in ledger.answers()] == [told]
    assert None not in told.values()


def test_damaged_answers_give_no_value_and_are_not_owed():
    table = load_map("itron_cyble")
    ledger = Ledger()
    tap = MBusTap({5: ("m", table)}, ledger)
    driver = load("mbus")(table, {"address": 5})
    meter = MBusMeter(table, 5, _value, faults=MeterFaults(3, 0.5))
    got = Collected(driver)
    for _ in range(60):
        _read_out(driver, [meter], tap, got)
        driver.give_up(lambda reading: None, BAD_FRAME)
    owed = {tuple(answer.values.values()) for answer in ledger.answers()}
    assert len(owed) == 1
    assert len(got.rows) >= 20
    assert {tuple(cell[1] for cell in row) for row in got.rows} == owed
    assert got.errors


def test_faults_are_the_same_for_a_seed_and_all_of_them_come():
    first, again = MeterFaults(1, 1.0), MeterFaults(1, 1.0)
    for _ in range(100):
        assert first.apply(b"0123456789") == again.apply(b"0123456789")
    assert set(first.applied) == set(NAMES)
    assert MeterFaults().apply(b"x") == [(0.0, b"x")]
    with pytest.raises(ValueError, match="no such fault"):
        MeterFaults(names=("nonsense",))


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("name", ["icoms_tma", "houston_dr500", "omnipresense_ops243"])
def test_a_radar_its_driver_and_its_witness_count_the_same(name: str, share: float) -> None:
    table = load_map(name)
    faults = MeterFaults(3, share)
    ledger = Ledger()
    now_s = _NOW_S - _NOW_S % 10
    tap = RadarTap("radar", ledger, table, 10, lambda: now_s)
    driver = load("radar")(table, {})
    got = Collected(driver)
    radar = RadarMeter(Day("street", start_s=8 * 3600), "radar", table)
    due_s = now_s
    end_s = now_s + 1200
    while now_s < end_s:
        while due_s <= now_s:
            driver.due(int(due_s * 1000) & 0x3FFFFFFF, got.emit)
            due_s += 10
        data, pause_s = radar.frame(now_s)
        for delay_ms, part in faults.apply(data) if data else ():
            at_ms = int(now_s * 1000 + delay_ms)
            tap(Piece(True, part, part, at_ms))
            got.feed(part, now_ms=at_ms & 0x3FFFFFFF)
        if pause_s * 1_000_000 > driver.gap_us:
            got.silence(int((now_s + pause_s) * 1000) & 0x3FFFFFFF)
        now_s += pause_s
    tap.pass_time(int(end_s * 1000))
    driver.due(int(end_s * 1000) & 0x3FFFFFFF, got.emit)
    told = [{p.name: row[i][1] for i, p in enumerate(driver.points)} for row in got.rows]
    assert None in told[0].values()  # the period before the first is not whole
    answers = [dict(answer.values) for answer in ledger.answers()]
    assert answers == told[1 : len(answers) + 1]
    assert len(answers) >= 119
    assert sum(values["vehicles"] or 0 for values in answers) > 40
    assert bool(faults.applied) == bool(share)


@pytest.mark.parametrize("name", ["a02yyuw", "sen0627", "maxbotix_hrxl", "maxbotix_lv"])
def test_damaged_distances_are_the_same_to_driver_and_witness(name: str) -> None:
    table = load_map(name)
    options = {"empty_mm": 3000, "full_mm": 300}
    sensor = LevelMeter(table, Quantities(Day("street"), "box").value)
    driver = load("level")(table, options)
    got = Collected(driver)
    ledger = Ledger()
    tap = StreamTap("m", ledger, level_frame(table, 3000, 300))
    faults = MeterFaults(2, 0.4)
    for n in range(400):
        data, _ = sensor.frame(_NOW_S + n / 2)
        for delay_ms, part in faults.apply(data):
            at_ms = 1000 * n + int(delay_ms)
            tap(Piece(True, part, part, at_ms))
            got.feed(part, now_ms=at_ms)
        got.silence()
        tap.silence()
    told = [[cell[1] for cell in row] for row in got.rows]
    witnessed = [[a.values[p.name] for p in driver.points] for a in ledger.answers()]
    assert told == witnessed
    assert set(faults.applied) == set(NAMES) and got.errors and len(told) > 250


@pytest.mark.parametrize("name", ["linky_standard", "tic_historique", "pme_pmi"])
def test_damaged_groups_are_the_same_to_driver_and_witness(name: str) -> None:
    table = load_map(name)
    meter = TicMeter(table, Quantities(Day("household"), "m", phases=1).value)
    driver = load("tic")(table, {})
    got = Collected(driver)
    ledger = Ledger()
    tap = StreamTap("m", ledger, tic_frame(table["points"]))
    faults = MeterFaults(11, 0.5)
    for n in range(300):
        data, _ = meter.frame(_NOW_S + 2 * n)
        for delay_ms, part in faults.apply(data):
            at_ms = 2000 * n + int(delay_ms)
            tap(Piece(True, part, part, at_ms))
            got.feed(part, now_ms=at_ms)
        got.silence(2000 * n + 500)
        tap.silence()
    told = []
    for row in got.rows:
        values = {
            point.name: cell[1]
            for point, cell in zip(driver.points, row, strict=True)
            if isinstance(cell[1], int)
        }
        if values:
            told.append(values)
    answers = [dict(answer.values) for answer in ledger.answers() if answer.values]
    assert told == answers
    assert set(faults.applied) == set(NAMES) and got.errors and len(told) > 250
