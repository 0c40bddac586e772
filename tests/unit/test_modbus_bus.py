"""Modbus meters on ports under virtual time: dead ones, late ones, several ports, commands."""

# heap: 1m

import sys

import micropython

from agent.bus import Bus
from agent.log import ERROR, Log
from agent.meter import Meter
from drivers.modbus import Modbus
from drivers.reading import GOOD, NO_REPLY
from tests.skips import skip
from tests.unit.test_modbus import answer, rtu

PORT = {"name": "line", "baud": 9600, "bits": 8, "parity": "N", "stop": 1}
TABLE = {
    "points": (
        ("a", "V", -1, "gauge", 4, 0, "uint16", -1),
        ("b", "V", -1, "gauge", 4, 1, "uint16", -1),
    ),
    "reply_ms": 200,
}
_REPLY_MS = 200 + 10  # with the time of the answer itself
_BACKOFF_MS = 5000


class Line:
    """A port with its meters: unit -> ms after which it answers, or None for a dead one."""

    def __init__(self, delays, retries=2, name="line"):
        self.delays = delays
        self.readings = []
        self.asked = []
        self._due = []
        self.meters = [
            Meter(i, {"name": "m%d" % unit, "retries": retries}, Modbus(TABLE, {"unit": unit}))
            for i, unit in enumerate(sorted(delays))
        ]
        port = dict(PORT)
        port["name"] = name
        self.bus = Bus(
            port,
            self.meters,
            lambda m, r: self.readings.append(
                (m.driver.unit, r.values[0], r.quality[0], self.now)
            ),
            lambda m: None,
            Log(level=ERROR),
        )
        self.now = 0
        self.bus.opened(0)

    def _read(self, meter, reading):
        row = (meter.driver.unit, reading.values[0], reading.quality[0], self.now)
        self.readings.append(row)

    def step(self, now):
        """Go on to this ms: send, answer, hear."""
        self.now = now
        bus = self.bus
        bus.step(now, now * 1000)
        if bus.send_count:
            frame = bytes(bus.tx[: bus.send_count])
            self.asked.append((now, frame))
            bus.sent(now, now * 1000)
            delay = self.delays.get(frame[0])
            if delay is not None:
                reply = frame
                if frame[1] <= 4:
                    reply = answer(frame[0], frame[1], *[frame[0] * 100] * frame[5])
                elif frame[1] >= 15:
                    reply = rtu(*frame[:6])
                self._due.append((now + delay, reply))
        for due in [due for due in self._due if due[0] <= now]:
            self._due.remove(due)
            bus.rx[: len(due[1])] = due[1]
            bus.received(len(due[1]), now, now * 1000)

    def requests(self, unit, begin, end):
        """Return when this unit was asked within a time."""
        return [at for at, frame in self.asked if frame[0] == unit and begin <= at < end]


def _poll(lines, until_ms, every_ms=500):
    for now in range(until_ms):
        for line in lines:
            if now % every_ms == 0:
                for meter in line.meters:
                    line.bus.ask(meter, now)
            line.step(now)


def test_a_dead_meter_costs_the_others_one_time_out_per_back_off_at_most():
    line = Line({1: 20, 2: None, 3: 20})
    _poll([line], 60_000)
    first = line.requests(2, 0, 60_000)[0]
    tries = line.requests(2, 0, first + _BACKOFF_MS)
    assert len(tries) == 3, "found out once, with its retries"
    later = line.requests(2, tries[-1] + 1, 60_000)
    assert 2 <= len(later) <= 4
    for i in range(1, len(later)):
        # one request in each period, and each period at least twice the last but for the cap
        assert later[i] - later[i - 1] >= _BACKOFF_MS << i, later
    for unit in (1, 3):
        times = [at for who, value, _, at in line.readings if who == unit and value == unit * 100]
        assert len(times) >= 115
        after = [at for at in times if at > tries[-1] + 2000]
        waits = [after[i] - after[i - 1] for i in range(1, len(after))]
        assert max(waits) <= 500 + _REPLY_MS + 200, max(waits)
    nulls = [row for row in line.readings if row[0] == 2]
    assert {row[2] for row in nulls} == {NO_REPLY}, "it is missing in no turn, and never a number"
    assert len(nulls) >= 100


def test_a_late_answer_reaches_no_other_meter_and_no_other_turn():
    line = Line({1: 20, 2: 260, 3: 20})  # 2 answers after its time-out, always
    _poll([line], 30_000)
    for unit, value, quality, _ in line.readings:
        assert value in (None, unit * 100), (unit, value)
        assert unit == 2 or quality == GOOD, (unit, quality)


def test_two_ports_go_on_at_once_and_one_dead_line_holds_nothing_up():
    good = Line({1: 20, 2: 30}, name="one")
    dead = Line({1: None, 2: None}, name="two")
    slow = Line({1: 150, 7: 150}, name="three")
    _poll([good, dead, slow], 20_000)
    alone = Line({1: 20, 2: 30})
    _poll([alone], 20_000)
    assert [row[:3] for row in good.readings] == [row[:3] for row in alone.readings]
    assert len([row for row in slow.readings if row[1] is not None]) >= 78
    assert all(row[1] is None for row in dead.readings)


def test_a_command_goes_before_the_next_read_and_polling_never_writes():
    line = Line({1: 20})
    _poll([line], 2_000)
    assert {frame[1] for _, frame in line.asked} == {4}
    line.asked.clear()
    driver = line.meters[0].driver
    driver.write(16, 0x10, (1, 2))
    line.bus.ask(line.meters[0], 0)
    for now in range(2_000, 2_200):
        line.step(now)
    assert [frame[1] for _, frame in line.asked] == [16, 4]
    assert driver.written == 0 and line.readings[-1][1] == 100


def test_a_broadcast_is_not_waited_for_and_the_line_rests_after_it():
    line = Line({1: 20, 2: 20})
    line.meters[0].driver.write(6, 0x10, 7, everyone=True)
    line.bus.ask(line.meters[0], 0)
    for now in range(1_000):
        line.step(now)
    (sent, frame), (read, _) = line.asked
    assert frame == rtu(0, 6, 0, 0x10, 0, 7)
    assert 100 <= read - sent <= 120, "the turnaround delay, and no time-out"
    assert line.readings[-1][1] == 100


def test_a_refused_command_says_so_and_the_reading_comes_all_the_same():
    line = Line({1: None})
    driver = line.meters[0].driver
    driver.write(6, 0x10, 7)
    line.bus.ask(line.meters[0], 0)
    now = 0
    while not line.asked:
        now += 1
        line.step(now)
    refusal = rtu(1, 0x86, 3)
    line.bus.rx[: len(refusal)] = refusal
    line.bus.received(len(refusal), now, now * 1000)
    assert driver.written == 3
    line.delays[1] = 20
    for later in range(now, now + 500):
        line.step(later)
    assert line.readings[-1][1] == 100


def test_a_whole_turn_of_the_bus_allocates_nothing():
    if sys.implementation.name != "micropython":
        skip("only MicroPython can lock its heap")
    values = [0, 0]

    def on_reading(meter, reading):
        values[0], values[1] = reading.values

    for transport in ("rtu", "tcp"):
        driver = Modbus(TABLE, {"unit": 1, "transport": transport})
        meter = Meter(0, {"name": "m", "retries": 0}, driver)
        values[0] = values[1] = 0
        bus = Bus(
            PORT,
            [meter],
            on_reading,
            lambda m: None,
            Log(level=ERROR),
        )
        bus.opened(0)
        data = answer(1, 4, 100, 200)
        for turn in range(3):  # the first two tell the meter's state and find the plan
            bus.ask(meter, 0)
            now = 100 * turn
            if turn == 2:
                micropython.heap_lock()
            try:
                while not bus.send_count:
                    now += 1
                    bus.step(now, now * 1000)
                bus.sent(now, now * 1000)
                if transport == "tcp":
                    for i in range(2):
                        bus.rx[i] = bus.tx[i]
                    bus.rx[2] = bus.rx[3] = bus.rx[4] = 0
                    bus.rx[5] = 7
                    for i in range(7):
                        bus.rx[6 + i] = data[i]
                else:
                    for i in range(9):
                        bus.rx[i] = data[i]
                bus.received(13 if transport == "tcp" else 9, now, now * 1000)
                for _ in range(10):
                    now += 1
                    bus.step(now, now * 1000)
            finally:
                if turn == 2:
                    micropython.heap_unlock()
            assert values == [100, 200] and bus.is_quiet()
