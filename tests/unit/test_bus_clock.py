"""What a bus says of time, to the microsecond, and what it is before and after each trouble."""

from agent import meter as meters_
from agent.bus import Bus
from agent.log import ERROR, Log
from agent.meter import Meter
from drivers.errors import BadFrame, Refused
from drivers.reading import BAD_FRAME, GAUGE, NO_REPLY, Point, Reading

PORT = {"name": "line", "baud": 9600, "bits": 8, "parity": "N", "stop": 1}
EVER_MS = 0x0FFFFFFF


def us(now_ms):
    """Return that moment in microseconds: the line was silent before the first."""
    return now_ms * 1000 + 5000


class Driver:
    """Asks so many bytes in a turn, 0: it listens; takes each byte for an answer, 0xFF is bad."""

    line = None
    gap_us = 4000
    reply_ms = 200
    wait_ms = 0

    def __init__(self, requests=1):
        self.points = (Point("x", "V", 0, GAUGE, 0),)
        self.reading = Reading(self.points)
        self.requests = requests
        self.resets = 0
        self.ranges = []
        self.given_up = []
        self.reset()
        self.resets = 0

    def reset(self):
        self.waiting = False
        self.asked = 0
        self.resets += 1

    def request(self, out):
        if self.waiting:
            return 3  # once more
        if self.asked == self.requests:
            self.asked = 0
            return 0
        self.asked += 1
        self.waiting = True
        return 3

    def sent(self, now_ms):
        pass

    def feed(self, data, start, end, now_ms, emit):
        self.ranges.append((start, end, now_ms))
        for i in range(start, end):
            if data[i] == 0xFF:
                raise BadFrame("damaged", end)
            self.waiting = False
            emit(self.reading)
        return end

    def give_up(self, emit, quality):
        self.reset()
        self.given_up.append(quality)


class Broadcaster(Driver):
    """Asks, and nobody answers."""

    def request(self, out):
        length = Driver.request(self, out)
        self.waiting = False
        return length


def _bus(*drivers, retries=1, opened=True):
    meters = [Meter(i, {"name": "m%d" % i, "retries": retries}, d) for i, d in enumerate(drivers)]
    turns = []
    lines = []
    log = Log(level=ERROR, sink=lines.append)
    bus = Bus(PORT, meters, lambda m, r: None, lambda m: turns.append(m.state), log)
    bus.turns = turns
    bus.lines = lines
    if opened:
        bus.opened(0)
    return bus


def _send(bus, now_ms, index=0):
    """Ask and let the request leave at once."""
    bus.ask(bus.meters[index], now_ms)
    assert bus.step(now_ms, us(now_ms)) == 0 and bus.send_count == 3
    bus.sent(now_ms, us(now_ms))


def _answer(bus, now_ms, byte=7):
    bus.rx[0] = byte
    bus.received(1, now_ms, us(now_ms))


def test_a_new_bus_and_its_meters_have_seen_nothing():
    bus = _bus(Driver(), Driver(0), opened=False)
    asker, listener = bus.meters
    assert not asker.listens and listener.listens
    assert (bus.noise, bus.send_count, bus.up, bus.is_held) == (0, 0, None, False)
    for meter in bus.meters:
        assert meter.state == meters_.WAITING and meter.hint == "" and not meter.wanted
        counts = (meter.answers, meter.no_reply, meter.bad_frames, meter.refused, meter.failures)
        assert counts == (0, 0, 0, 0, 0)
        assert (meter.retry_at_ms, meter.bad_at_due, meter.at_ms) == (0, 0, 0)
        meter.values[0] = 5
        assert meter.take_nothing() == NO_REPLY and meter.values == [None]
        meter.bad_frames = 1
        assert meter.take_nothing() == BAD_FRAME and meter.quality[0] == BAD_FRAME
    assert bus.is_quiet() and len(bus.rx) == 256 and len(bus.tx) == 272
    states = (meters_.WAITING, meters_.OK, meters_.SILENT, meters_.GARBLED)
    assert states == (0, 1, 2, 3) and meters_.STATE_NAMES == ("waiting", "ok", "silent", "garbled")


def test_a_meter_keeps_what_is_good_and_says_whether_anything_is():
    from drivers.reading import GOOD, IMPLAUSIBLE

    meter = _bus(Driver()).meters[0]
    for quality, good in (
        (GOOD, True),
        (IMPLAUSIBLE, True),
        (NO_REPLY, False),
        (BAD_FRAME, False),
    ):
        meter.driver.reading.set(0, 5, quality)
        assert meter.take(meter.driver.reading) is good
        assert meter.quality[0] == quality


def test_the_next_step_is_as_far_away_as_nothing_can_happen():
    bus = _bus(Driver())
    assert bus.step(5, us(5)) == 20000
    bus.ask(bus.meters[0], 10)
    bus.received(2, 10, us(10))  # bytes that nobody asked for
    assert bus.noise == 2
    assert bus.step(11, us(11)) == 3000 and bus.send_count == 0, "the line has to be silent first"
    assert bus.step(13, us(14) - 1) == 1
    assert bus.step(14, us(14)) == 0 and bus.send_count == 3
    assert bus.step(15, us(15)) == 1000, "the port is writing"
    bus.sent(16, us(16))
    assert bus.send_count == 0
    assert bus.step(17, us(17)) == 200000, "the answer is due in 200 ms"
    assert bus.step(200, us(200)) == 17000
    bus.meters[0].driver.waiting = True
    bus.rx[0] = 0xFF
    bus.received(1, 205, us(205))
    assert bus.step(206, us(206)) == 3000, "the gap comes before the end of the wait"
    assert bus.meters[0].bad_frames == 1


def test_an_idle_line_looks_again_when_its_gap_is_over():
    bus = _bus(Driver(0))
    _answer(bus, 100)
    assert not bus.is_quiet()
    assert bus.step(101, us(101)) == 3000
    assert bus.step(103, us(104) - 1) == 1
    assert bus.meters[0].driver.ranges == [(0, 1, 100)]
    assert bus.step(104, us(104)) == 20000 and bus.is_quiet()
    assert bus.meters[0].driver.ranges == [(0, 1, 100), (0, 0, 104)], "told once"
    bus.step(110, us(110))
    assert len(bus.meters[0].driver.ranges) == 2


def test_the_longest_gap_of_several_listeners_counts():
    slow = Driver(0)
    slow.gap_us = 9000
    bus = _bus(Driver(0), slow)
    _answer(bus, 100)
    bus.step(105, us(105))
    assert slow.ranges == [(0, 1, 100)] and not bus.is_quiet()
    bus.step(109, us(109))
    assert slow.ranges == [(0, 1, 100), (0, 0, 109)]
    assert bus.meters[0].driver.ranges == slow.ranges


def test_a_silence_may_end_an_answer():
    class Ended(Driver):
        def feed(self, data, start, end, now_ms, emit):
            self.ranges.append((start, end, now_ms))
            self.waiting = start < end
            return end

    bus = _bus(Ended(2))
    _send(bus, 0)
    driver = bus.meters[0].driver
    _answer(bus, 5)
    bus.step(8, us(8))
    assert driver.waiting and driver.asked == 1
    bus.step(9, us(9))
    assert driver.ranges[-1] == (0, 0, 9)
    assert driver.asked == 2 and bus.send_count == 3, "the second request of the turn"


def test_a_driver_that_still_waits_after_a_silence_waits_on():
    bus = _bus(Driver())
    _send(bus, 0)
    _answer(bus, 5, 0xFF)
    bus.step(9, us(9))
    assert bus.meters[0].driver.ranges == [(0, 1, 5), (0, 0, 9)]
    assert bus.send_count == 0 and bus.meters[0].driver.asked == 1
    assert bus.step(10, us(10)) == 191000, "still the same answer"


def test_an_answer_is_waited_for_to_the_millisecond():
    bus = _bus(Driver(), retries=0)
    _send(bus, 50)
    bus.step(250, us(250))
    assert bus.meters[0].driver.given_up == []
    assert bus.step(251, us(251)) == 0
    assert bus.meters[0].driver.given_up == [NO_REPLY]
    assert bus.meters[0].no_reply == bus.meters[0].failures == 1


def test_a_retry_waits_until_late_bytes_are_over():
    for reply_ms, late_ms in ((200, 200), (30, 100)):
        driver = Driver()
        driver.reply_ms = reply_ms
        bus = _bus(driver)
        _send(bus, 0)
        over = reply_ms + 1
        bus.step(over, us(over))
        assert bus.step(over + late_ms - 1, us(over + late_ms - 1)) == 1000
        bus.step(over + late_ms, us(over + late_ms))
        assert bus.send_count == 3


def test_the_pause_of_a_meter_is_kept_between_two_transactions():
    driver = Driver(2)
    driver.wait_ms = 50
    bus = _bus(driver)
    _send(bus, 0)
    _answer(bus, 10)
    assert bus.step(59, us(59)) == 1000
    bus.step(60, us(60))
    assert bus.send_count == 3


def test_a_backoff_doubles_from_five_seconds_to_five_minutes():
    bus = _bus(Driver(), retries=0)
    meter = bus.meters[0]
    now = 0
    for wait_s in (5, 10, 20, 40, 80, 160, 300, 300):
        _send(bus, now)
        bus.step(now + 201, us(now + 201))
        begun = now + 201
        now = begun + wait_s * 1000
        assert meter.retry_at_ms == now
        assert not bus.ask(meter, now - 1) and meter.driver.given_up[-1] == NO_REPLY
        assert bus.is_quiet()
    assert meter.failures == 8
    assert bus.ask(meter, now), "at that very millisecond it is asked"


def test_a_turn_begins_as_if_no_other_had_been():
    bus = _bus(Driver(), Driver(), retries=1)
    first, second = bus.meters
    _send(bus, 0)
    _answer(bus, 10, 0xFF)  # damaged
    bus.ask(second, 20)
    bus.step(201, us(201))  # a retry of the first, which is damaged too
    bus.step(401, us(401))
    assert bus.send_count == 3
    bus.sent(401, us(401))
    _answer(bus, 410, 0xFF)
    bus.step(602, us(602))
    assert first.driver.given_up == [BAD_FRAME] and first.state == meters_.GARBLED
    assert bus.step(602, us(602)) == 100000, "a late answer must not reach the next meter"
    bus.step(702, us(702))
    bus.sent(702, us(702))
    bus.step(903, us(903))
    assert second.driver.given_up == [], "it has its own retry"
    bus.step(1103, us(1103))
    bus.sent(1103, us(1103))
    bus.step(1304, us(1304))
    assert second.driver.given_up == [NO_REPLY], "its neighbour's damage is not its own"
    assert bus.turns == [meters_.GARBLED, meters_.SILENT]


def test_a_second_transaction_has_its_own_tries_and_its_own_damage():
    bus = _bus(Driver(2), retries=1)
    _send(bus, 0)
    _answer(bus, 10, 0xFF)
    bus.step(201, us(201))
    bus.step(401, us(401))
    bus.sent(401, us(401))
    _answer(bus, 405)
    bus.step(410, us(410))
    bus.sent(410, us(410))
    bus.step(611, us(611))
    assert bus.meters[0].driver.given_up == [], "one retry for each transaction"
    bus.step(811, us(811))
    bus.sent(811, us(811))
    bus.step(1012, us(1012))
    assert bus.meters[0].driver.given_up == [NO_REPLY]


def test_changes_of_a_meter_are_told_and_the_first_answer_is_none():
    bus = _bus(Driver(), retries=0)
    _send(bus, 0)
    _answer(bus, 10)
    bus.step(20, us(20))
    assert bus.meters[0].state == meters_.OK and bus.turns == []
    _send(bus, 100)
    bus.step(301, us(301))
    assert bus.turns == [meters_.SILENT]
    _send(bus, 6000)
    _answer(bus, 6010)
    bus.step(6020, us(6020))
    assert bus.turns == [meters_.SILENT, meters_.OK] and bus.meters[0].failures == 0


def test_a_port_that_fails_while_it_sends_sends_nothing_when_it_is_back():
    bus = _bus(Driver(), Driver())
    bus.ask(bus.meters[0], 0)
    bus.step(0, us(0))
    bus.ask(bus.meters[1], 0)
    assert bus.send_count == 3
    bus.failed("unplugged", 1)
    assert bus.send_count == 0 and bus.is_quiet() and bus.up is False
    assert [m.driver.given_up for m in bus.meters] == [[NO_REPLY], [NO_REPLY]]
    bus.sent(2, us(2))  # too late
    assert bus.step(3, us(3)) == 20000 and bus.is_quiet()
    bus.meters[0].failures = 0
    bus.ask(bus.meters[0], 4)
    assert bus.step(4, us(4)) == 20000
    assert bus.meters[0].driver.given_up == [NO_REPLY] * 2, "nobody waits at a port that is gone"
    resets = bus.meters[1].driver.resets
    bus.opened(5)
    assert bus.up is True and bus.meters[1].driver.resets == resets + 1
    assert bus.send_count == 0 and bus.is_quiet()


def test_how_long_a_line_will_be_silent():
    bus = _bus(Driver(), opened=False)
    assert bus.silent_ms(0) == EVER_MS, "there is no line"
    bus.opened(0)
    assert bus.silent_ms(0) == EVER_MS, "nobody speaks unasked"
    bus.ask(bus.meters[0], 0)
    bus.step(0, us(0))
    assert bus.silent_ms(0) == 0, "a request is being written"
    bus.sent(1, us(1))
    assert bus.silent_ms(1) == 0, "an answer may come"
    _answer(bus, 2)
    assert bus.silent_ms(2) == 0, "a frame may go on"
    bus.step(6, us(6))
    assert bus.send_count == 0 and bus.silent_ms(7) == EVER_MS

    bus = _bus(Driver(0))
    bus.rhythm.hears(1000)
    assert bus.silent_ms(1200) == 0, "it may begin at any time"
    assert bus.silent_ms(1201) == EVER_MS, "longer than its longest pause: it is gone"
    assert not bus.is_wanted()
    bus.meters[0].wanted = True
    assert bus.is_wanted()


def test_a_period_of_a_listener_that_sends_by_itself_is_not_closed():
    bus = _bus(Driver(0))
    assert bus.close_period(bus.meters[0], 0) is False


def test_broadcasts_are_waited_for_by_nobody():
    bus = _bus(Broadcaster(2))
    _send(bus, 0)
    bus.step(4, us(4))
    assert bus.send_count == 3, "the next one follows at once"


def test_a_port_is_there_again_only_after_it_was_gone():
    said = []
    bus = Bus(PORT, [], lambda m, r: None, lambda m: None, Log(sink=said.append))
    bus.opened(0)
    bus.opened(1)
    assert said == []
    bus.failed("gone", 2)
    assert len(said) == 1 and "gone" in said[0]
    bus.opened(3)
    assert len(said) == 2 and "is there again" in said[1]
    bus.opened(4)
    assert len(said) == 2


def test_each_driver_forgets_what_it_knew_before_a_bus_takes_it():
    driver = Driver()
    driver.waiting = True
    bus = _bus(driver, opened=False)
    assert driver.resets == 1 and not driver.waiting and not bus.meters[0].listens
    listener = Driver(0)
    assert _bus(listener).meters[0].listens


def test_a_driver_that_needs_no_other_line_settles_at_once():
    driver = Driver()
    driver.settle_ms = 300
    bus = _bus(driver)
    _send(bus, 0)
    assert bus.step(1, us(1)) == 200000, "nothing is settled: the answer is waited for"
    driver.line = (300, 7, "E", 1)
    bus = _bus(driver)
    bus.ask(bus.meters[0], 0)
    bus.step(0, us(0))
    assert bus.line == driver.line, "asked at its own rate"


def test_an_answer_at_the_edge_of_a_turn():
    for age_ms, retried in ((1499, True), (1500, False)):
        driver = Driver(2)
        driver.reply_ms = age_ms - 10 - 1
        bus = _bus(driver, retries=1)
        _send(bus, 0)
        _answer(bus, 10)
        bus.step(20, us(20))
        bus.sent(20, us(20))
        over = 20 + driver.reply_ms + 1
        bus.step(over, us(over))
        assert (driver.given_up == []) is retried, age_ms


def test_meters_over_tcp_are_told_so():
    from agent.meter import make_meters

    port = {"name": "lan", "kind": "tcp", "baud": 9600, "bits": 8, "parity": "N", "stop": 1}
    row = {"name": "m", "port": "lan", "protocol": "modbus", "map": "s0_counter4", "retries": 1}
    row["points"] = ["pulses_1"]
    for options, wanted in (({"unit": 1}, "tcp"), ({"unit": 1, "transport": "rtu"}, "rtu")):
        row["options"] = options
        made = make_meters({"ports": [port], "meters": [row]})
        assert made[0].driver.model.transport == wanted
        assert "transport" not in options or wanted == "rtu", "the configuration stays as it is"
    row["map"] = "no_such_map"
    try:
        make_meters({"ports": [port], "meters": [row]})
    except ValueError as error:
        assert str(error) == "meters[0].map: there is no map no_such_map"
    else:
        raise AssertionError("made")


def test_a_refusal_is_an_answer_unless_it_says_later():
    class Refuser(Driver):
        def feed(self, data, start, end, now_ms, emit):
            if start == end:
                return end
            self.waiting = self.later
            raise Refused("no such register", resume=end, later=self.later)

    for later in (False, True):
        driver = Refuser(2)
        driver.later = later
        bus = _bus(driver, retries=1)
        _send(bus, 0)
        _answer(bus, 10)
        assert bus.meters[0].refused == 1 and bus.meters[0].bad_frames == 0
        bus.step(14, us(14))
        assert (bus.send_count == 3) is not later, "the next request, or a pause"
        assert driver.asked == (1 if later else 2)
        if later:
            bus.step(214, us(214))
            assert bus.send_count == 3 and driver.asked == 1, "asked again before its time is over"


def test_in_the_second_half_of_the_ticks_nothing_waits_for_what_was_never_asked():
    bus = _bus(Driver())
    now_ms = (1 << 29) + 7
    bus.opened(now_ms)
    _send(bus, now_ms)
    assert bus.step(now_ms + 1, us(now_ms + 1)) == 200_000, "201 ms from the request on"
    assert bus.step(now_ms + 190, us(now_ms + 190)) == 11000, "the answer's time is over then"


def test_a_port_shows_that_it_lives_whether_it_is_there_or_not():
    bus = _bus(Driver(), opened=False)  # agent/watch.py wants it
    bus.failed("unplugged", 500)
    assert bus.alive_ms == 500
    bus.step(900, us(900))
    assert bus.alive_ms == 900


def test_after_a_request_that_nobody_answers_the_gap_counts_from_its_end():
    bus = _bus(Broadcaster(2))
    bus.ask(bus.meters[0], 0)
    bus.step(0, us(0))
    bus.sent(30, us(30))  # it took so long
    assert bus.step(30, us(30)) == 4000 and bus.step(33, us(33)) == 1000
    assert not bus.send_count
    bus.step(34, us(34))
    assert bus.send_count == 3


def test_an_echo_of_the_request_is_no_silence_that_ends_an_answer():
    driver = Driver()
    bus = _bus(driver)
    bus.ask(bus.meters[0], 0)
    bus.step(0, us(0))
    bus.received(3, 1, us(1))  # while it is being sent
    bus.sent(3, us(3))
    bus.step(8, us(8))
    assert driver.ranges == []
    _answer(bus, 20)
    bus.step(24, us(24))
    assert driver.ranges == [(0, 1, 20)] and bus.noise == 3


def test_a_driver_without_a_settling_time_has_the_other_line_at_once():
    driver = Driver()
    bus = _bus(driver)

    def sent(now_ms):
        driver.line = (300, 7, "E", 1)

    driver.sent = sent
    _send(bus, 0)
    assert bus.line == driver.line


def test_a_byte_of_this_very_microsecond_has_its_gap_to_come():
    bus = _bus(Driver())
    bus.step(10, us(10))
    bus.received(1, 10, us(10))
    bus.ask(bus.meters[0], 10)
    assert bus.step(10, us(10)) == 4000 and not bus.send_count
    assert bus.step(14, us(14)) == 0 and bus.send_count == 3


def test_the_end_of_a_turn_lets_the_next_one_begin_at_once():
    bus = _bus(Driver(), Driver())
    _send(bus, 0)
    _answer(bus, 10)
    bus.ask(bus.meters[1], 10)
    assert bus.step(14, us(14)) == 0 and bus.send_count == 0
    assert bus.step(14, us(14)) == 0 and bus.send_count == 3


def test_a_turn_of_later_is_retried_whatever_an_earlier_one_took():
    driver = Driver()
    bus = _bus(driver)
    _send(bus, 0)
    _answer(bus, 10)
    bus.step(14, us(14))
    _send(bus, 60000)
    bus.step(60201, us(60201))
    assert driver.given_up == []
    bus.step(60401, us(60401))
    assert bus.send_count == 3, "once more"


def test_those_who_wait_at_a_port_that_fails_are_told_in_their_order():
    told = []
    bus = _bus(Driver(), Driver(), Driver())
    bus._on_turn = lambda meter: told.append(meter.index)
    for meter in bus.meters:
        bus.ask(meter, 0)
    bus.failed("unplugged", 1)
    assert told == [0, 1, 2]


def test_a_listener_at_a_port_that_is_back_hears_no_silence_of_before():
    driver = Driver(0)
    bus = _bus(driver)
    _answer(bus, 10)
    bus.failed("unplugged", 11)
    bus.opened(5000)
    bus.step(5001, us(5001))
    assert driver.ranges == [(0, 1, 10)] and bus.is_quiet()


def test_a_refusal_ends_a_transaction_also_of_a_driver_that_goes_on_waiting():
    class Refuser(Driver):
        def feed(self, data, start, end, now_ms, emit):
            if start == end:
                return end
            raise Refused("no such register", resume=end)

    driver = Refuser(2)
    bus = _bus(driver)
    _send(bus, 0)
    _answer(bus, 10)
    assert bus.step(14, us(14)) == 0 and bus.send_count == 3


def test_a_meter_is_made_as_it_is_configured():
    from agent.meter import make_meters

    port = {"name": "bus", "kind": "uart", "baud": 300, "bits": 8, "parity": "E", "stop": 1}
    row = {"name": "m", "port": "bus", "protocol": "modbus", "map": "s0_counter4", "retries": 1}
    row["options"] = {"unit": 1}
    row["points"] = ["pulses_2"]
    row["thin"] = [{"points": [], "resolution": "10", "deadband": "", "silence_s": 900}]
    (meter,) = make_meters({"ports": [port], "meters": [row]})
    assert [point.name for point in meter.driver.points] == ["pulses_2"]
    assert meter.driver.gap_us > 100_000, "3.5 characters at its rate"
    reading = Reading(meter.driver.points)
    reading.set(0, 57)
    meter.take(reading)
    assert meter.values == [5], "in tens"
    row["options"] = {"unit": 999}
    try:
        make_meters({"ports": [port], "meters": [row]})
    except ValueError as error:
        assert str(error).startswith("meters[0] (m): ")
    else:
        raise AssertionError("made")
