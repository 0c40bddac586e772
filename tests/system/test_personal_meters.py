"""A personal meter in the whole App: what leaves is a pseudonym and one reading per period."""

# Two whole gateways and copies of their flash:
# heap: 1m

import json

from agent.app import App
from agent.clock import Clock
from agent.codec import decode
from agent.config import validate
from agent.journal import Journal
from agent.log import Log
from agent.record import BLOCK
from drivers.reading import GOOD, NO_REPLY, Reading
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround

DAY = 86400000
START = 21000 * DAY + 5000
KEY = "".join(["%02x" % b for b in range(32)])


def _tree(consent=None, thin=()):
    meters = [
        {"name": name, "port": "line", "protocol": "modbus", "map": "sdm120"}
        for name in ("school", "flat-dupont")
    ]
    meters[1]["personal"] = True
    meters[1]["thin"] = list(thin)
    if consent:
        meters[1]["consent"] = consent
    return {
        "gateway": "gw",
        "board": "host",
        "ports": [{"name": "line", "uart": "uart1"}],
        "meters": meters,
        "privacy": {"key": KEY},
    }


class _World:
    def __init__(self, consent=None, grounds=None, wall_ms=START, thin=()):
        config, problems = validate(_tree(consent, thin))
        assert problems == [], problems
        self.grounds = grounds or (MemoryGround(), MemoryGround())
        self.clock = Clock(3)
        if wall_ms:
            self.clock.set_wall(wall_ms, 0, "sntp")
        journal = Journal(self.grounds[0], lambda: 1, 65536)
        identity = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity.update({"runtime": "test", "boot": 3})
        self.app = App(
            config,
            journal,
            self.clock,
            identity,
            lambda n: 0,
            Log(),
            lambda: (1, 1),
            self.grounds[1],
        )
        self.app.start(0, "power")
        self.broker = Broker(b"gw", journal.journal_id)
        self.now_ms = 0

    def read(self, times, every_ms=60000, quality=GOOD, value=100):
        """Let both meters answer."""
        for _ in range(times):
            self.now_ms += every_ms
            self.clock.tick(self.now_ms)
            self.app.now_ms = self.now_ms
            for meter in self.app.meters:
                reading = Reading(meter.driver.points)
                reading.clear(quality)
                for i in range(len(reading.values)):
                    reading.set(i, value)
                if quality != GOOD:
                    reading.clear(quality)
                reading.at_ms = self.now_ms
                self.app.on_reading(meter, reading)

    def blocks(self, meter):
        """Return how many readings of a meter the collector has, and all bytes that it got."""
        for index, block in enumerate(self.app.blocks):
            if block.count:
                self.app.seal(index)
        self.app.journal.sync()
        broker = self.broker
        self.app.uplink.publish_state(self.app.state(self.now_ms))
        pump(self.app.uplink, broker, self.now_ms)
        self.app.uplink.publish_state(self.app.state(self.now_ms))
        pump(self.app.uplink, broker, self.now_ms)
        kept = list(broker.stored.values())
        ours = [r for r in kept if r[1] == BLOCK and r[12 + 5] == meter]
        return len(ours), b"".join(kept) + self.app.birth() + self.app.state(self.now_ms)


def test_a_day_of_minutes_leaves_one_personal_reading_and_no_name():
    world = _World()
    world.read(300)
    world.app.on_turn(world.app.meters[1])
    count, everything = world.blocks(1)
    assert count == 1 and world.app.privacy.withheld == 299
    assert b"dupont" not in everything and world.app.meters[1].shown.encode() in everything
    assert b"school" in everything and world.blocks(0)[0] > 0


def test_silence_does_not_use_up_the_reading_of_the_day():
    world = _World()
    world.read(3, quality=NO_REPLY)
    world.read(1)
    assert world.blocks(1)[0] == 1


def test_a_power_cut_or_a_read_now_gives_no_second_reading():
    world = _World()
    world.read(2)
    world.app.ask_now(world.app.meters[1])
    world.read(1)
    assert world.blocks(1)[0] == 1
    grounds = tuple([ground.cut() for ground in world.grounds])
    again = _World(grounds=grounds, wall_ms=START + 3600000)
    again.read(5)
    assert again.app.privacy.withheld == 5
    again.read(1, DAY)
    assert again.app.privacy.withheld == 5


def test_what_cannot_be_remembered_is_not_admitted():
    world = _World()
    world.grounds[1].fail = 1
    world.read(1)
    assert world.app.privacy.withheld == 1 and "cannot be kept" in world.app.privacy.why
    world.read(1)
    assert world.blocks(1)[0] == 1


def test_nothing_personal_is_kept_before_the_clock_is_set():
    world = _World(wall_ms=0)
    world.read(3)
    assert world.blocks(1)[0] == 0
    world.app.set_wall(START, world.now_ms, "sntp")
    world.read(1)
    assert world.blocks(1)[0] == 1


def test_consent_opens_the_interval_through_its_last_day():
    consent = {"reference": "2026-1", "until": "2027-07-01", "interval_s": 600}
    config, problems = validate(_tree(consent))
    assert problems == []
    end_ms = config["meters"][1]["consent"]["until_ms"]
    assert (end_ms + 1) % DAY == 0
    world = _World(consent, wall_ms=end_ms - 3600000 + 1)
    world.read(59)
    assert world.blocks(1)[0] == 6
    world.read(300)
    assert world.app.privacy.withheld == 359 - 7


def test_a_deadband_gives_no_second_chance_within_a_period():
    """What is withheld neither leaves nor moves what is held."""
    consent = {"reference": "2026-1", "until": "2027-07-01", "interval_s": 600}
    thin = [{"deadband": "30", "silence_s": 3600}, {"points": ["power"], "resolution": "10"}]
    world = _World(consent, wall_ms=START // 600000 * 600000, thin=thin)
    world.read(1, value=1000)
    world.read(1, value=99999)  # withheld: nobody may see that it came
    world.read(7, value=1000)
    world.read(1, value=1001)  # the next period: within the deadband of what was reported
    world.read(9, value=99999)
    world.read(1, value=90000)
    count = world.blocks(1)[0]
    rows = [
        decode(record[12:-4]).rows
        for record in world.broker.stored.values()
        if record[1] == BLOCK and record[12 + 5] == 1
    ]
    values = [row[1] for block in rows for row in block]
    assert count == 3 and len(values) == 3 and world.app.privacy.withheld == 17
    schema = world.app._report.schema()["meters"][1]["points"]
    i = [point[0] for point in schema].index("power")
    assert schema[i][5] == {"resolution": 1} and schema[i][2] == 1
    assert [row[i] for row in values] == [10, 10, 900]
    other = [row[i - 1] for row in values]
    assert other == [1000, 1000, 90000], "held, then out of the deadband"


def test_a_configuration_that_would_leak_is_refused():
    tree = _tree()
    del tree["privacy"]
    assert "needs privacy.key" in validate(tree)[1][0]
    for consent in (
        {"reference": "", "until": "2027-03-31", "interval_s": 600},
        {"reference": "a", "until": "2027-02-29", "interval_s": 600},
        {"reference": "a", "until": "31.3.2027", "interval_s": 600},
        {"reference": "a", "until": 5, "interval_s": 600},
        {"reference": "a", "interval_s": 600},
        {"reference": "a", "until": "2027-03-31"},
    ):
        assert validate(_tree(consent))[1], consent
    tree = _tree()
    tree["privacy"]["key"] = "secret"
    problems = validate(tree)[1]
    assert problems and "secret" not in json.dumps(problems)
