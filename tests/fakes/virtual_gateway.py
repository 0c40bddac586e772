"""One gateway in virtual time: the real App between virtual lines and a broker in memory.

    site = Site(seed=7)
    site.run(6 * 3600_000, trouble=True)     # power cuts, outages, damaged answers, by the seed
    site.settle()
    verdict = site.judge()                   # what of the ledger is stored, declared, lost

Portable: the same seed does the same on CPython and on MicroPython. What it does not show:
sockets and UARTs (tests/emulated), torn flash operations (tests/powercut).
"""

import gc
from errno import EIO

from agent.app import App
from agent.clock import Clock
from agent.config import validate
from agent.journal import Journal
from agent.log import Log
from agent.record import BLOCK, check_record
from drivers.ticks import ticks_add
from tests.fakes.broker import pump
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.virtual_collector import CarefulBroker
from tests.fakes.virtual_line import Line
from tests.fakes.virtual_meters import CountingMeter, Random, SpeakingSensor
from tests.fakes.virtual_verdict import Read, judge

WALL_MS = 1790000000000
_WATCHED_MS = 20_000  # the uplink looks so often after an answer that it is owed
TREE: dict = {
    "gateway": "gw",
    "board": "host",
    "ports": [{"name": "rs485", "uart": "uart1"}, {"name": "glass", "uart": "uart2"}],
    "meters": [
        {
            "name": "pump",
            "port": "rs485",
            "protocol": "modbus",
            "map": "s0_counter4",
            "points": ["pulses_1", "pulses_2"],
            "interval_s": 10,
            "options": {"unit": 1},
        },
        {
            "name": "boiler",
            "port": "rs485",
            "protocol": "modbus",
            "map": "s0_counter4",
            "points": ["pulses_1", "pulses_2"],
            "interval_s": 30,
            "options": {"unit": 2},
        },
        {
            "name": "container",
            "port": "glass",
            "protocol": "level",
            "map": "a02yyuw",
            "points": ["distance"],
            "interval_s": 60,
        },
    ],
    "block": {"flush_s": 120, "size": 512},
    "journal": {"size_kb": 64, "max_loss_s": 30},
}


class PowerCut(BaseException):
    """The power went in the middle of a flash operation: nothing above may catch this."""


class CuttableGround(MemoryGround):
    """A ground that ends the power at its `cut_in`th operation to come; 0: never.

    worn  one write in so many fails, for good; 0: none. is_dead: everything fails
    """

    cut_in = 0
    worn = 0
    is_dead = False

    def cut(self):
        """Return the ground that the next start finds."""
        other = CuttableGround(self.segment_size, self.small, self.room)
        other.files = dict(self.files)
        other.slots = dict(self.slots)
        other.worn = self.worn
        other.is_dead = self.is_dead
        other.writes = self.writes
        return other

    def _give(self, data, out):
        if self.is_dead:
            raise OSError(EIO, "EIO")
        return super()._give(data, out)

    def _operation(self):
        if self.cut_in:
            self.cut_in -= 1
            if not self.cut_in:
                raise PowerCut
        super()._operation()
        if self.is_dead or (self.worn and self.writes % self.worn == 0):
            raise OSError(EIO, "EIO")


class Site:
    """A gateway, its lines, its broker and its bad luck, all from one seed."""

    step_ms = 1000  # the App and the uplink are stepped at least so often
    drift_ppm = 40
    longest_ms = 432000000  # of one sleep
    boot_ms = 0  # what a start takes after a sleep
    version = "1"

    def __init__(self, seed=1, tree=TREE, begun_ms=WALL_MS):
        if hasattr(gc, "threshold"):
            gc.threshold(400_000)  # or what is kept lies scattered over the whole heap
        self.random = Random(seed)
        self.configure(tree)
        self.begun_ms = self.wall_ms = begun_ms
        self.off_ms = 0  # what the gateway's clock is wrong by, once it was set
        self.eras = [(begun_ms, 0)]  # since when it was wrong by how much
        self.lives = {}  # boot: wall ms of its start
        self.ledger: list = []
        self.meters = self._make_meters()
        self.sensor = SpeakingSensor()
        self.lines = [
            Line(self.random, self.meters, self.ledger),
            Line(self.random, [self.sensor], self.ledger, len(self.meters)),
        ]
        self.broker = self._make_broker()
        self.network = True
        self.timeline = []  # (wall ms, what happened)
        self.starts = 0
        self.set_ms: list = []  # when the clock was set, in true time
        self.slept: list = []  # (wall ms, for how long, whether that life sent)
        self.has_clock = True
        self._grounds = (CuttableGround(), CuttableGround())
        self._next_trouble_ms = 0
        self._network_back_ms = None
        self._sync_at_ms = None
        self._app_due_ms = self._uplink_due_ms = 0
        self._begin("power", True)

    def _make_meters(self):
        return [CountingMeter(1), CountingMeter(2)]

    def _make_broker(self):
        return CarefulBroker(b"gw", 99)

    def configure(self, tree):
        """Give the next life this configuration."""
        self.config, problems = validate(tree)
        assert problems == [], problems

    # --- lives

    def cut(self, has_clock=True):
        """Take the power away now; the next life begins at once."""
        self._grounds = tuple([ground.cut() for ground in self._grounds])
        self.note("power cut" if has_clock else "power cut, clock unset")
        self.broker.disconnect()
        self._begin("power", has_clock)

    def _begin(self, cause, has_clock):
        while True:
            try:
                self._start(cause, has_clock)
                return
            except PowerCut:
                self._grounds = tuple([ground.cut() for ground in self._grounds])

    def _start(self, cause, has_clock):
        self.starts += 1
        self.has_clock = has_clock
        # The tick begins where the last power cut left it nowhere: anywhere, also before a wrap.
        self.now_ms = ticks_add(0, -self.random(100000))
        clock = Clock(self.starts)
        self.lives[self.starts] = self.wall_ms
        clock.tick(self.now_ms)
        sleep = None
        if self.config["power"]["sleep"]:
            from agent.sleep import Sleep

            ground = self._grounds[1]
            sleep = Sleep(self.config["power"], ground, cause, self.drift_ppm, self.longest_ms)
            sleep.wake(clock, self.boot_ms)
        if has_clock:
            clock.set_wall(self.wall_ms + self.off_ms, self.now_ms, "board")
            self._sync_at_ms = None
        elif cause != "sleep":
            self._sync_at_ms = self.wall_ms + 5000 + self.random(300000)
            self.set_off(0)
        # One that finds its flash unreadable draws anew, as any other number.
        name = 1000 + self.starts if self.broker.stored else 99
        journal = Journal(self._grounds[0], lambda: name, self.config["journal"]["size_kb"] * 1024)
        identity: dict = {"gateway": "gw", "site": "", "board": "host"}
        identity["version"] = self.version
        identity.update({"runtime": "test", "boot": clock.boot})
        self.app = App(
            self.config,
            journal,
            clock,
            identity,
            self.random,
            Log(),
            lambda: (1, 1),
            self._grounds[1],
        )
        self.app.sleep = sleep  # type: ignore[assignment]
        self._equip(self.app)
        self.app.start(self.now_ms, cause)
        for line, bus in zip(self.lines, self.app.buses):  # noqa: B905 - absent on the device
            line.connect(bus, self.wall_ms, self.now_ms)
        self._app_due_ms = self._uplink_due_ms = self.wall_ms

    def _equip(self, app):
        """Give a new App what only some gateways have."""

    def set_off(self, off_ms):
        """What tells the time is wrong by so much from now on; the ledger has the gateway's."""
        if off_ms != self.off_ms:
            self.eras.append((self.wall_ms, off_ms))
        self.off_ms = off_ms
        for line in self.lines:
            line.off_ms = off_ms

    def set_clock(self):
        """Let a server tell the time, as it knows it."""
        self.set_ms.append(self.wall_ms)
        self.app.set_wall(self.wall_ms + self.off_ms, self.now_ms, "sntp")
        self._app_due_ms = self.wall_ms

    def note(self, what):
        """Add a line to the timeline."""
        self.timeline.append((self.wall_ms - self.begun_ms, what))

    # --- time

    def run(self, ms, trouble=False):
        """Live for ms; with trouble, a fault of the seed's choice about every four minutes."""
        end_ms = self.wall_ms + ms
        for line in self.lines:
            line.faults = 60 if trouble else 0
        while self.wall_ms < end_ms:
            if trouble and self.wall_ms >= self._next_trouble_ms:
                self._make_trouble()
            try:
                wait_ms = self._live()
                if self.app.sleep and self.app.now_ms == self.now_ms:  # it was stepped
                    sleep_ms = self.app.sleep.step(self.app, self.now_ms)
                    if sleep_ms:
                        self._sleep(sleep_ms, trouble)
                        continue
            except PowerCut:
                self.cut(self.random(3) > 0)
                continue
            if trouble:
                wait_ms = min(wait_ms, self._next_trouble_ms - self.wall_ms)
            wait_ms = max(1, min(wait_ms, end_ms - self.wall_ms))
            self.wall_ms += wait_ms
            self.now_ms = ticks_add(self.now_ms, wait_ms)

    def _sleep(self, ms, trouble):
        """Let the gateway sleep; with trouble the power may go meanwhile."""
        self.slept.append((self.wall_ms, ms, self.app.sleep.uplinks))  # type: ignore[attr-defined]
        self.broker.disconnect()
        for line in self.lines:
            line.disconnect()
        cut_ms = self.random(16 * ms) if trouble else ms
        if cut_ms < ms:
            self.wall_ms += cut_ms
            self.cut(self.random(3) > 0)
            return
        self.wall_ms += ms + self.boot_ms
        self._grounds = tuple([ground.cut() for ground in self._grounds])
        self._begin("sleep", self.has_clock)

    def _live(self):
        """Do what is due now; return ms until the next thing."""
        app = self.app
        if self._network_back_ms is not None and self.wall_ms >= self._network_back_ms:
            self._network_back_ms = None
            self._heal()
        is_dark = app.sleep and not app.sleep.uplinks  # the radio is off
        if self._sync_at_ms is not None and self.wall_ms >= self._sync_at_ms and not is_dark:
            self._sync_at_ms = None
            self.has_clock = True
            self.note("clock set")
            self.set_clock()
        if self._step_lines(False) or self.wall_ms >= self._app_due_ms:
            is_busy = app.step(self.now_ms) == 0
            wait_ms = app.schedule.wait_ms(self.now_ms, self.step_ms)
            self._app_due_ms = self.wall_ms + (1 if is_busy else wait_ms)
            self._uplink_due_ms = self.wall_ms
            self._step_lines(True)
        if self.wall_ms >= self._uplink_due_ms:
            self._uplink_due_ms = self.wall_ms + self._carry()
        due_ms = min(self._app_due_ms, self._uplink_due_ms)
        for line in self.lines:
            due_ms = min(due_ms, line.due_ms)
        return due_ms - self.wall_ms

    def _step_lines(self, was_asked):
        """Step the lines that are due, or may have been asked; return whether a turn ended."""
        has_ended = False
        for line, bus in zip(self.lines, self.app.buses):  # noqa: B905 - absent on the device
            if self.wall_ms >= line.due_ms or (was_asked and not bus.is_quiet()):
                has_ended = line.step(bus, self.wall_ms, self.now_ms) or has_ended
        return has_ended

    def _carry(self):
        """Let the uplink talk; return ms until it is to be stepped again."""
        uplink = self.app.uplink
        if self.app.sleep and not self.app.sleep.uplinks:
            return self.step_ms  # the radio is off
        if self._is_reachable():
            pump(uplink, self.broker, self.now_ms)
        else:
            uplink.step(self.now_ms)
            if uplink.action or uplink.output():
                self.broker.disconnect()
                uplink.closed(self.now_ms, "no network")
        if uplink.state == "online":
            return min(self.step_ms, _WATCHED_MS if uplink.in_flight else self.step_ms)
        wait_ms = uplink.step(self.now_ms)
        return 1 if uplink.action else max(1, min(wait_ms, self.step_ms))

    def _is_reachable(self):
        return self.network

    def _heal(self):
        self.note("network back")
        self.network = True
        self.broker.mute = self.broker.lose_acknowledged = False
        self.broker.acks = True

    def _make_trouble(self):
        random = self.random
        self._next_trouble_ms = self.wall_ms + random(480000)
        kind = random(6)
        if kind == 0:
            self.cut(random(3) > 0)
        elif kind == 1:
            self._grounds[0].cut_in = 1 + random(12)
        else:
            self._network_back_ms = self.wall_ms + 1000 + random(900000)
            what = ("no network", "mute", "acks withheld", "acknowledged and lost")[kind - 2]
            self.note(what)
            self.network = kind != 2
            self.broker.mute = kind == 3
            self.broker.acks = kind != 4
            self.broker.lose_acknowledged = kind == 5

    def settle(self):
        """End all trouble, stop the meters, let everything reach the broker."""
        self._network_back_ms = None
        self._heal()
        for meter in self.meters + [self.sensor]:  # noqa: RUF005 - absent on the device
            meter.dead = True
        self.run(self.settle_ms)

    @property
    def settle_ms(self):
        """What the last reading takes to the broker, at most."""
        if self.config["power"]["sleep"]:
            every_s = self.config["power"]["uplink_every"] * self.config["meters"][0]["interval_s"]
            return 2500 * every_s
        return 4 * 3600 * 1000 + self.config["block"]["flush_s"] * 1000

    # --- the verdict

    def blocks(self):
        """Return the payloads of all BLOCK records, in the order of their numbers."""
        return self.payloads(BLOCK)

    def payloads(self, wanted):
        """Return the payloads of all records of a kind that arrived, in that order."""
        found = []
        for seq in sorted(self.broker.stored):
            record = self.broker.stored[seq]
            kind, _, _, start, end = check_record(record, 0, len(record))
            if kind == wanted:
                found.append(record[start:end])
        return found

    def judge(self):
        """Compare what the meters said with what the broker got; return a Verdict."""
        records = self.broker.records()
        config = self.config
        every_ms = config["meters"][len(self.meters)]["interval_s"] * 1000
        span = (self.begun_ms, self.wall_ms)
        offs: dict = {}
        for line in self.lines:
            offs.update(line.offs)
        told = (offs, self.lives, self.eras)
        read = Read(records, self.ledger, self.meters, *span, *told)
        return judge(read, self.ledger, self.meters, self.sensor, every_ms, self.set_ms)
