"""Power cuts at every program and erase of fetch, swap, trial, confirm and revert.

Over the real littlefs (tests/fakes/littlefs_host.py). After each cut boot.py must find a whole
firmware of one of the two versions, and the update must end well from where it stands. `make
powercut` explores every operation, the tests here one in six.
"""

from agent.mac import Mac
from agent.trial import Trial, tell
from agent.update import Updater
from tests.fakes.bundles import KEY, NEW, OLD
from tests.fakes.littlefs_host import format_littlefs, modules_on
from tests.fakes.nor_flash import FORMS, Noise, NorFlash, tear
from tests.system.tally import Tally, Violation
from tests.vectors.release import MODULUS

SETTINGS = {"settle_s": 1, "trial_s": 100}
BLOCKS = 32


class Trusting(Updater):
    """Whose bundles need no signature."""

    def signer(self, offer):
        return 1


class World:
    """One gateway's flash and what runs on it, life after life."""

    def __init__(self, is_good, data=None):
        """is_good: whether the new firmware works. data: the flash after a cut; None: fresh."""
        self.is_good = is_good
        self.data = data or bytearray(b"\xff" * 4096 * BLOCKS)
        self.tried = False
        if data is None:
            flash = NorFlash(self.data)
            format_littlefs(flash)
            slots = self._load(flash)[1].Slots("", "a", ["a", "-", 0, 0, 0, ""])
            slots.append("a", OLD)
            slots.write(slots.state)
            slots.append("journal", b"kept")

    def _load(self, flash):
        return modules_on(flash, "firmware/boot.py", "agent/slots.py")

    def run(self, watch=None):
        """Live until nothing is left to do; return the counter of what runs then."""
        for _ in range(8):
            flash = NorFlash(self.data)
            flash.watch = watch
            slots, is_over = self._live(flash)
            if is_over:
                return slots.counter(slots.running)
        raise AssertionError("no end")

    def _live(self, flash):
        boot, files = self._load(flash)
        slot, state, wrong = boot.choose("")
        assert slot, wrong
        assert not boot.inspect("", slot)[1]
        slots = files.Slots("", slot, state)
        assert slots.read("journal", 0, 10) == b"kept"
        assert slots.read(slot, 0, 1 << 20) in (OLD, NEW), "a firmware that nobody made"
        tell(slots, lambda what, why: None)
        if slots.is_on_trial:
            trial = Trial(slots, "power", 5, SETTINGS, lambda *_: None, lambda: None)
            for uptime_s in range(0, 200, 20):
                if trial.step(uptime_s, 9 if self.is_good else 0, 0, 0):
                    return slots, False
                if trial.is_over:
                    return slots, True
            raise AssertionError("the trial has no end")
        if slots.counter(slot) == 2:
            return slots, True
        if slots.state[5] == "" and not self.is_good and self.tried:
            return slots, True
        self._update(slots)
        return slots, False

    def _update(self, slots):
        said: list = []
        slots.free = lambda: 1 << 20
        updater = Trusting(slots, MODULUS, "host", Mac(KEY), b"chunkgw", said.append, lambda: 0)
        if not updater.resume():
            updater.offer(NEW[:960])
        mac = Mac(KEY)
        while not updater.is_ready:
            updater.step(0)
            assert not updater.is_idle, updater.why
            while said:
                said.pop()
                at, end = updater._at, updater._asked_to
                while at < end:
                    count = min(2048, end - at)
                    body = b"\x01" + NEW[52:56] + at.to_bytes(4, "big") + NEW[at : at + count]
                    updater.take(body + mac.tag(b"chunkgw", body), 0)
                    at += count
        self.tried = True


def explore(is_good, every=1, phase=0):
    """Cut every life at one operation in `every`, in each form; return the Tally."""
    found = []
    noise = Noise(5)
    tally = Tally()

    def watch(flash, at, source):
        tally.operations += 1
        if flash.operations % every == phase % every:
            for form in FORMS:
                data = bytearray(flash.data)
                tear(data, at, source, len(source) if source else flash.block, form, noise)
                found.append(data)

    wanted = 2 if is_good else 1
    assert World(is_good).run(watch) == wanted
    for data in found:
        tally.cuts += 1
        try:
            if World(is_good, data).run() != wanted:
                raise Violation("mixed", "the other version runs at the end")
        except (AssertionError, OSError, Violation) as error:
            tally.note(error, "update, cut %d" % tally.cuts)
    return tally


def test_every_cut_of_a_good_update_ends_on_one_whole_version():
    tally = explore(True, 6)
    assert tally.cuts > 40 and not tally.broken, tally.first


def test_every_cut_of_a_bad_update_ends_on_the_old_version():
    tally = explore(False, 6)
    assert tally.cuts > 40 and not tally.broken, tally.first
