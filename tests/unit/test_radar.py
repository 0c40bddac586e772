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


def _stream(name, looks, options=None):
    """Return what a period gives of (milliseconds, line) looks at vehicles."""
    driver = Radar(load_map(name), options or {})
    got = Collected(driver)
    driver.due(0, got.emit)
    for at_ms, line in looks:
        got.feed(line, now_ms=at_ms)
    driver.due(60_000, got.emit)
    rows = got.rows[1]
    return {p.name: (rows[i][1], rows[i][4]) for i, p in enumerate(driver.points)}, got


def test_a_vehicle_of_a_speed_radar_is_what_lies_between_two_zeros():
    looks = [(1000, b"000\r\n"), (2000, b"048\r\n"), (2200, b"052\r\n"), (2400, b"050\r\n")]
    looks += [(2600, b"?000\r\n"), (9000, b"-030\r"), (9200, b"-031\r"), (9400, b"+040\r")]
    looks += [(9500, b"007\r\n"), (20_000, b"061\r\n"), (20_200, b"060\r\n")]
    told, got = _stream("houston_dr500", looks)
    assert not got.errors
    assert told["vehicles"] == (4, 0) and told["vehicles_out"] == (1, 0)
    assert told["speed_mean"] == (460, 0)  # 52, 31, 40, 61: 46.0
    assert told["speed_p85"] == (61, 0) and told["speed_p85_out"] == (31, 0)


def test_a_pause_ends_a_vehicle_and_one_that_still_passes_belongs_to_the_next_period():
    looks = [(1000, b"050\r\n"), (1500, b"051\r\n"), (4000, b"040\r\n")]
    told, _ = _stream("houston_dr500", looks)
    assert told["vehicles"] == (2, 0)
    driver = Radar(load_map("houston_dr500"), {"points": ["vehicles"]})
    got = Collected(driver)
    driver.due(0, got.emit)
    got.feed(b"050\r\n", now_ms=59_900)
    driver.due(60_000, got.emit)
    got.feed(b"051\r\n", now_ms=60_100)
    got.silence(61_200)
    driver.due(120_000, got.emit)
    assert [row[0][1] for row in got.rows] == [None, 0, 1]


def test_json_of_omnipresense_is_read_in_its_units_and_directions():
    one = b'{"speed":%s, "direction":"%s", "time":105, "tick":135}\r\n'
    looks = [(1000, one % (b"12.50", b"inbound")), (1100, one % (b"12.58", b"inbound"))]
    looks += [(1200, one % (b"13.90", b"outbound")), (1300, b'{"speed":0.58}\r\n')]
    looks += [
        (9000, b'{"unit":"kmph","speed":"-33.4"}\r\n'),
        (9900, b'{"speed":"30","unit":"mph"}\n'),
    ]
    told, got = _stream("omnipresense_ops243", looks)
    assert not got.errors, got.errors
    # 45.29, 50.04 out, 33.4 out, 48.28 km/h
    assert told["vehicles"] == (4, 0) and told["vehicles_out"] == (2, 0)
    assert told["speed_mean"] == (440, 0) and told["speed_p85"] == (50, 0)
    for bad in (b'{"speed":}', b'{"speed":1.2', b'{"speed":1.2,"direction":"up"}', b"{}", b"[]"):
        _, got = _stream("omnipresense_ops243", [(0, bad + b"\r\n")])
        assert len(got.errors) == 1, bad


def test_each_maker_is_shown_at_a_desk_as_it_speaks():
    for data, rows in (
        (b'{"speed":0.58, "direction":"inbound", "time":105, "tick":135}\r\n',
         [("speed", 58, -2, "m/s"), ("direction", 0, 0, "")]),
        (b"045\r\n", [("speed", 45, 0, "km/h"), ("direction", 0, 0, "")]),
        (b"-045\r", [("speed", 45, 0, "km/h"), ("direction", 1, 0, "")]),
        (b"?000\r\n", [("speed", 0, 0, "km/h"), ("direction", 0, 0, "")]),
        (b'"mps",-0.58\r\n', [("speed", 58, -2, "m/s"), ("direction", 1, 0, "")]),
        (b"CAR;2026-06-15 12:30:10;52;43\r\n",
         [("speed", 52, 0, "km/h"), ("length", 43, -1, "m"), ("direction", 0, 0, "")]),
    ):  # fmt: skip
        got = Collected(Radar(None, {})).feed(data).silence()
        assert [cell[:4] for cell in got.rows[0]] == rows, (data, got.errors)
        budget = 10_000 if sys.implementation.name == "micropython" else 0
        if data.endswith(b"\r\n"):  # without it, a flipped CR makes two lines one
            feed_every_way(lambda: Radar(None, {}), data, False, budget, True)
    got = Collected(Radar(None, {})).feed(b"\r\n045").silence()  # a file's last line
    assert got.rows[0][0][1] == 45


def test_a_line_of_a_streaming_radar_allocates_nothing():
    if sys.implementation.name != "micropython":
        return
    import micropython

    for name, data in (
        ("houston_dr500", b"045\r\n000\r\n"),
        ("omnipresense_ops243", b'{"speed":12.58, "direction":"inbound"}\r\n'),
    ):
        driver = Radar(load_map(name), {})
        end = len(data)
        driver.feed(data, 0, end, 0, None)
        micropython.heap_lock()
        try:
            driver.feed(data, 0, end, 0, None)
        finally:
            micropython.heap_unlock()


def test_options_and_points_that_cannot_be_are_refused():
    table = load_map("icoms_tma")
    for options, why in (
        ({"frame": "morse"}, "frame: morse"),
        ({"unit": "knots"}, "unit: knots"),
        ({"pass_ms": 99}, "pass_ms: 99"),
        ({"pass_ms": 10_001}, "pass_ms: 10001"),
        ({"points": ["wings"]}, "the map has no wings"),
        ({"classes_dm": (20, 20)}, "do not ascend"),
    ):
        try:
            Radar(table, options)
        except ValueError as error:
            assert why in str(error), error
        else:
            assert False, options
    for code, exponent, why in (
        ("count.up", 0, "count.up is no code"),
        ("count.in.in", 0, "is no code"),
        ("mean.3", 0, "is no code"),
        ("median", 0, "is no code"),
        ("count", -1, "its exponent"),
        ("mean", -2, "its exponent"),
        ("p85", -1, "its exponent"),
    ):
        try:
            Radar(dict(table, points=(("x", "", exponent, "gauge", code),)), {})
        except ValueError as error:
            assert why in str(error), error
        else:
            assert False, code


def test_a_radar_is_asked_nothing():
    driver = Radar(load_map("icoms_tma"), {})
    assert driver.request(bytearray(8)) == 0 and not driver.waiting
    driver.sent(0)
    driver.give_up(None, 0)
