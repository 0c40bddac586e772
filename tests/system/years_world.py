"""A gateway-year: the real App through the seasons of its bad luck, by one seed.

    world = explore(seed=7, days=365)
    world.verdict.wrong                  # ([], [], []) when every promise was kept

Beside the hours of tests/system/test_field_life.py: outages of weeks, a full journal, dead and
replaced meters (counters begin anew), flash errors, brown-outs, another configuration, clocks a
second off, years that leap. Portable; `make years` runs it.
"""

import json
from hashlib import sha256

from tests.fakes.virtual_gateway import TREE, Site
from tests.fakes.virtual_meters import LoadMeter

DAY_MS = 86400 * 1000
_HOUR_MS = 3600 * 1000
_BEGIN_MS = 1798761600000  # 2027-01-01; 2028 leaps
_TROUBLES = (  # (weight, name of the method)
    (24, "_cut_power"),
    (16, "_cut_in_flash"),
    (6, "_brown_out"),
    (22, "_lose_network"),
    (10, "_broker_is_mute"),
    (10, "_collector_is_silent"),
    (10, "_broker_forgets"),
    (8, "_meter_dies"),
    (3, "_meter_is_replaced"),
    (5, "_flash_fails"),
    (3, "_configuration_changes"),
)


def _tree(intervals):
    tree = dict(TREE)
    tree["meters"] = [dict(row) for row in TREE["meters"]]
    for i, interval_s in enumerate(intervals):
        tree["meters"][i]["interval_s"] = interval_s
    tree["block"] = {"flush_s": 6 * 3600, "size": 512}
    tree["journal"] = {"size_kb": 64, "max_loss_s": 3600}
    tree["uplink"] = {"state_s": 3600, "keepalive_s": 600}
    return tree


class World(Site):
    """One gateway; every draw comes from the seed."""

    step_ms = 300_000

    def __init__(self, seed):
        begun_ms = _BEGIN_MS + seed * 97 % 3000 * DAY_MS
        super().__init__(seed, _tree((900, 1800, 3600)), begun_ms)
        self.sensor.every_ms = 900_000
        self.counts = {}
        self.verdict = None
        self._dead_until = []

    def _make_meters(self):
        return [LoadMeter(1, self.wall_ms), LoadMeter(2, self.wall_ms)]

    def _make_trouble(self):
        """Draw one trouble; the next comes within sixteen hours."""
        random = self.random
        self._next_trouble_ms = self.wall_ms + random(16 * _HOUR_MS)
        for meter, until_ms in self._dead_until:
            if self.wall_ms >= until_ms:
                meter.dead = False
        draw = random(sum([weight for weight, _ in _TROUBLES]))
        for weight, name in _TROUBLES:
            draw -= weight
            if draw < 0:
                self.counts[name] = self.counts.get(name, 0) + 1
                getattr(self, name)()
                return

    def _duration_ms(self):
        """Mostly minutes, often hours, now and then weeks."""
        kind = self.random(20)
        if kind < 12:
            return 1000 + self.random(1800 * 1000)
        if kind < 19:
            return 1000 + self.random(2 * DAY_MS)
        return self.random(28 * DAY_MS)

    def _part(self, what):
        self._network_back_ms = self.wall_ms + self._duration_ms()
        self.note(what)

    def _cut_power(self):
        self.cut(self.random(4) > 0)

    def _cut_in_flash(self):
        self._grounds[self.random(2)].cut_in = 1 + self.random(20)

    def _brown_out(self):
        for _ in range(2 + self.random(6)):
            self.cut(self.random(4) > 0)
            self.run(self.random(20_000))

    def _lose_network(self):
        self._part("no network")
        self.network = False

    def _broker_is_mute(self):
        self._part("mute")
        self.broker.mute = True

    def _collector_is_silent(self):
        self._part("acks withheld")
        self.broker.acks = False

    def _broker_forgets(self):
        self._part("acknowledged and lost")
        self.broker.lose_acknowledged = True

    def _meter_dies(self):
        meter = self.meters[self.random(2)]
        self.note("a meter is dead")
        meter.dead = True
        self._dead_until.append((meter, self.wall_ms + self._duration_ms()))

    def _meter_is_replaced(self):
        meter = self.meters[self.random(2)]
        self.note("a meter is replaced")
        base = (3 - self.counts["_meter_is_replaced"] % 4) * 1_000_000_000
        meter.replace(base + self.random(900_000_000))

    def _flash_fails(self):
        self.note("flash errors")
        self._grounds[0].fail = 1 + self.random(6)

    def _configuration_changes(self):
        self.note("another configuration")
        first = (900, 600, 1200)[self.random(3)]
        self.configure(_tree((first, 1800, 3600)))
        self.cut()

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
    world.run(days * DAY_MS, trouble=True)
    world.settle()
    world.verdict = world.judge()
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
            near = [w for t, w in world.timeline if -DAY_MS < t + world.begun_ms - at_ms < DAY_MS]
            wrong.append([kind, meter, number, at_ms - world.begun_ms, near[-8:]])
    return {
        "answered": verdict.answered,
        "stored": verdict.stored,
        "superseded": verdict.superseded,
        "declared": verdict.declared,
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "altered": len(verdict.altered) + len(world.broker.changed),
        "starts": world.starts,
        "troubles": sum(world.counts.values()),
        "digest": world.digest(),
        "wrong": wrong,
    }
