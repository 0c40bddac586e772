"""One port under virtual time: turns, time-outs, a dead meter beside a living one."""

from agent.bus import Bus
from agent.log import ERROR, Log
from agent.meter import OK, SILENT, Meter
from drivers.errors import BadFrame
from drivers.reading import GAUGE, NO_REPLY, Point, Reading

PORT = {"name": "line", "baud": 9600, "bits": 8, "parity": "N", "stop": 1}


class Echoer:
    """A driver that asks one byte and takes one byte as its value; 0 pushes no request."""

    line = None
    gap_us = 4000
    reply_ms = 200
    wait_ms = 0

    def __init__(self, request):
        self.points = (Point("x", "V", 0, GAUGE, 0),)
        self.reading = Reading(self.points)
        self.ask = request
        self.reset()

    def reset(self):
        self.waiting = self.done = False

    def request(self, out):
        if self.done or not self.ask:
            self.done = False
            return 0
        out[0] = self.ask
        self.waiting = True
        return 1

    def sent(self, now_ms):
        pass

    def feed(self, data, start, end, now_ms, emit):
        for i in range(start, end):
            self.waiting = False
            self.done = True
            self.reading.set(0, data[i])
            self.reading.at_ms = now_ms
            emit(self.reading)
        return end

    def give_up(self, emit, quality):
        self.reset()
        self.reading.clear(quality)
        emit(self.reading)


def _bus(*requests):
    got = []
    meters = [
        Meter(i, {"name": "m%d" % i, "retries": 1}, Echoer(r)) for i, r in enumerate(requests)
    ]
    bus = Bus(
        PORT,
        meters,
        lambda m, r: got.append((m.index, r.values[0], r.quality[0])),
        lambda m: None,
        Log(level=ERROR),
    )
    bus.opened(0)
    return bus, meters, got


def _run(bus, answers, from_ms, to_ms):
    """Step each ms; answer a request byte after 5 ms with answers[byte], if it is there."""
    pending = None
    for now in range(from_ms, to_ms):
        bus.step(now, now * 1000)
        if bus.send_count:
            byte = bus.tx[0]
            bus.sent(now, now * 1000)
            pending = (now + 5, answers[byte]) if byte in answers else None
        if pending and now >= pending[0]:
            bus.rx[0] = pending[1]
            pending = None
            bus.received(1, now, now * 1000)


def test_a_meter_that_answers_is_read_once_per_turn():
    bus, meters, got = _bus(1, 2)
    for meter in meters:
        assert bus.ask(meter, 0)
    _run(bus, {1: 11, 2: 22}, 0, 100)
    assert got == [(0, 11, 0), (1, 22, 0)]
    assert meters[0].state == OK and bus.is_quiet()


def test_a_change_of_speed_waits_until_the_meter_has_settled():
    bus, meters, _got = _bus(1)
    driver = meters[0].driver
    fast = (9600, 7, "E", 1)

    def sent(now_ms):
        driver.line = fast

    for settle_ms in (300, 0):
        driver.sent = sent
        driver.settle_ms = settle_ms
        driver.line = None
        bus.ask(meters[0], 0)
        now = 0
        while not bus.send_count:
            now += 1
            bus.step(now, now * 1000)
        assert bus.line == (9600, 8, "N", 1)
        bus.sent(now, now * 1000)
        if settle_ms:
            assert bus.line != fast
            wait_us = bus.step(now + settle_ms - 1, (now + settle_ms - 1) * 1000)
            assert bus.line != fast and wait_us == 1000
            bus.step(now + settle_ms, (now + settle_ms) * 1000)
        assert bus.line == fast
        bus.opened(0)


def test_a_listener_that_counts_gives_its_period_and_starts_anew_after_a_fault():
    bus, meters, got = _bus(0)
    assert not bus.close_period(meters[0], 0)
    calls = []
    driver = meters[0].driver
    driver.due = lambda now_ms, emit: emit(driver.reading)
    driver.reset = lambda: calls.append("reset")
    assert bus.close_period(meters[0], 0) and len(got) == 1 and not calls
    bus.failed("gone", 1)
    assert bus.close_period(meters[0], 2) and calls == ["reset"]


def test_a_dead_meter_is_declared_and_backs_off_while_the_other_goes_on():
    bus, meters, got = _bus(1, 2)
    for meter in meters:
        bus.ask(meter, 0)
    _run(bus, {2: 22}, 0, 1500)
    assert got == [(0, None, NO_REPLY), (1, 22, 0)]
    assert meters[0].state == SILENT and meters[0].failures == 1
    assert not bus.ask(meters[0], 1500)  # backing off: nulls at once, no time on the line
    assert got[-1] == (0, None, NO_REPLY)
    bus.ask(meters[1], 1500)
    _run(bus, {2: 23}, 1500, 1520)
    assert got[-1] == (1, 23, 0)
    assert bus.ask(meters[0], 9000)
    _run(bus, {1: 12}, 9000, 9100)
    assert got[-1] == (0, 12, 0) and meters[0].failures == 0


def test_a_listener_is_heard_without_being_asked():
    bus, meters, got = _bus(0)
    assert meters[0].listens
    bus.rx[0] = 7
    bus.received(1, 10, 10000)
    assert got == [(0, 7, 0)] and meters[0].state == OK


def test_a_failed_port_answers_nulls_for_all_who_wait():
    bus, meters, got = _bus(1, 2)
    for meter in meters:
        bus.ask(meter, 0)
    bus.step(0, 0)
    bus.failed("unplugged", 1)
    assert got == [(0, None, NO_REPLY), (1, None, NO_REPLY)]


class TwoStep(Echoer):
    """Asks 1, then 2, for one reading of two values."""

    def __init__(self):
        self.step = 0
        Echoer.__init__(self, 1)
        self.points = (Point("a", "V", 0, GAUGE, 0), Point("b", "V", 0, GAUGE, 1))
        self.reading = Reading(self.points)

    def reset(self):
        self.waiting = False
        self.step = 0

    def request(self, out):
        if self.step == 2:
            self.step = 0
            return 0
        out[0] = self.step + 1
        self.waiting = True
        return 1

    def feed(self, data, start, end, now_ms, emit):
        for i in range(start, end):
            self.reading.set(self.step, data[i])
            self.waiting = False
            self.step += 1
            if self.step == 2:
                emit(self.reading)
        return end

    def give_up(self, emit, quality):
        for i in range(self.step, 2):
            self.reading.set(i, None, quality)
        self.reset()
        emit(self.reading)


def _ask_a_meter_that_answers_once(retries):
    """Return (readings, requests) of a turn whose second transaction nobody answers."""
    got = []
    meter = Meter(0, {"name": "m", "retries": retries}, TwoStep())
    log = Log(level=ERROR)
    bus = Bus(PORT, [meter], lambda m, r: got.append(list(r.values)), lambda m: None, log)
    bus.opened(0)
    bus.ask(meter, 0)
    requests = []
    for now in range(6000):
        bus.step(now, now * 1000)
        if bus.send_count:
            requests.append((now, bus.tx[0]))
            bus.sent(now, now * 1000)
            if bus.tx[0] == 1:
                bus.rx[0] = 11
                bus.received(1, now, now * 1000)
    return got, requests


def test_nothing_is_asked_again_once_the_first_answer_is_old():
    for retries, sent in ((1, 2), (9, 5)):
        got, requests = _ask_a_meter_that_answers_once(retries)
        assert got == [[11, None]], got
        assert [byte for _, byte in requests] == [1] + [2] * sent, requests
        assert requests[-1][0] < 2000


def test_a_listener_alone_on_its_port_chooses_the_rate_and_gives_a_hint_once():
    lines = []
    driver = Echoer(0)
    meter = Meter(0, {"name": "m", "retries": 1}, driver)
    bus = Bus(PORT, [meter], lambda m, r: None, lambda m: None, Log(sink=lines.append))
    bus.opened(0)
    driver.line = (1200, 7, "E", 1)
    bus.received(1, 1, 1000)
    assert bus.line == (1200, 7, "E", 1)

    def refuse(data, start, end, now_ms, emit):
        raise BadFrame("damaged", end)

    driver.feed = refuse
    driver.hint = "a slow optocoupler?"
    for now in range(2, 5):
        bus.received(1, now, now * 1000)
    assert len([line for line in lines if "optocoupler" in line]) == 1


def test_a_port_that_is_absent_is_said_once_also_at_the_start():
    lines = []
    bus = Bus(PORT, [], lambda m, r: None, lambda m: None, Log(sink=lines.append))
    for now in range(3):
        bus.failed("uart1 cannot be opened", now)
    assert len(lines) == 1 and "uart1 cannot be opened" in lines[0]
    bus.opened(3)
    bus.opened(4)
    assert len(lines) == 2 and "again" in lines[1]
