"""A gateway that is unwell, through the real App and the real loop in virtual time.

What the parts decide is in unit/test_watch.py, unit/test_health.py and unit/test_last_words.py;
here it is seen that the mildest cure is done first, that the next one follows when it does not
help, that it is said upstream, and that the last words outlive the reset.
"""

# A gateway and what the test keeps of it:
# heap: 2m

import json
import sys

from agent.app import App
from agent.clock import Clock
from agent.config import validate
from agent.journal import Journal
from agent.last_words import LastWords
from agent.log import Log
from agent.record import EVENT, check_record
from firmware.hal import UP
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.virtual_meters import CountingMeter
from tests.skips import skip

WALL_MS = 1790000000000
TREE = {
    "gateway": "gw",
    "board": "host",
    "ports": [{"name": "rs485", "uart": "uart1"}],
    "meters": [
        {
            "name": "pump",
            "port": "rs485",
            "protocol": "modbus",
            "map": "s0_counter4",
            "points": ["pulses_1", "pulses_2"],
            "interval_s": 10,
            "options": {"unit": 1},
        }
    ],
    # Nobody listens there: each attempt is refused at once.
    "uplink": {"host": "127.0.0.1", "port": 1},
}


def _two_ports():
    tree = dict(TREE, ports=TREE["ports"] + [{"name": "other", "uart": "uart2"}])
    tree["meters"] = TREE["meters"] + [dict(TREE["meters"][0], name="tank", port="other")]
    return tree


class Reset(SystemExit):
    """The board starts again: nothing in the loop may stop it."""


class Wire:
    """A UART with one meter behind it. ill: "hangs" for ever, "raises" at each look, or ""."""

    def __init__(self, meter, ill):
        self._meter = meter
        self._ill = ill
        self._answer = b""

    def configure(self, line):
        """Take the line as it is."""

    def write(self, data, count):
        self._answer = self._meter.answer(bytes(data[:count]))

    def sending(self):
        return 1 << 38 if self._ill == "hangs" else 0  # us: three days

    def readinto(self, buffer):
        if self._ill == "raises":
            raise ValueError("what nobody thought of")
        count = len(self._answer)
        buffer[:count] = self._answer
        self._answer = b""
        return count


class Gateway:
    """The App, its loop and a board; ills befall the first port, one each time it is opened."""

    root = runtime = id = ""
    interfaces = ("ethernet",)
    cause = "power"
    state = UP  # of the interface, which it is too

    def __init__(self, ills=(), dead_h=0, ground=None, tree=None):
        from tests.fakes.virtual_loop import VirtualLoop

        self._clock = VirtualLoop()
        self.ticks_ms = self._clock.ticks_ms
        self.ticks_us = self._clock.ticks_us
        self._begun_ms = self._clock.ms
        self._ills = list(ills)
        self._meter = CountingMeter(1)
        self.opened = self.fed = self.started = 0
        self._lives = False
        config, problems = validate(tree or TREE)
        assert problems == []
        config["uplink"]["dead_h"] = dead_h  # hours; a part of one here
        self.ground = ground or MemoryGround()
        clock = Clock(1)
        now_ms = self.ticks_ms()
        clock.tick(now_ms)
        clock.set_wall(WALL_MS, now_ms, "test")
        identity = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity.update({"runtime": "test", "boot": 1})
        self.log = Log()
        self.journal = Journal(MemoryGround(), lambda: 9, 65536)
        self.app = App(
            config, self.journal, clock, identity, self.random, self.log, self.heap, self.ground
        )
        self.app.start(now_ms, self.cause)
        words = LastWords(self.log, self.ground)
        words.tell(self.app.note_event)
        self.app.words = words

    # --- what the loop wants of a board

    def random(self, n):
        return n // 3

    def heap(self):
        return 1, 1

    def open_uart(self, name):
        if name != "uart1":
            return Wire(CountingMeter(1), "")
        self.opened += 1
        return Wire(self._meter, self._ills.pop(0) if self._ills else "")

    def open_interface(self, name):
        return self

    def start(self):
        self.started += 1

    def stop(self):
        """The interface is off."""

    def signal(self):
        """A wire has none."""

    def start_watchdog(self, ms):
        return self._feed

    def _feed(self):
        self.fed += 1

    def reset(self):
        raise Reset(0)

    # --- what the test wants

    @property
    def seconds(self):
        """How long it has lived."""
        return (self._clock.ms - self._begun_ms) // 1000

    def live(self, until, most_s):
        """Run the loop, or go on, until that is true ("done") or the board is reset ("")."""
        import asyncio

        from firmware import loop

        loop._PACE_MS["uart"] = 100  # this wire has a buffer without end

        def look():
            if until():
                raise SystemExit("done")
            assert self.seconds < most_s, self.log.lines()

        self._clock.look = look
        try:
            if self._lives:
                asyncio.get_event_loop().run_forever()
            self._lives = True
            loop.run(self.app, self)
        except Reset:
            return ""
        except SystemExit as end:
            return end.args[0]

    def events(self):
        """Return (what, why) of each event in the journal."""
        self.journal.sync()
        found = []
        out = bytearray(4016)
        seq, length = self.journal.read_from(1, out)
        while length:
            kind, _, _, start, end = check_record(out, 0, length)
            if kind == EVENT:
                tree = json.loads(out[start:end])
                found.append((tree["what"], tree["why"]))
            seq, length = self.journal.read_from(seq + 1, out)
        return found


def _needs_the_loop():
    if sys.implementation.name != "micropython":
        skip("the loop is MicroPython's asyncio")


def test_a_port_that_hangs_is_started_anew_and_reads_on():
    _needs_the_loop()
    gateway = Gateway(["hangs"])
    assert gateway.live(lambda: gateway.app.meters[0].answers > 3, 300) == "done"
    assert gateway.opened == 2 and 60 <= gateway.seconds < 120
    assert [line for line in gateway.log.lines() if "rs485 stands still: started anew" in line]
    cures = _cures(gateway)
    assert cures == ["task: rs485 stands still"] and gateway.app.health.counts["task"] == 1
    assert gateway.fed > 100


def _cures(gateway):
    return [why for what, why in gateway.events() if what == "cure"]


def test_a_port_that_hangs_again_and_again_rests_longer_and_longer_while_the_others_go_on():
    _needs_the_loop()
    gateway = Gateway(["hangs"] * 4, tree=_two_ports())
    hung, well = gateway.app.meters
    assert gateway.live(lambda: gateway.opened == 3, 600) == "done"
    assert 255 <= gateway.seconds < 270  # it hangs twice for a minute, then rests for two
    assert gateway.live(lambda: gateway.app.health.resting, 600) == "done"
    assert json.loads(gateway.app.state(gateway.ticks_ms()))["resting"] == ["rs485"]
    assert gateway.live(lambda: hung.answers > 3, 8000) == "done"
    assert _cures(gateway) == ["task: rs485 stands still"] + [
        "port: rs485 stands still, it rests for %d s" % s for s in (120, 240, 480)
    ]
    # Four times it hung for a minute; the meter, which does not answer, is asked less often too.
    assert 4 * 60 + 120 + 240 + 480 <= gateway.seconds < 4 * 360 + 840
    assert well.answers > 100 and well.no_reply == 0
    assert gateway.fed > 2000 and gateway.app.health.counts == {
        "task": 1, "port": 3, "uplink": 0, "interface": 0, "board": 0
    }  # fmt: skip
    assert gateway.app.health.resting == []


def test_a_port_whose_task_fails_again_and_again_rests_and_no_board_is_restarted():
    _needs_the_loop()
    gateway = Gateway(["raises"] * 10, tree=_two_ports())
    assert gateway.live(lambda: gateway.app.meters[0].answers > 3, 9000) == "done"
    assert _cures(gateway) == [
        "port: rs485 ValueError: what nobody thought of, it rests for %d s" % s for s in (120, 240)
    ]
    assert gateway.app.health.counts["board"] == 0 and gateway.app.health.counts["task"] == 10
    assert gateway.app.meters[1].answers > 30


def test_an_app_that_hangs_is_started_anew_then_the_watchdog_bites_and_the_next_life_says_why():
    _needs_the_loop()
    gateway = Gateway()
    assert gateway.live(lambda: gateway.app.meters[0].answers, 60) == "done"
    gateway.app.step = lambda now_ms: 100000  # it turns and gets nowhere
    assert gateway.live(lambda: gateway.seconds > 140, 300) == "done"
    fed = gateway.fed
    assert gateway.live(lambda: gateway.seconds > 200, 300) == "done"
    assert 200 < fed == gateway.fed
    told = dict(Gateway(ground=gateway.ground).events())
    assert "a part stands still: the watchdog will bite" in told["last_words"]
    assert "last_words" not in dict(Gateway(ground=gateway.ground).events())  # once


def _ill(error):
    def step(now_ms):
        raise error

    return step


def test_a_storm_of_errors_ends_with_the_board_and_a_passing_one_with_the_task():
    _needs_the_loop()
    gateway = Gateway(["raises"] * 4)
    assert gateway.live(lambda: gateway.app.meters[0].answers > 3, 300) == "done"
    assert gateway.app.health.counts["task"] == 4 and gateway.app.health.counts["board"] == 0
    gateway.app.step = _ill(ValueError("what nobody thought of"))
    assert gateway.live(lambda: False, gateway.seconds + 120) == ""
    assert gateway.app.health.counts["task"] >= 14
    assert _cures(gateway) == ["board: 10 tasks failed within 600 s"]
    told = dict(Gateway(ground=gateway.ground).events())
    assert "app: ValueError: what nobody thought of" in told["last_words"]
    assert told["last_words"].split("\n")[-1] == "restart"


def test_an_app_without_memory_costs_the_uplink_then_the_board_long_before_the_watchdog():
    _needs_the_loop()
    gateway = Gateway()
    assert gateway.live(lambda: gateway.app.meters[0].answers, 60) == "done"
    begun = gateway.seconds
    gateway.app.step = _ill(MemoryError())
    # The App's own task can restart nothing: the loop does.
    assert gateway.live(lambda: False, 120) == ""
    assert gateway.seconds - begun < 30
    cures = _cures(gateway)
    assert cures[0] == "uplink: a task found no memory" and len(cures) == 2
    assert cures[1].startswith("board: a task found no memory 1")
    assert "restart" in dict(Gateway(ground=gateway.ground).events())["last_words"]

    gateway = Gateway()
    assert gateway.live(lambda: gateway.app.meters[0].answers, 60) == "done"
    usual = gateway.app.step
    gateway.app.step = _ill(MemoryError())
    assert gateway.live(lambda: gateway.app.health.counts["uplink"], 60) == "done"
    gateway.app.step = usual  # giving up the uplink has helped
    assert gateway.live(lambda: gateway.seconds > 1200, 1300) == "done"
    assert gateway.app.health.counts["board"] == 0


def test_a_loop_without_memory_goes_on():
    _needs_the_loop()
    gateway = Gateway()
    assert gateway.live(lambda: gateway.app.meters[0].answers, 60) == "done"
    usual = gateway.app.words.step
    gateway.app.words.step = _ill(MemoryError())
    assert gateway.live(lambda: gateway.app.health.counts["uplink"], 60) == "done"
    gateway.app.words.step = usual
    answers = gateway.app.meters[0].answers
    assert gateway.live(lambda: gateway.app.meters[0].answers > answers + 3, 120) == "done"


def test_a_heap_in_pieces_costs_the_uplink_first_and_then_the_board():
    _needs_the_loop()
    from firmware import loop

    usual = loop._ROOM_BYTES
    gateway = Gateway()
    loop._ROOM_BYTES = 1 << 28  # more than there is: as if a leak had eaten the rest
    try:
        assert gateway.live(lambda: False, 1500) == ""
    finally:
        loop._ROOM_BYTES = usual
    cures = _cures(gateway)
    assert cures == ["uplink: the heap is in pieces", "board: the heap is in pieces"]
    assert 1200 <= gateway.seconds < 1300


def test_a_dead_uplink_costs_the_interface_first_and_then_the_board():
    _needs_the_loop()
    gateway = Gateway(dead_h=0.2)
    assert gateway.live(lambda: gateway.started > 1, 1000) == "done"
    assert 360 <= gateway.seconds < 400
    assert gateway.live(lambda: False, 1000) == ""
    assert 720 <= gateway.seconds < 800
    cures = [why.split(":")[0] for what, why in gateway.events() if what == "cure"]
    assert cures == ["interface", "board"]
    assert gateway.app.meters[0].answers > 60  # the meters were read all the while
