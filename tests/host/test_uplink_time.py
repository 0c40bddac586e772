"""A gateway that wakes again and again without a clock: all is kept, and dated where it can be."""

from agent.app import App
from agent.clock import Clock
from agent.config import validate
from agent.journal import Journal
from agent.log import Log
from drivers.reading import GOOD, Reading
from host_tools.collect import queries
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from host_tools.collect.store import Store
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround

WALL = 1_800_000_000_000
_TREE = {
    "gateway": "gw",
    "board": "host",
    "ports": [{"name": "line", "uart": "uart1"}],
    "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm120"}],
}


class _Life:
    """One life of a gateway on a flash; `read(at_s)` lets its meter answer."""

    def __init__(self, boot, grounds):
        config, problems = validate(_TREE)
        assert problems == []
        self.grounds = grounds
        identity = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity |= {"runtime": "test", "boot": boot}
        journal = Journal(grounds[0], lambda: 9, 1 << 20)
        made = (Clock(boot), identity, lambda n: 0, Log(), lambda: (1, 1), grounds[1])
        self.app = App(config, journal, *made)
        self.app.start(0, "power")

    def read(self, at_s, value):
        now_ms = at_s * 1000
        self.app.step(now_ms)
        meter = self.app.meters[0]
        meter.failures = 0
        reading = Reading(meter.driver.points)
        reading.clear(GOOD)
        for i in range(len(reading.values)):
            reading.set(i, value)
        reading.at_ms = now_ms
        self.app.on_reading(meter, reading)

    def cut(self):
        """The power goes after all was sealed; return what the flash holds."""
        self.app.seal_all()
        self.app.journal.sync()
        return tuple(ground.cut() for ground in self.grounds)


def test_readings_of_lives_without_a_clock_are_kept_and_those_before_the_first_setting_dated(
    tmp_path,
):
    grounds = (MemoryGround(), MemoryGround())
    for boot in (1, 2):  # nobody tells the time
        life = _Life(boot, grounds)
        for at_s in (60, 120):
            life.read(at_s, 1000 * boot + at_s)
        grounds = life.cut()
    life = _Life(3, grounds)
    life.read(30, 3030)
    life.read(40, 3040)
    life.app.set_wall(WALL, 50_000, "sntp")
    life.read(60, 3060)
    life.app.seal_all()
    life.app.journal.sync()
    broker = Broker(b"gw", 9)
    pump(life.app.uplink, broker, 61_000)
    store = Store(open_database(f"sqlite:///{tmp_path}/site.db"))
    messages = [Message("eclor/1/gw/birth", life.app.birth())]
    messages += [Message("eclor/1/gw/rec", record) for record in broker.stored.values()]
    outcome = store.take(messages)
    assert not outcome.refused and outcome.readings == 7
    found = {s.integer: s.at_ms for s in queries.samples(store.engine, point="power")}
    assert len(found) == 7, found  # none is lost, none stands for another
    dated = {value: at_ms for value, at_ms in found.items() if at_ms is not None}
    assert dated == {3030: WALL - 20_000, 3040: WALL - 10_000, 3060: WALL + 10_000}
