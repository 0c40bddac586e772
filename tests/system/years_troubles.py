"""What happens to a gateway in the field, each a method that begins it; drawn by years_world.py.

Every trouble notes itself in the timeline. What lasts ends in `heal_what_is_over`, by itself.
"""

import json

from agent.settings import split
from tests.fakes.virtual_releases import BAD, WELL
from tests.system.years_gateway import BROKER, DAY_MS, KEY, ChangingSite, paper

HOUR_MS = 3600 * 1000
_PIECE = 900  # characters of a configuration in a command
_PAPER_DAYS = 90
TROUBLES = (  # (weight, name of the method)
    (24, "_cut_power"),
    (16, "_cut_in_flash"),
    (10, "_cut_soon"),
    (6, "_brown_out"),
    (22, "_lose_network"),
    (10, "_broker_is_mute"),
    (10, "_collector_is_silent"),
    (10, "_broker_forgets"),
    (8, "_meter_dies"),
    (3, "_meter_is_replaced"),
    (5, "_flash_fails"),
    (1, "_flash_wears"),
    (2, "_flash_is_dead"),
    (3, "_configuration_changes"),
    (4, "_configuration_is_sent"),
    (5, "_firmware_is_offered"),
    (4, "_clock_is_wrong"),
    (1, "_collector_is_restored"),
)


def make_tree(base, intervals, host=BROKER):
    """Return the configuration of a year, of these intervals in seconds."""
    tree = dict(base)
    tree["meters"] = [dict(row) for row in base["meters"]]
    for i, interval_s in enumerate(intervals):
        tree["meters"][i]["interval_s"] = interval_s
    tree["block"] = {"flush_s": 6 * 3600, "size": 512}
    tree["journal"] = {"size_kb": 64, "max_loss_s": 3600}
    tree["uplink"] = {"state_s": 3600, "keepalive_s": 600, "host": host, "key": KEY.hex()}
    papers = {"tls": True, "ca": "/flash/ca.der", "cert": "/flash/gw.der"}
    tree["uplink"].update(papers)
    tree["uplink"]["cert_key"] = "/flash/gw.key"
    tree["update"] = {"settle_s": 600, "trial_s": 7200}
    return tree


class TroubledSite(ChangingSite):
    """base: the configuration that make_tree() begins with."""

    def __init__(self, seed, base, intervals, begun_ms):
        self.base = base
        self.intervals = intervals
        self.counts = {}
        self._dead_until = []  # (meter, wall ms)
        self._flash_back_ms = self._clock_back_ms = self._steps_left = None
        self._renew_ms = None
        self._backed_up_ms = 0
        super().__init__(seed, make_tree(base, intervals), begun_ms)
        self._renew_ms = begun_ms + (20 + self.random(80)) * DAY_MS

    def count(self, name):
        """Count a trouble and begin it."""
        self.counts[name] = self.counts.get(name, 0) + 1
        getattr(self, name)()

    def duration_ms(self):
        """Mostly minutes, often hours, now and then weeks."""
        kind = self.random(20)
        if kind < 12:
            return 1000 + self.random(1800 * 1000)
        if kind < 19:
            return 1000 + self.random(2 * DAY_MS)
        return self.random(28 * DAY_MS)

    # --- time

    def _live(self):
        if self._steps_left is not None:
            self._steps_left -= 1
            if self._steps_left <= 0:
                self._steps_left = None
                self.cut(self.random(4) > 0)
        return super()._live()

    def heal_what_is_over(self):
        """End what has lasted long enough; renew papers that run out."""
        now_ms = self.wall_ms
        for meter, until_ms in self._dead_until:
            if now_ms >= until_ms:
                meter.dead = False
        if self._flash_back_ms is not None and now_ms >= self._flash_back_ms:
            self.revive_flash()
        if self._clock_back_ms is not None and now_ms >= self._clock_back_ms:
            self.correct_clock()
        if now_ms >= self._backed_up_ms + DAY_MS:
            self._backed_up_ms = now_ms
            self.broker.back_up()
        if now_ms >= self._renew_ms:
            self._renew_papers()

    def revive_flash(self):
        """The flash works again."""
        self._flash_back_ms = None
        self._grounds[0].is_dead = False
        self.note("flash back")

    def correct_clock(self):
        """Whoever tells the time tells the true one again."""
        self._clock_back_ms = None
        if self.off_ms:
            self._step_clock(0)

    def _step_clock(self, off_ms):
        self.note("clock off by %d s" % (off_ms // 1000))
        self.set_off(off_ms)
        if self._sync_at_ms is None:
            self.set_clock()

    def _renew_papers(self):
        """Send a new certificate well before the old one ends, or late, or once a wrong one."""
        left_ms = self.paper_until_ms - self.wall_ms
        self._renew_ms = self.wall_ms + DAY_MS
        if left_ms > 30 * DAY_MS:
            return
        if left_ms <= 0:  # its orders reach it again when somebody lets it in
            self.grace_until_ms = self.wall_ms + 3 * DAY_MS
        is_ours = left_ms <= 0 or self.random(4) > 0
        self.note("a certificate is renewed" if is_ours else "a wrong certificate is sent")
        der = paper(self.wall_ms + _PAPER_DAYS * DAY_MS, is_ours)
        self.broker.order("certificate", {"drop": True})
        self.broker.order("certificate", {"part": "cert", "der": der})
        self.broker.order("certificate", {"try": True})
        self._renew_ms = self.wall_ms + (2 + self.random(40)) * DAY_MS
        if left_ms <= 0:
            self._renew_ms = self.wall_ms + 2 * DAY_MS

    # --- power

    def _cut_power(self):
        self.cut(self.random(4) > 0)

    def _cut_soon(self):
        """Cut at any step: turns on the lines are most of them."""
        self._steps_left = 1 + self.random(60)

    def _cut_in_flash(self):
        self._grounds[self.random(2)].cut_in = 1 + self.random(20)

    def _brown_out(self):
        for _ in range(2 + self.random(6)):
            self.cut(self.random(4) > 0)
            self.run(self.random(20_000))

    # --- network, broker, collector

    def _part(self, what):
        self._network_back_ms = self.wall_ms + self.duration_ms()
        self.note(what)

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

    def _collector_is_restored(self):
        """The database is lost, and serves again as it was a day or two ago."""
        self.note("collector restored from a backup")
        self.broker.restore()

    # --- meters, flash, clock

    def _meter_dies(self):
        meter = self.meters[self.random(2)]
        self.note("a meter is dead")
        meter.dead = True
        self._dead_until.append((meter, self.wall_ms + self.duration_ms()))

    def _meter_is_replaced(self):
        meter = self.meters[self.random(2)]
        self.note("a meter is replaced")
        base = (3 - self.counts["_meter_is_replaced"] % 4) * 1_000_000_000
        meter.replace(base + self.random(900_000_000))

    def _flash_fails(self):
        self.note("flash errors")
        self._grounds[0].fail = 1 + self.random(6)

    def _flash_wears(self):
        """One write in so many fails from now on, in each part of the flash."""
        ground = self._grounds[self.random(2)]
        ground.worn = max(20, (ground.worn or 400) // 2)
        self.note("flash worn: one write in %d fails" % ground.worn)

    def _flash_is_dead(self):
        self.note("flash dead")
        self._grounds[0].is_dead = True
        self._flash_back_ms = self.wall_ms + self.random(2 * DAY_MS)

    def _clock_is_wrong(self):
        """A server tells a wrong time, by seconds to days, and is believed until it is mended."""
        if self._sync_at_ms is not None:
            return
        off_ms = (60_000, HOUR_MS, 5 * DAY_MS)[self.random(3)]
        off_ms = 5000 + self.random(off_ms)
        self._step_clock(off_ms if self.random(2) else -off_ms)
        self._clock_back_ms = self.wall_ms + 60_000 + self.random(DAY_MS)

    # --- changes

    def _some_tree(self, host=BROKER):
        self.intervals = ((900, 600, 1200)[self.random(3)], 1800, 3600)
        return make_tree(self.base, self.intervals, host)

    def _configuration_changes(self):
        """A technician comes with a cable."""
        self.note("another configuration")
        self.install(self._some_tree())
        self.cut()

    def _configuration_is_sent(self):
        """By command: a good one, one that no gateway accepts, one that finds no broker."""
        kind = self.random(3)
        tree = self._some_tree(BROKER if kind else "elsewhere.example")
        if kind == 1:
            tree["meters"] = [dict(tree["meters"][0], protocol="morse")]
        self.note(("one without a broker", "a senseless one", "a good one")[kind] + " is sent")
        text = json.dumps(split(tree)[0])
        for at in range(0, len(text), _PIECE):
            self.broker.order("configure", {"at": at, "text": text[at : at + _PIECE]})
        self.broker.order("configure", {"try": True})

    def _firmware_is_offered(self):
        """A release, half of them bad ones."""
        behaves = WELL if self.random(2) else BAD[self.random(len(BAD))]
        self.offer(behaves)

    def offer(self, behaves):
        """Publish a release that behaves so."""
        bundle = self.releases.make(behaves)
        self.note("release %d is offered: %s" % (self.releases.count, behaves))
        self.broker.releases["".join(["%02x" % byte for byte in bundle[52:56]])] = bundle
        offer = "".join(["%02x" % byte for byte in bundle[:960]])
        self.broker.order("update", {"offer": offer})
