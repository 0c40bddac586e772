"""What a flash does to those who trust it, to a whole gateway, on both grounds and both sizes.

Each form of tests/fakes/nor_flash.py in turn. Whatever it does: meters are read on, nothing comes
out of a number that was not put there, and what is gone is declared.
"""

# A whole gateway, a flash and its file system:
# heap: 8m

import json

from agent.record import LOST, check_record
from tests.fakes.memory_ground import MemoryGround
from tests.system.journal_worlds import WORLDS
from tests.system.test_personal_meters import _World


class _Gateway:
    """A whole App whose journal is on a NorFlash; `told` is every record that it took."""

    def __init__(self, name, **sizes):
        self.place = WORLDS[name](blocks=32, segments=0, **sizes)
        self.flash = self.place.fresh()
        self.told = {}
        self.stored = {}
        self.world = None
        self.begin()

    def begin(self):
        """Start on what the flash holds."""
        if self.world:
            self.place.unmount(self.world.app.journal.ground)
            self.stored = dict(self.world.broker.stored)
            durable = self.world.app.journal.durable
            self.told = {s: self.told[s] for s in self.told if s <= durable}
        ground = self.place.mount(self.flash)
        self.world = _World(grounds=(ground, MemoryGround()))
        journal = self.world.app.journal
        self._append = journal.append
        journal.append = self._take
        self.world.broker.stored.update(self.stored)

    def _take(self, kind, data, start, end):
        seq = self._append(kind, data, start, end)
        self.told[seq] = bytes(data[start:end])
        return seq

    def live(self, minutes, sends=True):
        """Read both meters each minute, save, send."""
        world = self.world
        for _ in range(minutes):
            world.read(1)
            world.app.note_event("filler", "x" * 300)
            world.app.save(world.now_ms)
            for bus in world.app.buses:  # no port here: their turns end, the lines are quiet
                bus.step(world.now_ms, 0)
            world.app.step(world.now_ms)
            if sends:
                world.blocks(0)

    def check(self):
        """Everything that was taken is stored as it was, or declared; return how much was not."""
        world = self.world
        school = world.app.meters[0]
        assert school.at_ms == world.app.clock.wall_ms_at(world.now_ms)[0], "it is not read"
        for _ in range(5):
            world.blocks(0)
        declared = 0
        have = set()
        stored = world.broker.stored
        for seq in stored:
            kind, number, _, start, end = check_record(stored[seq], 0, len(stored[seq]))
            assert number == seq
            if kind == LOST:
                tree = json.loads(bytes(stored[seq][start:end]).decode())
                have.update(range(tree["first"], tree["last"] + 1))
                declared += tree["last"] + 1 - tree["first"]
                continue
            have.add(seq)
            assert self.told.get(seq, stored[seq][start:end]) == stored[seq][start:end], seq
        journal = world.app.journal
        if not journal.degraded:
            missing = [s for s in self.told if s not in have and s <= journal.durable]
            assert not missing, missing
        return declared

    def end(self):
        self.place.unmount(self.world.app.journal.ground)


def _each(form, minutes=15):
    """Live with a form of trouble on each ground; return {name: (declared, journal)}."""
    found = {}
    for name in WORLDS:
        gateway = _Gateway(name)
        gateway.live(5)
        form(gateway.flash)
        gateway.live(minutes)
        found[name] = (gateway.check(), gateway.world.app.journal)
        gateway.end()
    return found


def test_one_error_costs_nothing():
    for late in (1, 5):

        def form(flash, late=late):
            flash.fail_at = flash.operations + late

        for name, (declared, journal) in _each(form, 4).items():
            assert declared == 0 and not journal.degraded and journal.errors, (name, late)


def test_a_flash_that_dies_degrades_and_heals():
    for name in WORLDS:
        gateway = _Gateway(name)
        gateway.live(5)
        gateway.flash.fail_from = gateway.flash.operations + 3
        gateway.live(4, sends=False)
        journal = gateway.world.app.journal
        assert journal.degraded and journal.errors, name
        gateway.check()
        gateway.flash.fail_from = 0
        gateway.live(12)
        assert not journal.degraded, name
        gateway.check()
        gateway.end()


def test_after_twelve_failed_writes_of_files_only_a_start_heals():
    """Each leaves a file open for ever (agent/store.py): RAM is not given away without end."""
    gateway = _Gateway("files-esp32")
    gateway.live(3)
    gateway.flash.fail_from = gateway.flash.operations + 1
    gateway.live(30, sends=False)
    gateway.flash.fail_from = 0
    gateway.live(12)
    gateway.check()
    assert gateway.world.app.journal.degraded
    gateway.begin()
    gateway.live(3)
    assert not gateway.world.app.journal.degraded
    gateway.check()
    gateway.end()


def test_bad_blocks_are_passed_over():
    """Erases and programs of three blocks fail for ever: by the ring, and else it is said.

    littlefs passes over what reads back wrong, but not over an error:
    a write that meets one fails, and the journal may end in RAM.
    """

    def form(flash):
        worn = sorted(range(4, 32), key=lambda block: flash.wear[block])
        flash.bad = set(worn[2:5])

    for name, (declared, journal) in _each(form).items():
        assert declared == 0 and (not journal.degraded or name.startswith("files")), name


def test_a_block_that_cannot_be_read_is_declared():
    for name in WORLDS:
        gateway = _Gateway(name)
        gateway.live(5)
        gateway.live(35, sends=False)  # segments, not acknowledged
        data = gateway.flash.data
        marks = [at for at in range(0, len(data), 32) if b"filler" in data[at : at + 256]]
        gateway.flash.unreadable = {marks[len(marks) // 2] // 4096}
        gateway.live(3)
        gateway.flash.unreadable = set()
        gateway.live(3)
        assert gateway.check() >= 0
        gateway.end()


def test_stuck_bits_are_noticed():
    """Where a program is not read back, by littlefs' own check or ours, CRCs find it later."""

    def form(flash):
        for block in range(6, 32, 5):
            flash.stuck[block * 4096 + 100] = (0x10, 0x00)
            flash.stuck[block * 4096 + 3000] = (0x01, 0x01)

    for name, (_, journal) in _each(form).items():
        assert not journal.degraded, name


def test_operations_that_claim_success_and_do_nothing():
    for late in (1, 2, 4, 7):

        def form(flash, late=late):
            flash.silent_at = flash.operations + late

        for name, (declared, journal) in _each(form, 5).items():
            assert declared <= 1 and not journal.degraded, (name, late, declared)


def test_reading_disturbs():
    """After many reads of a block one of its bits flips: CRCs find it, it is declared."""

    def form(flash):
        flash.disturb_every = 4000

    for name, (declared, _) in _each(form).items():
        assert declared <= 30, (name, declared)


def test_trouble_and_a_start_behind_it():
    for name in WORLDS:
        gateway = _Gateway(name)
        gateway.live(5)
        gateway.flash.silent_at = gateway.flash.operations + 4
        gateway.live(3)
        gateway.flash.fail_at = gateway.flash.operations + 2
        gateway.live(3)
        gateway.begin()
        gateway.live(3)
        assert gateway.check() <= 3, name
        gateway.end()
