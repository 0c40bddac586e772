"""No byte is lost to flash work: the whole App on a chip whose erases stop every interrupt.

A Linky in the mode standard, which pauses for 17 to 33 ms between telegrams of a second, and a
Modbus unit, both at 9600 baud; 32 bytes of FIFO, erases of 45 ms, a journal that turns over.
"""

# A flash, a whole gateway, a telegram each second:
# heap: 4m

from agent.app import App
from agent.clock import Clock
from agent.codec import decode
from agent.config import validate
from agent.journal import Journal
from agent.log import ERROR, Log
from agent.record import BLOCK, EVENT, check_record
from drivers.reading import GOOD
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.stalling_chip import Chip, Linky, Unit
from tests.fakes.virtual_meters import Random
from tests.system.journal_worlds import WORLDS

RP2 = (32, 45)
_WORK = bytes(600)
_TREE: dict = {
    "gateway": "gw",
    "board": "host",
    "ports": [
        {"name": "tic", "uart": "uart1", "bits": 7, "parity": "E"},
        {"name": "rs485", "uart": "uart2"},
    ],
    "meters": [
        {
            "name": "linky",
            "port": "tic",
            "protocol": "tic",
            "map": "linky_standard",
            "points": ["energy_import", "power_apparent"],
            "interval_s": 10,
        },
        {
            "name": "pump",
            "port": "rs485",
            "protocol": "modbus",
            "map": "s0_counter4",
            "points": ["pulses_1", "pulses_2"],
            "interval_s": 1,
            "options": {"unit": 1},
        },
    ],
    "block": {"flush_s": 5, "size": 512},
    "journal": {"size_kb": 32, "max_loss_s": 5},
}


class _World:
    """The App as firmware/loop.py drives it: ports each 2 ms, the house each 20."""

    def __init__(self, name, stall, pauses_ms=(20, 33), tree=None):
        random = Random(5)
        config, problems = validate(tree or _TREE)
        assert problems == [], problems
        self.chip = Chip()
        self._place = WORLDS[name](blocks=40, segments=0)
        self.flash = self._place.fresh()
        journal = Journal(self._place.mount(self.flash), lambda: 7, 32768)
        clock = Clock(1)
        clock.set_wall(1_790_000_000_000, 0, "board")
        identity: dict = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity.update({"runtime": "test", "boot": 1})
        self.app = App(
            config,
            journal,
            clock,
            identity,
            random,
            Log(level=ERROR),
            lambda: (1, 1),
            MemoryGround(),
            stall,
        )
        self.linky = Linky(random, pauses_ms)
        self.unit = Unit(random, 1)
        self.uarts = [self.chip.uart(9600, self.linky), self.chip.uart(9600, self.unit)]
        self.app.start(0, "power")
        self.broker = Broker(b"gw", journal.journal_id)
        for bus in self.app.buses:
            bus.opened(0)
        self.flash.busy = self.chip.busy
        self._sent_us = None
        self._house_us = self._work_us = 0
        self.longest_us = 0  # the chip away from its ports

    def run(self, seconds):
        chip = self.chip
        end_us = chip.now_us + seconds * 1_000_000
        while chip.now_us < end_us:
            chip.run_to(chip.now_us + 2000 - chip.now_us % 2000)
            before_us = chip.now_us
            for i, bus in enumerate(self.app.buses):
                self._port(bus, self.uarts[i])
            if chip.now_us >= self._house_us:
                if chip.now_us >= self._work_us:
                    self._work_us += 1_000_000
                    self.app.journal.append(EVENT, _WORK, 0, 600)  # segments turn over
                self.app.step(chip.now_us // 1000)
                self._house_us = chip.now_us + 20_000
                pump(self.app.uplink, self.broker, chip.now_us // 1000)
            self.longest_us = max(self.longest_us, chip.now_us - before_us)

    def _port(self, bus, uart):
        while True:
            now_us = self.chip.now_us
            if self._sent_us is not None and bus.send_count:
                if now_us >= self._sent_us:
                    request = bytes(bus.tx[: bus.send_count])
                    self.unit.asked(request, self._sent_us)
                    self._sent_us = None
                    bus.sent(now_us // 1000, now_us)
                return
            count = uart.readinto(bus.rx)
            if count:
                bus.received(count, now_us // 1000, now_us)
                continue
            bus.step(now_us // 1000, now_us)
            if bus.send_count:
                self._sent_us = now_us + bus.send_count * 10_000_000 // 9600
            return

    def lost(self):
        return [uart.lost for uart in self.uarts]

    def rows(self, meter):
        """Return the rows of a meter that the broker has, and whether each is whole."""
        found = []
        for seq in sorted(self.broker.stored):
            record = self.broker.stored[seq]
            kind, _, _, start, end = check_record(record, 0, len(record))
            if kind == BLOCK and record[start + 5] == meter:
                found += [(v, q) for _, v, q in decode(record[start:end]).rows]
        return found

    def check_readings(self, seconds):
        """All readings that were due came, whole; those of the Linky of a single telegram."""
        app = self.app
        for bus in app.buses:
            bus.is_held = False
        app.seal_all()
        app.journal.sync()
        for _ in range(40):
            pump(app.uplink, self.broker, self.chip.now_us // 1000)
        assert not app.journal.errors and not app.journal.degraded
        ours = self.rows(0)
        assert len(ours) >= seconds // 10 - 2, len(ours)
        for values, quality in ours:
            assert bytes(quality) == bytes((GOOD, GOOD)), (values, quality)
            assert (values[0] - Linky.base) % 1000 == values[1], values
        assert len(self.rows(1)) >= seconds * 0.95
        assert app.meters[1].bad_frames == app.meters[1].no_reply == 0
        self._place.unmount(app.journal.ground)


def test_the_ring_erases_in_the_pauses_of_a_linky_and_no_byte_is_lost():
    world = _World("ring-rp2", RP2)
    world.run(90)
    assert world.lost() == [0, 0]
    assert sum(world.flash.wear) > 20 and world.chip.longest_us >= 45_000
    assert world.app.quiet.forced == 0 and world.app.meters[0].bad_frames == 0
    world.check_readings(90)


def test_without_the_schedule_bytes_are_lost():
    world = _World("ring-rp2", (0, 0))
    world.run(90)
    assert world.lost()[0] > 20


def test_files_disturb_telegrams_that_nobody_wants_and_say_so():
    world = _World("files-rp2", RP2)
    world.run(90)
    quiet = world.app.quiet
    assert world.lost()[1] == 0 and 0 < world.lost()[0] <= 11 * quiet.forced
    assert quiet.waited_ms < 2_500 and world.longest_us < 200_000
    world.check_readings(90)


def test_files_find_the_pauses_of_a_meter_that_rests():
    world = _World("files-rp2", RP2, (700, 900))
    world.run(90)
    assert world.lost() == [0, 0] and world.app.quiet.forced == 0
    assert sum(world.flash.wear) > 20 and world.app.quiet.waited_ms < 2_500
    world.check_readings(90)
