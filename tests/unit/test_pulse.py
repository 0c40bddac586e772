"""Pulse outputs and contacts: edges with their times, in every way a port can deliver them."""

import sys

from drivers import load_map
from drivers.pulse import Contact, Pulse
from drivers.reading import GOOD, IMPLAUSIBLE, MISSING, NO_REPLY
from tests.fakes.collector_of_readings import Collected
from tests.skips import skip


def edge(level, at_ms, index=0, anew=False):
    """Return the three bytes of an edge."""
    return bytes((0x80 | index << 2 | anew << 1 | level, at_ms >> 7 & 0x7F, at_ms & 0x7F))


def pulses(count, first_ms=1000, every_ms=100, width_ms=40, index=0):
    """Return the edges of so many pulses of an input that was there at first_ms - 500."""
    data = edge(1, first_ms - 500, index, True)
    for i in range(count):
        data += edge(0, first_ms + i * every_ms, index)
        data += edge(1, first_ms + i * every_ms + width_ms, index)
    return data


def _pulse(**options):
    return Pulse(load_map("s0_electricity"), options)


def _door(**options):
    return Contact(load_map("contact_door"), options)


def _due(driver, now_ms):
    got = Collected(driver)
    driver.due(now_ms, got.emit)
    return [(cell[1], cell[4]) for cell in got.rows[0]]


class _Heard:
    """Feeds a contact; keeps (event, at_ms, state) of each emit."""

    def __init__(self, driver):
        self.driver = driver
        self.told = []

    def emit(self, reading):
        self.told.append((self.driver.event, reading.at_ms, reading.values[0]))

    def feed(self, data, now_ms):
        self.driver.feed(data, 0, len(data), now_ms, self.emit)
        return self

    def silence(self, now_ms):
        self.driver.feed(b"", 0, 0, now_ms, self.emit)
        return self


def test_pulses_are_counted_once_however_their_edges_come():
    data = pulses(7)
    for cut in range(len(data) + 1):
        driver = _pulse(start=500)
        Collected(driver).feed(data, 0, cut, 2000).feed(data, cut, None, 2000).silence(2000)
        assert _due(driver, 2000)[0] == (507, GOOD), cut
    driver = _pulse()
    got = Collected(driver)
    for i in range(len(data)):
        got.feed(data, i, i + 1, 2000)
    assert _due(driver, 2000)[0] == (7, GOOD) and not got.errors


def test_a_bouncing_contact_is_one_pulse():
    data = edge(1, 0, anew=True)
    for at, level in (
        (100, 0),
        (103, 1),
        (105, 0),
        (109, 1),
        (110, 0),
        (150, 1),
        (152, 0),
        (155, 1),
    ):
        data += edge(level, at)
    driver = _pulse()
    Collected(driver).feed(data, now_ms=200).silence(200)
    assert driver.carried == 1
    short = edge(0, 300) + edge(1, 319)  # 19 ms: a spark
    Collected(driver).feed(short, now_ms=400)
    assert driver.carried == 1
    Collected(driver).feed(edge(0, 500) + edge(1, 520), now_ms=600)
    assert driver.carried == 2


def test_a_pulse_counts_while_it_lasts_and_not_again_at_its_end():
    driver = _pulse()
    got = Collected(driver).feed(edge(1, 0, anew=True) + edge(0, 100), now_ms=101)
    assert driver.carried == 0
    got.silence(134)
    assert driver.carried == 1
    got.feed(edge(1, 140), now_ms=170).silence(200)
    assert driver.carried == 1


def test_a_pulse_under_way_at_the_start_is_no_new_one():
    driver = _pulse()
    Collected(driver).feed(edge(0, 0, anew=True), now_ms=30).silence(60)
    assert driver.carried == 0


def test_the_time_of_an_edge_wraps():
    data = edge(1, 16000, anew=True) + edge(0, 16380) + edge(1, 26)  # 30 ms over the wrap
    driver = _pulse()
    Collected(driver).feed(data, now_ms=16384 + 60)
    assert driver.carried == 1


def test_weight_and_start_make_the_total_exact():
    driver = _pulse(pulses=800, steps=1000, start=123456789)
    driver.carried = 3
    Collected(driver).feed(pulses(8), now_ms=3000)
    assert _due(driver, 3000)[0] == (123456789 + 11 * 1000 // 800, GOOD)
    driver = Pulse(load_map("pulse_volume"), {"steps": 10, "points": ("volume",)})
    Collected(driver).feed(pulses(2), now_ms=3000)
    assert _due(driver, 3000) == [(20, GOOD)]


def test_the_rate_is_of_the_period():
    driver = _pulse()
    Collected(driver).feed(edge(1, 0, anew=True), now_ms=1)
    assert _due(driver, 60000) == [(0, GOOD), (None, MISSING)]  # did not begin whole
    Collected(driver).feed(pulses(30, first_ms=61000)[3:], now_ms=65000)
    assert _due(driver, 120000) == [(30, GOOD), (1800, GOOD)]  # 30 Wh in a minute
    assert _due(driver, 180000) == [(30, GOOD), (0, GOOD)]
    volume = Pulse(load_map("pulse_volume"), {"points": ("flow",)})
    Collected(volume).feed(edge(1, 0, anew=True), now_ms=1)
    _due(volume, 0)
    Collected(volume).feed(pulses(1)[3:], now_ms=2000)
    assert _due(volume, 7000) == [(514, GOOD)]  # 1 l in 7 s: 514.3 l/h


def test_only_the_own_input_counts():
    data = pulses(5, index=0) + pulses(3, index=3)
    for number, count in ((1, 5), (4, 3), (2, 0)):
        driver = _pulse(input=number)
        Collected(driver).feed(data, now_ms=3000)
        assert driver.carried == count
    assert _due(_pulse(input=2), 0) == [(None, NO_REPLY)] * 2


def test_lost_edges_are_said_and_the_total_of_that_period_is_not_believed():
    driver = _pulse()
    got = Collected(driver).feed(pulses(2) + edge(0, 1500, anew=True) + edge(1, 1540), now_ms=2000)
    assert got.errors == ["edges of input 1 were lost"]
    assert _due(driver, 2000)[0] == (2, IMPLAUSIBLE)
    assert _due(driver, 3000)[0] == (2, GOOD)


def test_damage_between_edges_costs_no_neighbour():
    driver = _pulse()
    data = pulses(1) + b"\x00\x05" + edge(0, 2000) + b"\x81" + edge(1, 2040)
    got = Collected(driver).feed(data, now_ms=2100)
    assert driver.carried == 2 and len(got.errors) == 3
    assert Collected(driver).feed(b"\x80\x01", now_ms=2200).silence(2300).errors


def test_a_reset_forgets_no_total():
    driver = _pulse()
    Collected(driver).feed(pulses(4), now_ms=2000)
    driver.reset()
    assert _due(driver, 2500) == [(None, NO_REPLY)] * 2
    Collected(driver).feed(pulses(1, first_ms=3000), now_ms=4000)
    assert _due(driver, 4000)[0] == (5, GOOD)


def test_another_start_is_another_total():
    assert _pulse(start=5).carried_key != _pulse().carried_key


def test_a_door_is_told_at_once_with_the_time_it_opened():
    heard = _Heard(_door()).feed(edge(0, 1000, anew=True), 1100)
    assert heard.told == []
    heard.feed(edge(1, 5000), 5001)
    assert heard.told == []
    heard.silence(5063)
    assert heard.told == [("door_open", 5000, 1)]
    heard.feed(edge(0, 15000), 15063)
    assert heard.told[1:] == [("door_closed", 15000, 0)]


def test_a_door_that_is_open_at_the_start_is_told():
    heard = _Heard(_door()).feed(edge(1, 1000, anew=True), 1001).silence(1100)
    assert heard.told == [("door_open", 1000, 1)]
    driver = _door()
    driver.carried = 7  # it was open before the power went, and still is
    assert _Heard(driver).feed(edge(1, 1000, anew=True), 1100).told == []
    driver = _door()
    driver.carried = 7
    heard = _Heard(driver).feed(edge(0, 1000, anew=True), 1100)
    assert heard.told == [("door_closed", 1000, 0)]


def test_a_trembling_contact_is_told_at_once_and_then_held():
    driver = _door(hold_s=10)
    heard = _Heard(driver).feed(edge(0, 0, anew=True), 100)
    for i in range(20):
        heard.feed(edge(1 - i % 2, 1000 + 200 * i), 1100 + 200 * i)
    assert [event for event, _, _ in heard.told] == ["door_open"]
    driver.due(8000, heard.emit)
    assert heard.told[1:] == [("", 8000, 0)]
    driver.due(12000, heard.emit)
    assert heard.told[2:] == [("", 12000, 0), ("door_closed", 12000, 0)]
    assert driver.carried == 20  # ten openings, closed


def test_a_period_gives_state_and_openings():
    driver = _door()
    assert _due(driver, 0) == [(None, NO_REPLY)] * 2
    _Heard(driver).feed(edge(0, 0, anew=True) + edge(1, 900) + edge(0, 1900), 3000)
    assert _due(driver, 4000) == [(0, GOOD), (1, GOOD)]


def test_a_tamper_contact_and_a_flood_have_their_own_names():
    for name, level in (("contact_tamper", 1), ("contact_flood", 0)):
        driver = Contact(load_map(name), {})
        heard = _Heard(driver).feed(edge(1 - level, 0, anew=True), 2000)
        heard.feed(edge(level, 3000), 3001).silence(4100)
        assert [event for event, _, _ in heard.told] == [name[8:]]


def test_at_a_desk_each_pulse_and_each_change_is_shown():
    got = Collected(Pulse(None, {})).feed(pulses(3)).silence()
    assert [row[0][1] for row in got.rows] == [1, 2, 3]
    got = Collected(Contact(None, {"active": 1})).feed(edge(0, 0, anew=True) + edge(1, 500))
    assert [row[0][1] for row in got.silence().rows] == [1]


def test_what_cannot_be_is_said_in_words():
    for make in (
        lambda: _pulse(input=0),
        lambda: _pulse(input=33),
        lambda: _pulse(debounce_ms=0),
        lambda: _pulse(active=2),
        lambda: _pulse(pulses=0),
        lambda: _pulse(start=-1),
        lambda: _pulse(points=("x",)),
        lambda: _door(hold_s=-1),
        lambda: Pulse(load_map("contact_door"), {}),
    ):
        try:
            make()
        except ValueError as error:
            assert str(error)
        else:
            raise AssertionError("accepted")


def test_the_byte_path_allocates_nothing():
    if sys.implementation.name != "micropython":
        skip("only MicroPython can lock its heap")
    import micropython

    def emit(reading):
        pass

    for driver in (_pulse(), _door()):
        data = pulses(5)
        driver.feed(data, 0, len(data), 3000, emit)
        more = pulses(5, first_ms=4000)[3:]
        micropython.heap_lock()
        try:
            driver.feed(more, 0, len(more), 6000, emit)
            driver.feed(more, 0, 0, 6500, emit)
        finally:
            micropython.heap_unlock()
