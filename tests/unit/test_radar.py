"""Traffic radars: messages as the maker prints them, counted over a period."""

import sys

from drivers import load_map
from drivers.radar import Radar
from drivers.reading import MISSING, UNAVAILABLE
from tests.fakes.collector_of_readings import Collected
from tests.fakes.feeding import feed_every_way
from tests.vectors.frames import FRAMES, radar


def _vehicle(speed, length_dm, is_out=False):
    return radar(bytes((speed, length_dm, 0x50, 10, 30, 12, 15 | 128 * is_out, 6)))


def _period(driver, data):
    got = Collected(driver)
    driver.due(0, got.emit)
    got.feed(data)
    driver.due(60_000, got.emit)
    rows = got.rows[1]
    return {p.name: (rows[i][1], rows[i][4]) for i, p in enumerate(driver.points)}, got


def test_a_period_is_counted_by_direction_and_class():
    data = b"".join(_vehicle(40 + i, 45) for i in range(20))
    data += _vehicle(55, 120, True) + _vehicle(25, 18, True) + _vehicle(90, 60)
    told, got = _period(Radar(load_map("icoms_tma"), {}), data)
    assert not got.errors
    assert told["vehicles"] == (23, 0) and told["vehicles_out"] == (2, 0)
    assert told["cars_in"] == (20, 0) and told["vans_in"] == (1, 0)
    assert told["heavy_out"] == (1, 0) and told["two_wheels_out"] == (1, 0)
    assert told["speed_mean"] == (504, 0)  # 1160 over 23: 50.43
    # 85 of 100 of 23 are 20: the twentieth from below of 25, 40 .. 59, 55, 90
    assert told["speed_p85"] == (57, 0) and told["speed_p85_out"] == (55, 0)


def test_a_period_that_is_not_whole_gives_nulls_and_an_empty_one_zeros():
    driver = Radar(load_map("icoms_tma"), {"points": ["vehicles", "speed_p85"]})
    got = Collected(driver).feed(_vehicle(50, 45))
    driver.due(0, got.emit)
    driver.due(1, got.emit)
    assert [cell[4] for cell in got.rows[0]] == [MISSING, MISSING]
    assert [(c[1], c[4]) for c in got.rows[1]] == [(0, 0), (None, UNAVAILABLE)]
    driver.reset()
    driver.due(2, got.emit)
    assert got.rows[2][0][4] == MISSING


def test_lines_are_counted_and_others_refused():
    data = b"CAR;2026-06-15 12:30:10;52;43\r\nCAR;2026-06-15 12:30:11; 7;9\r\nx;y\r\n"
    told, got = _period(Radar(load_map("icoms_tma_ascii"), {}), data)
    assert told["vehicles"][0] == 2 and told["cars"][0] == 1 and told["two_wheels"][0] == 1
    assert told["speed_mean"][0] == 295 and len(got.errors) == 1


def test_at_a_desk_each_vehicle_is_given():
    rows = Collected(Radar(None, {})).feed(FRAMES["radar"][0]).rows
    assert [cell[:4] for cell in rows[0]] == [
        ("speed", 50, 0, "km/h"),
        ("length", 42, -1, "m"),
        ("direction", 1, 0, ""),
    ]


def test_messages_come_in_any_way():
    budget = 30_000 if sys.implementation.name == "micropython" else 0
    for data in FRAMES["radar"]:
        feed_every_way(lambda: Radar(None, {}), data, False, budget)


def test_wrong_maps_and_options_are_refused():
    for options in ({"points": ["speed"]}, {"classes_dm": (60, 25)}, {"classes_dm": (25,)}):
        try:
            Radar(load_map("icoms_tma"), options)
        except ValueError:
            continue
        assert False, options


def test_a_vehicle_allocates_nothing():
    if sys.implementation.name != "micropython":
        return
    import micropython

    driver = Radar(load_map("icoms_tma"), {})
    data = _vehicle(50, 45)
    end = len(data)
    micropython.heap_lock()
    try:
        driver.feed(data, 0, end, 0, None)
    finally:
        micropython.heap_unlock()
