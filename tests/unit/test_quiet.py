"""agent/quiet.py and what agent/bus.py knows of its line's silence, in virtual time."""

from agent.bus import Bus
from agent.log import ERROR, Log
from agent.meter import Meter
from agent.quiet import Quiet
from drivers.reading import GAUGE, Point, Reading

_END = 0x0A


class Speaker:
    """A driver that listens: a telegram ends with a line feed."""

    line = None
    gap_us = 400_000
    reply_ms = 20_000
    waiting = False
    wait_ms = 0

    def __init__(self):
        self.points = (Point("x", "V", 0, GAUGE, 0),)
        self.reading = Reading(self.points)

    def reset(self):
        pass

    def request(self, out):
        return 0

    def feed(self, data, start, end, now_ms, emit):
        for i in range(start, end):
            if data[i] == _END:
                emit(self.reading)
        return end


class Asker(Speaker):
    """A driver that asks one byte and takes one."""

    gap_us = 4000
    reply_ms = 200

    def __init__(self):
        super().__init__()
        self.is_done = False

    def request(self, out):
        if self.is_done:
            self.is_done = False
            return 0
        self.waiting = True
        return 1

    def sent(self, now_ms):
        pass

    def feed(self, data, start, end, now_ms, emit):
        if end > start:
            self.waiting = False
            self.is_done = True
        return end

    def give_up(self, emit, quality):
        self.waiting = self.is_done = False


class Ground:
    erases = 4
    is_ready = False


class Tail:
    cut = 0
    is_heavy = False


class Journal:
    """What Quiet asks of a journal; says what was done."""

    degraded = False

    def __init__(self):
        self.ground = Ground()
        self.tail = Tail()
        self.done = []

    def sync(self):
        self.done.append("sync")

    def housekeep(self, now_ms, may):
        if may:
            self.done.append("segment" if self.tail.cut else "rest")
            self.tail.cut = 0


class App:
    purge = supply = None

    def __init__(self, *drivers, baud=9600, kind="uart"):
        self.journal = Journal()
        self.buses = []
        for i, driver in enumerate(drivers):
            port = {"name": "p%d" % i, "kind": kind, "baud": baud, "bits": 8, "parity": "N"}
            port["stop"] = 1
            meter = Meter(i, {"name": "m", "retries": 0}, driver)
            bus = Bus(port, [meter], lambda m, r: None, lambda m: None, Log(level=ERROR))
            bus.opened(0)
            self.buses.append(bus)

    def save(self, now_ms):
        self.journal.done.append("save")


def _hear(bus, text, now_ms):
    bus.step(now_ms - 1, (now_ms - 1) * 1000)  # the port's task looks often
    bus.rx[: len(text)] = text
    bus.received(len(text), now_ms, now_ms * 1000)


def _teach(bus, pause_ms, now_ms=0):
    """Say five telegrams with these pauses; return the instant at which the last has ended."""
    for _ in range(5):
        now_ms += pause_ms
        _hear(bus, b"begin", now_ms)
        now_ms += 20
        _hear(bus, b"end\n", now_ms)
    return now_ms


def test_what_a_line_needs_follows_from_its_rate_and_the_fifo():
    app = App(Speaker())
    bus = app.buses[0]
    for baud, fifo, erases, need_ms in (
        (9600, 32, 4, 153),  # 28 characters of 1.04 ms are held
        (9600, 32, 1, 18),
        (4800, 32, 4, 0),
        (9600, 128, 4, 0),
        (115200, 128, 4, 182 - 10),
        (1250, 5, 4, 182 - 8),
    ):
        app.journal.ground.erases = erases
        bus.line = (baud, 8, "N", 1)
        assert Quiet(app, (fifo, 45)).need_ms(bus) == need_ms, (baud, fifo)
    assert Quiet(App(Speaker(), kind="pins"), (32, 45)).need_ms(App(Asker()).buses[0]) > 0
    pins = App(Speaker(), kind="pins")
    assert Quiet(pins, (32, 45)).need_ms(pins.buses[0]) == 0


def test_a_meter_that_pushes_is_silent_for_its_shortest_pause():
    app = App(Speaker())
    bus = app.buses[0]
    assert bus.silent_ms(10) == 0, "its rhythm is not known"
    now_ms = _teach(bus, 900)
    assert bus.rhythm.pause_ms == 900 and bus.silent_ms(now_ms) == 900
    assert bus.silent_ms(now_ms + 300) == 600 and bus.silent_ms(now_ms + 901) == 0
    _hear(bus, b"\r\n", now_ms + 2)
    assert bus.rhythm.is_between, "what follows at once belongs to the telegram"
    _hear(bus, b"begin", now_ms + 700)
    assert (
        bus.rhythm.pause_ms == 698
        and not bus.rhythm.is_between
        and bus.silent_ms(now_ms + 701) == 0
    )
    later_ms = _teach(bus, 900, now_ms + 700)
    assert 698 < bus.rhythm.pause_ms < 900, "the shortest is forgotten, but slowly"
    assert bus.silent_ms(later_ms + 20_001) > 1_000_000, "it is dead"
    bus.failed("gone", later_ms)
    assert bus.silent_ms(later_ms) > 1_000_000
    bus.opened(later_ms)
    assert bus.rhythm.pause_ms == 0 and bus.silent_ms(later_ms + 1) == 0


def test_who_looked_away_learns_nothing():
    app = App(Speaker())
    bus = app.buses[0]
    now_ms = _teach(bus, 900)
    bus.rx[:6] = b"begin\n"
    bus.received(6, now_ms + 300, (now_ms + 300) * 1000)
    assert bus.rhythm.pause_ms == 900 and not bus.rhythm.is_between


def test_work_waits_for_the_end_of_a_telegram():
    app = App(Speaker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    now_ms = _teach(bus, 900)
    _hear(bus, b"begin", now_ms + 950)
    app.journal.done.clear()
    quiet.wants_sync = quiet.wants_save = True
    assert quiet.step(now_ms + 960) and not app.journal.done
    _hear(bus, b"end\n", now_ms + 970)
    assert app.journal.done == ["sync"], "one piece, at the instant of the end"
    assert quiet.step(now_ms + 980) is None and app.journal.done == ["sync", "save"]
    assert quiet.forced == 0 and quiet.waited_ms == 10
    assert quiet.step(now_ms + 990) is None and app.journal.done[-1] == "rest"
    app.journal.done.clear()
    quiet.step(now_ms + 970 + 800)
    assert not app.journal.done, "what is left of the pause is too short"


def test_a_line_that_never_rests_is_disturbed_where_nobody_wants_the_telegram():
    app = App(Speaker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    now_ms = _teach(bus, 25)
    bus.meters[0].wanted = True
    quiet.sync(now_ms)
    _hear(bus, b"begin", now_ms + 25)
    _hear(bus, b"end\n", now_ms + 45)
    assert not app.journal.done, "the next telegram is wanted"
    bus.meters[0].wanted = False
    _hear(bus, b"begin", now_ms + 70)
    quiet.step(now_ms + 72)
    assert not app.journal.done, "not inside of a telegram"
    _hear(bus, b"end\n", now_ms + 90)
    assert app.journal.done == ["sync"] and quiet.forced == 1


def test_nothing_waits_longer_than_ten_seconds():
    app = App(Speaker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    quiet.sync(0)
    _hear(bus, b"talks", 4_900)
    _hear(bus, b"talks", 5_100)
    quiet.step(9_999)
    assert not app.journal.done
    _hear(bus, b"and talks", 10_000)
    quiet.step(10_001)
    assert app.journal.done == ["sync"]
    assert quiet.forced == 1 and quiet.waited_ms == 10_001


def test_a_meter_whose_rhythm_is_unknown_is_disturbed_after_a_telegram():
    app = App(Speaker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    quiet.sync(0)
    _hear(bus, b"end\n", 1_000)
    assert not app.journal.done
    _hear(bus, b"end\n", 5_001)
    assert app.journal.done == ["sync"] and quiet.forced == 1


def test_an_asking_line_is_held_between_two_transactions():
    app = App(Asker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    bus.ask(bus.meters[0], 0)
    bus.step(0, 0)
    bus.step(5, 5_000)
    assert bus.send_count == 1
    bus.sent(6, 6_000)
    quiet.wants_sync = True
    quiet.step(7)
    quiet.step(7 + 300)
    assert bus.is_held and not app.journal.done
    bus.received(1, 308, 308_000)
    wait_us = bus.step(309, 309_000)
    assert not app.journal.done and wait_us > 0, "the gap is not over"
    bus.step(314, 314_000)
    assert app.journal.done == ["sync"] and not bus.is_held and quiet.forced == 0


def test_a_held_line_goes_on_when_another_lets_nothing_be_done():
    app = App(Asker(), Speaker())
    asking, pushing = app.buses
    quiet = Quiet(app, (32, 45))
    _hear(pushing, b"talks", 1)
    quiet.sync(10)
    quiet.step(311)
    assert asking.is_held and not app.journal.done
    asking.ask(asking.meters[0], 311)
    asking.step(312, 312_000)
    assert asking.step(317, 317_000) == 1000 and not asking.send_count
    _hear(pushing, b"talks", 10_000)
    quiet.step(10_011)
    assert app.journal.done[0] == "sync" and not asking.is_held
    asking.step(10_012, 10_012_000)
    assert asking.send_count


def test_a_ring_with_erased_blocks_and_a_dead_flash_wait_for_nobody():
    app = App(Speaker())
    quiet = Quiet(app, (32, 45))
    app.journal.ground.is_ready = True
    quiet.wants_sync = quiet.wants_save = True
    app.journal.tail.cut = 1
    quiet.step(0)
    assert app.journal.done == ["segment", "sync", "save"]
    app.journal.ground.is_ready = False
    app.journal.degraded = True
    app.journal.tail.cut = 1
    quiet.wants_save = True
    quiet.step(1)
    assert app.journal.done[3:] == ["sync"] and not quiet.wants_save and quiet.forced == 0


def test_where_an_erase_stops_nothing_work_is_done_at_once():
    app = App(Asker())
    bus = app.buses[0]
    quiet = Quiet(app, (0, 0))
    bus.ask(bus.meters[0], 0)
    quiet.wants_sync = quiet.wants_save = True
    quiet.step(0)
    assert app.journal.done == ["sync", "save"], "but what may wait waits for idle lines"
    assert bus.on_silence is None


def test_a_heavy_journal_is_synced_before_a_save_of_its_own():
    app = App(Asker())
    quiet = Quiet(app, (32, 45))
    app.journal.tail.is_heavy = True
    quiet.wants_save = True
    quiet.step(10)
    assert app.journal.done == ["sync"]
    app.journal.tail.is_heavy = False
    quiet.step(20)
    assert app.journal.done[1] == "save"


def test_a_rhythm_is_learnt_from_four_pauses_and_who_looked_away_too_long_learns_none():
    from agent.rhythm import Rhythm

    def beat(rhythm, at_ms, pause_ms, away_ms=1):
        """End a telegram, then hear the next one begin, having looked so shortly before."""
        rhythm.look(at_ms)
        rhythm.hears(at_ms)
        assert rhythm.has_fed(True) is True and rhythm.is_between
        rhythm.look(at_ms + pause_ms - away_ms)
        rhythm.hears(at_ms + pause_ms)
        return rhythm.has_fed(False)

    rhythm = Rhythm()
    assert (rhythm.is_between, rhythm.pause_ms, rhythm.heard_ms) == (False, 0, 0)
    shown = []
    at_ms = 1000
    for pause_ms in (900, 700, 860, 860, 860, 6):
        beat(rhythm, at_ms, pause_ms)
        assert not rhythm.is_between and rhythm.heard_ms == at_ms + pause_ms
        shown.append(rhythm.pause_ms)
        at_ms += 5000
    # 900, 700, then a sixteenth of the way up each time, then the shortest again.
    assert shown == [0, 0, 0, 719, 727, 6]
    for away_ms, learnt in ((10, 500), (11, 0)):
        rhythm.begin(0)
        for number in range(4):
            beat(rhythm, 1000 + 5000 * number, 500, away_ms)
        assert rhythm.pause_ms == learnt
    rhythm.begin(0)
    beat(rhythm, 1000, 5)
    assert rhythm.is_between, "what follows within 5 ms belongs to the telegram"
    rhythm.begin(7)
    assert (rhythm.is_between, rhythm.heard_ms, rhythm.silent_ms(7)) == (False, 7, 0)
    rhythm.hears(100)  # it looked away since 7
    assert rhythm.has_fed(True) is False and not rhythm.is_between


def test_what_is_left_of_a_pause():
    from agent.rhythm import Rhythm

    rhythm = Rhythm()
    rhythm.pause_ms = 300
    assert rhythm.silent_ms(0) == 0
    rhythm.hears(5)
    rhythm.has_fed(True)
    assert [rhythm.silent_ms(at) for at in (5, 105, 304, 305, 400)] == [300, 200, 1, 0, 0]


def test_work_is_due_when_a_segment_is_full_and_the_flash_lives():
    app = App(Asker())
    quiet = Quiet(app, (32, 45))
    assert quiet.step(0) is None and app.journal.done == ["rest"]
    app.journal.done.clear()
    app.journal.tail.cut = 1
    quiet.step(10)
    assert app.journal.done[0] == "segment"


def test_a_line_that_is_as_silent_as_an_erase_is_long_is_not_disturbed():
    app = App(Speaker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    need_ms = quiet.need_ms(bus)
    for silent_ms, done in ((need_ms - 1, []), (need_ms, ["sync"])):
        app.journal.done.clear()
        bus.silent_ms = lambda now_ms, silent_ms=silent_ms: silent_ms
        quiet.wants_sync = True
        assert quiet.step(0) == (None if done else 20)
        assert app.journal.done == done and quiet.forced == 0


def test_a_line_is_held_after_three_tenths_of_a_second_and_a_fast_one_never():
    app = App(Speaker(), Speaker())
    slow, fast = app.buses
    slow.line = (1200, 8, "N", 1)  # its FIFO holds an erase
    quiet = Quiet(app, (32, 45))
    for now_ms, held in ((100, False), (399, False), (400, True)):
        quiet.wants_sync = True
        assert quiet.step(now_ms) == 20
        assert (slow.is_held, fast.is_held) == (False, held)


def test_housekeeping_without_erases_that_stop_waits_for_idle_lines():
    app = App(Asker())
    bus = app.buses[0]
    quiet = Quiet(app, (0, 0))
    said = []
    app.journal.housekeep = lambda now_ms, may: said.append(may)
    quiet.step(0)
    bus.ask(bus.meters[0], 0)
    quiet.step(1)
    assert said == [True, False]


def test_below_its_supply_the_flash_is_left_alone_and_what_comes_stays_in_ram():
    class Supply:
        is_low = True

    app = App(Speaker())
    app.supply = Supply()
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    quiet.wants_save = True
    quiet.sync(0)
    assert app.journal.done == [] and not app.journal.degraded
    bus.is_held = True
    quiet._since = 0
    assert quiet.step(10) is None
    assert app.journal.degraded and app.journal.done == [] and not bus.is_held


def test_a_millisecond_is_a_pause_too():
    app = App(Asker(), Speaker())
    asking, pushing = app.buses
    quiet = Quiet(app, (32, 45))
    quiet.need_ms = lambda bus: 1 if bus is asking else 0
    asking.silent_ms = lambda now_ms: 0
    quiet.sync(10)
    quiet.step(311)
    assert asking.is_held and not pushing.is_held, "a line that needs none goes on"
    pushing.silent_ms = lambda now_ms: 0
    app.journal.done.clear()
    quiet = Quiet(app, (32, 45))
    quiet.need_ms = lambda bus: 2 if bus is pushing else 0
    pushing.rhythm.pause_ms = 1
    pushing.rhythm.is_between = True
    quiet.sync(10)
    quiet.step(11)
    assert app.journal.done == ["sync"] and quiet.forced == 1, "it never rests for long enough"


def test_where_an_erase_is_as_long_as_the_fifo_holds_nothing_is_waited_for():
    app = App(Speaker())
    bus = app.buses[0]
    for line, fifo, erase_ms, need_ms in (
        ((9600, 8, "N", 1), 32, 29, 0),
        ((9600, 8, "N", 1), 32, 30, 4 * 30 - 29 + 2),
        ((9600, 8, "E", 1), 32, 35, 4 * 35 - 32 + 2),  # a parity bit is a bit
        ((1200, 8, "N", 1), 128, 2000, 4 * 2000 - 1033 + 2),
    ):
        bus.line = line
        assert Quiet(app, (fifo, erase_ms)).need_ms(bus) == need_ms, (line, erase_ms)


def test_when_a_line_is_disturbed_to_the_millisecond():
    app = App(Speaker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    assert quiet.waited_ms == 0
    for is_between, pause_ms, late_ms, is_disturbed in (
        (True, 0, 4_999, False),  # its rhythm is not known
        (True, 0, 5_000, True),
        (True, 152, 1, True),  # no pause is ever long enough
        (True, 153, 4_999, False),
        (False, 152, 9_999, False),  # within a telegram
        (False, 152, 10_000, True),
    ):
        bus.rhythm.is_between = is_between
        bus.rhythm.pause_ms = pause_ms
        assert quiet._is_bearable(bus, 153, late_ms) == is_disturbed, (pause_ms, late_ms)


def test_after_an_erase_the_next_piece_looks_at_the_lines_anew():
    app = App(Asker())
    quiet = Quiet(app, (32, 45))
    quiet.wants_sync = quiet.wants_save = True
    assert quiet.step(0) == 20 and app.journal.done == ["sync"]
    assert quiet.step(20) is None and app.journal.done == ["sync", "save"]


def test_a_line_that_was_held_goes_on_when_the_work_went_away():
    app = App(Asker())
    bus = app.buses[0]
    quiet = Quiet(app, (32, 45))
    bus.silent_ms = lambda now_ms: 0
    quiet.wants_sync = True
    quiet.step(0)
    quiet.step(300)
    assert bus.is_held
    quiet.wants_sync = False
    quiet.step(310)
    assert not bus.is_held and quiet.waited_ms == 310


def test_what_has_to_be_purged_is_purged_when_the_flash_may_work():
    class Purge:
        def step(self, may):
            said.append(may)

    said = []
    app = App(Asker())
    app.purge = Purge()
    quiet = Quiet(app, (32, 45))
    quiet.step(0)
    app.buses[0].silent_ms = lambda now_ms: 0
    quiet.step(10)
    assert said == [True, False]
