"""Every driver of a pushed or asked frame, fed each of the project's own vectors in every way."""

# heap: 1m

import sys

from drivers import load
from tests.fakes.feeding import feed_every_way
from tests.vectors.frames import FRAMES, OTHERS

_IS_SMALL = sys.implementation.name == "micropython"
_BUDGET = 40_000 if _IS_SMALL else 0
_TABLES = {
    "dsmr": (("energy", "Wh", 0, "counter", "1-0:1.8.1"), {"crc": True}),
    "sml": (("energy", "Wh", -1, "counter", "1-0:1.8.0"), {}),
    "dlms": (("power", "W", 0, "gauge", "1-0:1.7.0"), {}),
    "iec62056": (("energy", "Wh", 2, "counter", "1.8.0"), {"mode": "D"}),
}


def _feed(protocol):
    driver = load(protocol)
    desk = protocol == "iec62056"
    for data in FRAMES[protocol]:
        feed_every_way(lambda: driver(None, {}), data, True, _BUDGET, desk)
    if protocol in _TABLES:
        row, options = _TABLES[protocol]
        table = {"protocol": protocol, "points": (row,)}
        feed_every_way(lambda: driver(table, options), FRAMES[protocol][0], True, _BUDGET)


def test_p1_telegrams():
    _feed("dsmr")


def test_sml_telegrams():
    _feed("sml")


def test_dlms_pushes():
    _feed("dlms")


def test_read_outs():
    _feed("iec62056")


def test_m_bus_answers():
    _feed("mbus")


def test_tic_frames():
    _feed("tic")
    frame = FRAMES["tic"][0][:-1] + FRAMES["tic"][1][1:-1] + FRAMES["tic"][2][1:]
    # each group stands alone: of a damaged frame the others are given
    feed_every_way(lambda: load("tic")(None, {}), frame, False, _BUDGET)


def test_distances():
    _feed("level")


def test_notifications_on_m_bus():
    row, _ = _TABLES["dlms"]
    table = {"protocol": "dlms", "points": (row,)}
    for data in OTHERS["dlms"]:
        feed_every_way(lambda: load("dlms")(table, {"transport": "mbus"}), data, True, _BUDGET)


def test_frames_without_a_checksum():
    data = b"/XYZ5A\r\n\r\n1-0:1.8.1(00608.400*kWh)\r\n0-0:17.0.0(999*A)\r\n!\r\n"
    feed_every_way(lambda: load("dsmr")(None, {}), data, False, _BUDGET)
    data = b"/EMH5id\r\n\r\n1.8.0(000285.4*kWh)\r\n2.8.0(1*kWh)\r\n!\r\n"
    feed_every_way(lambda: load("iec62056")(None, {}), data, False, _BUDGET, True)


def test_a_driver_that_loses_a_neighbour_is_caught():
    class Forgets(load("dsmr")):
        def feed(self, data, start, end, now_ms, emit):
            try:
                return super().feed(data, start, end, now_ms, emit)
            except Exception as error:
                error.resume = end
                raise

    try:
        feed_every_way(lambda: Forgets(None, {}), FRAMES["dsmr"][0], True, _BUDGET)
    except AssertionError as why:
        assert "garbage" in str(why) or "flip" in str(why)
    else:
        assert False, "the harness must see it"


def test_an_asked_m_bus_meter_allocates_nothing_while_bytes_come():
    if not _IS_SMALL:
        return
    import micropython

    table = {"protocol": "mbus", "points": (("energy", "Wh", 3, "counter", "04 06"),)}
    driver = load("mbus")(table, {"address": 5})
    out = bytearray(32)
    driver.request(out)

    def emit(reading):
        pass

    data = FRAMES["mbus"][0]
    driver.feed(b"\xe5", 0, 1, 0, emit)
    driver.request(out)
    end = len(data) - 1
    driver.feed(data, 0, 30, 0, emit)
    driver.reset()
    driver.request(out)
    driver.feed(b"\xe5", 0, 1, 0, emit)
    driver.request(out)
    micropython.heap_lock()
    try:
        driver.feed(data, 0, end, 0, emit)  # all but the last byte: the path of each byte
    finally:
        micropython.heap_unlock()
    driver.feed(data, end, end + 1, 0, emit)


def test_pushed_dlms_and_read_outs_allocate_nothing_while_bytes_come():
    if not _IS_SMALL:
        return
    import micropython

    def emit(reading):
        pass

    for protocol, more in (("dlms", {}), ("dlms", {"transport": "mbus"}), ("iec62056", {})):
        row, options = _TABLES[protocol]
        options = dict(options)
        options.update(more)
        driver = load(protocol)({"protocol": protocol, "points": (row,)}, options)
        data = OTHERS[protocol][0] if more else FRAMES[protocol][0]
        end = len(data) - 1
        driver.feed(data, 0, end + 1, 0, emit)
        driver.reset()
        micropython.heap_lock()
        try:
            driver.feed(data, 0, end, 0, emit)
        finally:
            micropython.heap_unlock()
