"""Power cuts in what changes a gateway: a bounded part of `make powercut`, on both runtimes."""

# Copies of a whole flash, and the device's modules on each of them:
# heap: 4m

from tests.system import change_worlds
from tests.system.change_stories import STORIES
from tests.system.change_worlds import explore
from tests.system.tally import Tally


def test_a_cut_anywhere_in_a_change_leaves_the_old_or_the_new_one_whole():
    for index, name in enumerate(sorted(STORIES)):
        tally = Tally()
        explore(name, (32, 256)[index % 2], tally, every=17, deep=9)
        assert not tally.broken, (name, tally.broken, tally.first)
        assert tally.cuts >= 3, (name, tally.cuts)


def _first(name, module, attribute, instead):
    """Return what the exploration finds with something else instead of one function."""
    usual = getattr(module, attribute)
    tally = Tally()
    setattr(module, attribute, instead)
    try:
        explore(name, 32, tally, every=9, deep=1000)
    finally:
        setattr(module, attribute, usual)
    return tally.first


def test_the_exploration_notices_a_firmware_that_is_gone_and_records_that_are():
    def forgets(life):
        life.told["promised"] += 1
        life.note_event("boot", "")

    assert "unbootable" in _first("cable-kept", change_worlds, "_FIRMWARE", b"eclor" * 200)
    story = STORIES["cable-kept"]
    assert "lost" in _first("cable-kept", story, "bring", lambda self, life: forgets(life))


def test_the_exploration_notices_secrets_that_come_before_their_configuration():
    def one_by_one(self, life):
        settings = life.settings
        config, secrets = settings.stored("a")[1:]
        settings.store(config, dict(secrets, **{"uplink.key": "2" * 64}), False)

    assert "mixed" in _first("cable-kept", STORIES["cable-kept"], "bring", one_by_one)
