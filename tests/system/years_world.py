"""A gateway-year: the real App through the seasons of its bad luck, by one seed.

    world = explore(seed=7, days=365)
    world.verdict.wrong                  # ([], [], []) when every promise was kept

Beside the hours of tests/system/test_field_life.py: outages of weeks, a full journal, dead and
replaced meters, flash that errs and wears out, brown-outs, clocks that are wrong, years that
leap, certificates that run out, a collector restored from a backup, configurations and firmware
on trial, good and bad. Each trouble: years_troubles.py. Portable; `make years` runs it.
"""

import json
from hashlib import sha256

from tests.fakes.virtual_gateway import TREE
from tests.fakes.virtual_meters import LoadMeter
from tests.fakes.virtual_releases import WELL
from tests.system.years_gateway import DAY_MS
from tests.system.years_troubles import HOUR_MS, TROUBLES, TroubledSite

_BEGIN_MS = 1798761600000  # 2027-01-01; 2028 leaps
_WEIGHT = sum([weight for weight, _ in TROUBLES])


class World(TroubledSite):
    """One gateway; every draw comes from the seed."""

    step_ms = 300_000

    def __init__(self, seed):
        begun_ms = _BEGIN_MS + seed * 97 % 3000 * DAY_MS
        super().__init__(seed, TREE, (900, 1800, 3600), begun_ms)
        self.sensor.every_ms = 300_000
        self.verdict = None

    def _make_meters(self):
        return [LoadMeter(1, self.wall_ms), LoadMeter(2, self.wall_ms)]

    def _make_trouble(self):
        """Draw one trouble; the next comes within sixteen hours."""
        self._next_trouble_ms = self.wall_ms + self.random(16 * HOUR_MS)
        self.heal_what_is_over()
        draw = self.random(_WEIGHT)
        for weight, name in TROUBLES:
            draw -= weight
            if draw < 0:
                self.count(name)
                return

    def settle(self):
        """End all trouble; a last release must find its way, and every reading too."""
        self.revive_flash()
        for ground in self._grounds:
            ground.worn = ground.fail = ground.cut_in = 0
        self._steps_left = None
        self.correct_clock()
        self.grace_until_ms = self.wall_ms + 30 * DAY_MS
        self._network_back_ms = None
        self._heal()
        for meter in self.meters:
            meter.dead = False
        self.run(12 * HOUR_MS)  # what is on trial ends, one way or the other
        self.offer(WELL)
        self.run(12 * HOUR_MS)
        super().settle()
        if self.version != "%d.0" % self.releases.count:
            self.broken.append((self.wall_ms, "the last release does not run"))
        if not self.broker.is_idle:
            self.broken.append((self.wall_ms, "orders without an answer"))

    def digest(self):
        """Return what identifies the blocks that arrived: the same on every runtime."""
        mark = sha256()
        for block in self.blocks():
            # Without the configuration's hash and the check sum over it: the hash is over a JSON
            # text, whose order of names is the runtime's.
            mark.update(block[:1] + block[5:-4])
        return "".join(["%02x" % b for b in mark.digest()[:8]])


def explore(seed, days):
    """Live so many days by the seed, settle, judge; return the World."""
    world = World(seed)
    try:
        world.run(days * DAY_MS, trouble=True)
        world.settle()
        world.verdict = world.judge()
    finally:
        world.close()
    return world


def report(seed, days):
    """Print what became of a world as one line of JSON: for a runtime of its own."""
    print(json.dumps(summary(explore(seed, days))))


def summary(world):
    """Return counts, digest and, when something is wrong, where and what happened there."""
    verdict = world.verdict
    wrong = []
    for kind, found in zip(("lost", "doubled", "altered"), verdict.wrong):  # noqa: B905 - as there
        for meter, number, at_ms in found[:3]:
            wrong.append([kind, meter, number, at_ms - world.begun_ms, _near(world, at_ms)])
    for seq in world.broker.changed[:3]:
        wrong.append(["altered", "record %d came again with another content" % seq])
    for at_ms, what in world.broken[:3]:
        wrong.append(["broken", what, at_ms - world.begun_ms, _near(world, at_ms)])
    return {
        "answered": verdict.answered,
        "stored": verdict.stored,
        "superseded": verdict.superseded,
        "declared": verdict.declared,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "altered": len(verdict.wrong[2]) + len(world.broker.changed),
        "broken": len(world.broken),
        "starts": world.starts,
        "troubles": sum(world.counts.values()),
        "digest": world.digest(),
        "wrong": wrong,
    }


def _near(world, at_ms):
    """Return what the timeline has of the day before and after."""
    near = [what for t, what in world.timeline if -DAY_MS < t + world.begun_ms - at_ms < DAY_MS]
    return near[-12:]
