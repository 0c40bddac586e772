"""Pulses and contacts in the whole App: power cuts, flash wear, events at once."""

# Two whole gateways and copies of their flash:
# heap: 1m

import json

from agent.app import App
from agent.clock import Clock
from agent.config import validate
from agent.journal import Journal
from agent.log import Log
from agent.record import EVENT, check_record
from firmware.hal.edges import Edges
from tests.fakes.memory_ground import MemoryGround

_START_MS = 1_800_000_000_000
_MAX_LOSS_S = 10
_METERS = (
    {
        "name": "water",
        "port": "inputs",
        "protocol": "pulse",
        "map": "pulse_volume",
        "interval_s": 900,
        "options": {"input": 1, "start": 1000},
    },
    {
        "name": "lid",
        "port": "inputs",
        "protocol": "contact",
        "map": "contact_tamper",
        "interval_s": 900,
        "options": {"input": 2},
    },
)


def _tree(meters=_METERS):
    return {
        "gateway": "gw",
        "board": "host",
        "ports": [{"name": "inputs", "kind": "pins", "pins": ["in1", "in2"]}],
        "meters": list(meters),
        "journal": {"max_loss_s": _MAX_LOSS_S},
        "privacy": {"key": "00" * 32},
    }


class _World:
    """A gateway with two inputs, on virtual time."""

    def __init__(self, ground, now_ms=0, meters=_METERS, levels=(1, 0)):
        config, problems = validate(_tree(meters))
        assert problems == [], problems
        self.ground = ground
        self.now_ms = now_ms
        clock = Clock(3)
        clock.set_wall(_START_MS + now_ms, now_ms, "sntp")
        journal = Journal(ground, lambda: 1, 65536)
        identity = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity.update({"runtime": "test", "boot": 3})
        self.app = App(config, journal, clock, identity, lambda n: 0, Log(), lambda: (1, 1))
        self.app.start(now_ms, "power")
        self.bus = self.app.buses[0]
        self.edges = Edges(2)
        for index, level in enumerate(levels):
            self.edges.note(index, level, now_ms)
        self.bus.opened(now_ms)

    def run(self, ms, pulse_every_ms=0):
        """Let so much time pass, in steps of the port's task."""
        for _ in range(ms // 20):
            self.now_ms += 20
            if pulse_every_ms:
                self.edges.note(0, 0 if self.now_ms % pulse_every_ms < 60 else 1, self.now_ms)
            self.bus.step(self.now_ms, self.now_ms * 1000)
            count = self.edges.readinto(self.bus.rx)
            if count:
                self.bus.received(count, self.now_ms, self.now_ms * 1000)
            if self.now_ms % 200 == 0:
                self.app.step(self.now_ms)

    @property
    def total(self):
        """Pulses counted."""
        return self.app.meters[0].driver.carried

    def events(self):
        """Return (what, meter, at_ms) of each event that is durable."""
        found = []
        journal = self.app.journal
        out = bytearray(4100)
        seq = journal.first
        while True:
            seq, length = journal.read_from(seq, out)
            if not length:
                return found
            kind, _, _, start, end = check_record(out, 0, length)
            if kind == EVENT:
                told = json.loads(bytes(out[start:end]))
                found.append((told["what"], told["meter"], told["at_ms"]))
            seq += 1


def test_a_power_cut_costs_at_most_max_loss_and_one_pulse():
    every_ms = 500
    for off_ms in (300, 9_800, 10_020, 15_000, 33_340):
        world = _World(MemoryGround())
        world.run(20_000 + off_ms, every_ms)
        counted = world.total
        assert counted >= (20_000 + off_ms) // every_ms - 1
        world = _World(world.ground.cut(), world.now_ms)
        missing = counted - world.total
        assert 0 <= missing <= _MAX_LOSS_S * 1000 // every_ms + 1, (off_ms, missing)
        world.run(5_000, every_ms)
        assert world.total >= counted - missing + 5_000 // every_ms - 1


def test_cuts_again_and_again_never_take_the_total_back_further():
    ground = MemoryGround()
    now_ms = 0
    before = 0
    for life in range(20):
        world = _World(ground, now_ms)
        assert world.total >= before
        before = world.total
        world.run(3_000 + 700 * life, 1000)
        ground = world.ground.cut()
        now_ms = world.now_ms + 3_000
    assert before > 70


def test_pulses_cost_the_flash_nothing():
    still = _World(MemoryGround())
    still.run(120_000)
    busy = _World(MemoryGround())
    busy.run(120_000, 200)
    assert busy.total > 500
    assert busy.ground.writes == still.ground.writes


def test_a_total_belongs_to_its_meter_wherever_that_stands():
    world = _World(MemoryGround())
    world.run(15_000, 500)
    counted = world.total
    turned = _World(world.ground.cut(), world.now_ms, (_METERS[1], _METERS[0]))
    assert counted - 25 <= turned.app.meters[1].driver.carried <= counted
    other = dict(_METERS[0], options={"input": 1, "start": 7})
    assert _World(world.ground.cut(), 0, (other,)).total == 0


def test_a_lid_that_opens_is_an_event_that_is_durable_at_once():
    world = _World(MemoryGround())
    world.run(1_000)
    world.edges.note(1, 1, world.now_ms + 5)
    opened_ms = world.now_ms + 5
    world.run(100)
    assert world.events() == [("tamper", "lid", _START_MS + opened_ms)]
    cut = _World(world.ground.cut(), world.now_ms, levels=(1, 1))
    assert cut.events() == world.events()


def test_a_lid_that_was_opened_without_power_is_told_at_the_start():
    world = _World(MemoryGround())
    world.run(12_000)
    world = _World(world.ground.cut(), world.now_ms + 60_000, levels=(1, 1))
    world.run(100)
    assert [what for what, _, _ in world.events()] == ["tamper"]
    world.run(15_000)
    world = _World(world.ground.cut(), world.now_ms + 60_000, levels=(1, 1))
    world.run(1_000)
    assert [what for what, _, _ in world.events()] == ["tamper"]  # it is still that one


def test_a_persons_door_is_no_event():
    personal = dict(_METERS[1], personal=True)
    world = _World(MemoryGround(), meters=(personal,))
    world.run(1_000)
    world.edges.note(1, 1, world.now_ms)
    world.run(500)
    assert world.events() == []


def test_a_period_gives_total_and_flow():
    world = _World(MemoryGround())
    world.run(900_000 - world.now_ms % 900_000, 3000)  # the schedule is aligned to the clock
    world.run(900_000, 3000)
    meter = world.app.meters[0]
    assert meter.values == [1000 + world.total, 1200]


def test_inputs_and_protocols_that_do_not_go_together_are_problems():
    tree = _tree()
    tree["ports"][0]["pins"] = []
    tree["ports"].append({"name": "line"})
    tree["meters"].append(dict(_METERS[0], name="a", port="line"))
    tree["meters"].append(dict(_METERS[0], name="b", protocol="tic", map="linky_standard"))
    problems = "\n".join(validate(tree)[1])
    assert "ports[0].pins: 0 inputs" in problems
    assert "ports[1].uart: is required" in problems
    assert "meters[2].port: pulse and a port of kind uart" in problems
    assert "meters[3].port: tic and a port of kind pins" in problems
