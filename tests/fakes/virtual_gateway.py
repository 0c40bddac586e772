"""One gateway in virtual time: the real App between virtual lines and a broker in memory.

    site = Site(seed=7)
    site.run(6 * 3600_000, trouble=True)     # power cuts, outages, damaged answers, by the seed
    site.settle()
    verdict = site.judge()                   # what of the ledger is stored, declared, lost

Portable: the same seed does the same on CPython and on MicroPython. What it does not show:
sockets and UARTs (tests/emulated), torn flash operations (tests/powercut).
"""

import gc
import json

from agent.app import App
from agent.clock import Clock
from agent.codec import decode
from agent.config import validate
from agent.journal import Journal
from agent.log import Log
from agent.record import BLOCK, BOOT, LOST, TIME, check_record
from drivers.reading import GOOD
from drivers.ticks import ticks_add
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.virtual_line import CountingMeter, Line, Random, SpeakingSensor, scrambled

WALL_MS = 1790000000000
NEAR_MS = 3000
_LOST_KIND = bytes((LOST,))
TREE = {
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


class PowerCut(Exception):
    """The power went in the middle of a flash operation: nothing above may catch this."""


class CuttableGround(MemoryGround):
    """A ground that ends the power at its `cut_in`th operation to come; 0: never."""

    cut_in = 0

    def cut(self):
        """Return the ground that the next start finds."""
        other = CuttableGround(self.segment_size, self.small, self.room)
        other.files = dict(self.files)
        other.slots = dict(self.slots)
        return other

    def _operation(self):
        if self.cut_in:
            self.cut_in -= 1
            if not self.cut_in:
                raise PowerCut
        super()._operation()


class CarefulBroker(Broker):
    """Notes every record whose content changed under a number that it already had."""

    def __init__(self, gateway, journal_id):
        super().__init__(gateway, journal_id)
        self.changed = []
        self._holes = []  # (first, last) that the gateway said it no longer has
        self._through = 0

    def contiguous(self):
        """Return the highest seq up to which everything is stored or declared lost."""
        while True:
            if self._through + 1 in self.stored:
                self._through += 1
                continue
            beyond = [last for first, last in self._holes if first <= self._through + 1 <= last]
            if not beyond:
                return self._through
            self._through = beyond[0]

    def _publish(self, first, body):
        at = 2 + int.from_bytes(body[:2], "big") + 2 + 4  # the seq, if this is a record
        seq = int.from_bytes(body[at : at + 4], "big")
        before = self.stored.get(seq)
        if body[at - 3 : at - 2] == _LOST_KIND and not self.lose_acknowledged:
            _, _, _, start, end = check_record(body, at - 4, len(body))
            tree = json.loads(body[start:end])
            self._holes.append((tree["first"], tree["last"]))
        super()._publish(first, body)
        if before is not None and self.stored[seq] != before:
            if self.stored[seq][1] != LOST:
                self.changed.append(seq)
            self.stored[seq] = before  # whoever has the content keeps it


class Verdict:
    """The counts of the ledger: answered = stored + superseded + declared + len(lost)."""

    def __init__(self):
        self.answered = self.stored = self.superseded = self.declared = 0
        self.lost = []
        self.doubled = []
        self.altered = []


class Site:
    """A gateway, its lines, its broker and its bad luck, all from one seed."""

    def __init__(self, seed=1, tree=TREE):
        if hasattr(gc, "threshold"):
            gc.threshold(400_000)  # or what is kept lies scattered over the whole heap
        self.random = Random(seed)
        self.config, problems = validate(tree)
        assert problems == [], problems
        self.wall_ms = WALL_MS
        self.ledger = []
        self.meters = [CountingMeter(1), CountingMeter(2)]
        self.sensor = SpeakingSensor()
        self.lines = [
            Line(self.random, self.meters, self.ledger),
            Line(self.random, [self.sensor], self.ledger, len(self.meters)),
        ]
        self.broker = CarefulBroker(b"gw", 99)
        self.network = True
        self.timeline = []  # (wall ms, what happened)
        self.starts = 0
        self._grounds = (CuttableGround(), CuttableGround())
        self._next_trouble_ms = 0
        self._network_back_ms = None
        self._sync_at_ms = None
        self._begin("power", True)

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
        # The tick begins where the last power cut left it nowhere: anywhere, also before a wrap.
        self.now_ms = ticks_add(0, -self.random(100000))
        clock = Clock(self.starts)
        clock.tick(self.now_ms)
        if has_clock:
            clock.set_wall(self.wall_ms, self.now_ms, "board")
            self._sync_at_ms = None
        else:
            self._sync_at_ms = self.wall_ms + 5000 + self.random(300000)
        journal = Journal(self._grounds[0], lambda: 99, self.config["journal"]["size_kb"] * 1024)
        identity = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity.update({"runtime": "test", "boot": self.starts})
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
        self.app.start(self.now_ms, cause)
        for line, bus in zip(self.lines, self.app.buses):  # noqa: B905 - absent on the device
            line.connect(bus, self.now_ms)

    def note(self, what):
        """Add a line to the timeline."""
        self.timeline.append((self.wall_ms - WALL_MS, what))

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
            except PowerCut:
                self.cut(self.random(3) > 0)
                continue
            wait_ms = max(1, min(wait_ms, end_ms - self.wall_ms))
            self.wall_ms += wait_ms
            self.now_ms = ticks_add(self.now_ms, wait_ms)

    def _live(self):
        """Do what is due now; return ms until the next thing."""
        app = self.app
        if self._network_back_ms is not None and self.wall_ms >= self._network_back_ms:
            self._network_back_ms = None
            self._heal()
        if self._sync_at_ms is not None and self.wall_ms >= self._sync_at_ms:
            self._sync_at_ms = None
            self.note("clock set")
            app.set_wall(self.wall_ms, self.now_ms, "sntp")
        app.step(self.now_ms)
        wait_ms = app.schedule.wait_ms(self.now_ms, 1000)
        for line, bus in zip(self.lines, app.buses):  # noqa: B905 - absent on the device
            wait_ms = min(wait_ms, line.step(bus, self.wall_ms, self.now_ms))
        self._carry()
        return wait_ms

    def _carry(self):
        uplink = self.app.uplink
        if self.network:
            pump(uplink, self.broker, self.now_ms)
            return
        uplink.step(self.now_ms)
        if uplink.action or uplink.output():
            self.broker.disconnect()
            uplink.closed(self.now_ms, "no network")

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
        self.run(4 * 3600 * 1000)

    # --- the verdict

    def blocks(self):
        """Return the payloads of all BLOCK records, in the order of their numbers."""
        found = []
        for seq in sorted(self.broker.stored):
            record = self.broker.stored[seq]
            kind, _, _, start, end = check_record(record, 0, len(record))
            if kind == BLOCK:
                found.append(record[start:end])
        return found

    def judge(self):
        """Compare what the meters said with what the broker got; return a Verdict."""
        rows, gaps = self._read()
        verdict = Verdict()
        instants = {}
        for meter, number, at_ms in self.ledger:
            instants[meter, number] = at_ms
        seen = {}
        stored_at = {}
        for meter, at_ms, number in rows:
            if (meter, number) in seen:
                verdict.doubled.append((meter, number, at_ms - WALL_MS))
            elif abs(instants.get((meter, number), 0) - at_ms) > NEAR_MS:
                verdict.altered.append((meter, number, at_ms - WALL_MS))
            seen[meter, number] = True
            stored_at.setdefault(meter, []).append(at_ms)
        for meter, number, at_ms in self.ledger:
            if meter >= len(self.meters):
                continue
            verdict.answered += 1
            if (meter, number) in seen:
                verdict.stored += 1
            elif any(abs(other - at_ms) <= NEAR_MS for other in stored_at.get(meter, ())):
                verdict.superseded += 1
            elif any(a - NEAR_MS <= at_ms <= b + NEAR_MS for m, a, b in gaps if m in (-1, meter)):
                verdict.declared += 1
            else:
                verdict.lost.append((meter, number, at_ms - WALL_MS))
        self._judge_pushed(len(self.meters), stored_at, gaps, verdict)
        return verdict

    def _judge_pushed(self, meter, stored_at, gaps, verdict):
        """A meter that pushes owes a reading per period: no rows are further apart than 1.5."""
        every_ms = self.config["meters"][meter]["interval_s"] * 1000
        heard = [at_ms for m, _, at_ms in self.ledger if m == meter]
        rows = sorted(stored_at.get(meter, ()))
        verdict.answered += len(rows)
        verdict.stored += len(rows)
        for from_ms, to_ms in zip([heard[0]] + rows, rows + [heard[-1]]):  # noqa: B905, RUF005 - as above
            if to_ms - from_ms <= every_ms * 3 // 2:
                continue
            verdict.answered += 1
            if any(a <= to_ms and from_ms <= b for m, a, b in gaps if m in (-1, meter)):
                verdict.declared += 1
            elif any(from_ms <= at_ms <= to_ms for at_ms in self._aligned):
                verdict.superseded += 1  # its period was cut when the clock was set
            else:
                verdict.lost.append((meter, to_ms - from_ms, from_ms - WALL_MS))

    def _read(self):
        """Return rows (meter, wall ms, number) and gaps (meter or -1, from ms, to ms)."""
        self._aligned = []  # when a clock was set, and with it the periods
        starts = {}
        boots = []
        blocks = []
        holes = []  # how many blocks came before each LOST record
        gaps = []
        for seq in sorted(self.broker.stored):
            record = self.broker.stored[seq]
            kind, _, _, start, end = check_record(record, 0, len(record))
            if kind == BLOCK:
                blocks.append(decode(record[start:end]))
                continue
            tree = json.loads(record[start:end])
            if kind == TIME:
                self._aligned.append(tree["wall_ms"])
                starts.setdefault(tree["boot"], tree["wall_ms"] - tree["uptime_ms"])
            elif kind == BOOT:
                boots.append(tree)
            elif kind == LOST:
                holes.append(len(blocks))
        before_ms = WALL_MS
        for tree in boots:
            began_ms = tree["to_ms"] or starts.get(tree["boot"], before_ms)
            gaps.append((-1, tree["from_ms"] or before_ms, began_ms))
            before_ms = began_ms
        rows = []
        for block in blocks:
            base_ms = 0 if block.clock else starts.get(block.boot)
            for at_ms, values, quality in block.rows:
                if base_ms is None:
                    continue  # never dated: counts as missing
                if values[0] is None:
                    gaps.append((block.meter, base_ms + at_ms - 30000, base_ms + at_ms))
                    continue
                self._take(rows, block.meter, base_ms + at_ms, values, quality)
        for at in holes:
            self._add_hole(gaps, blocks, at, starts)
        return rows, gaps

    def _add_hole(self, gaps, blocks, at, starts):
        """A LOST record declares, for each meter, what lies between its blocks on both sides."""
        for meter in range(len(self.meters) + 1):
            before = [b for b in blocks[:at] if b.meter == meter]
            after = [b for b in blocks[at:] if b.meter == meter]
            from_ms, to_ms = WALL_MS, self.wall_ms
            if before:
                from_ms = _instant(before[-1], -1, starts)
            if after:
                to_ms = _instant(after[0], 0, starts)
            gaps.append((meter, from_ms, to_ms))

    def _take(self, rows, meter, at_ms, values, quality):
        if meter >= len(self.meters):  # the sensor's distance is not unique: nearest in time
            near = [n for m, n, t in self.ledger if m == meter and abs(t - at_ms) <= NEAR_MS]
            fits = [n for n in near if 300 + n % 4000 == values[0]]
            rows.append((meter, at_ms, fits[0] if fits else -1))
            return
        whole = values[1] == scrambled(values[0]) and bytes(quality) == bytes((GOOD, GOOD))
        rows.append((meter, at_ms, values[0] if whole else -1))


def _instant(block, row, starts):
    return block.rows[row][0] + (0 if block.clock else starts.get(block.boot, 0))
