"""Power cuts in the journal: a bounded part of `make powercut`, on both runtimes."""

# Copies of a whole flash, and of the journal on each of them:
# heap: 4m

from tests.system.journal_day import Day
from tests.system.journal_worlds import WORLDS, Littlefs
from tests.system.tally import Tally


def test_a_cut_anywhere_keeps_every_promise():
    for name in WORLDS:
        tally = Tally()
        world = WORLDS[name](blocks=16, segments=4)
        Day(world, 1, every=9, deep=31, ticks=144).run(tally)
        assert not tally.broken, (name, tally.broken, tally.first)
        assert tally.cuts > 50 and tally.deep > 10, (name, tally.cuts, tally.deep)


class _Deaf(Littlefs):
    """A world whose flash forgets one program: what the exploration has to notice."""

    def again(self, data):
        flash = super().again(data)
        for at in range(0, len(flash.data), 4096):
            flash.data[at + 64] &= 0xFE
        return flash


def test_the_exploration_notices_a_flash_that_loses_bits():
    tally = Tally()
    Day(_Deaf(32, 16, 4), 1, every=50, ticks=30).run(tally)
    assert tally.broken
