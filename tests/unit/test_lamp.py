"""What the LED says, in virtual time: its flashes can be counted, the worst comes first."""

from agent import meter as meters
from agent.clock import Clock
from agent.lamp import PATTERNS, STEP_MS, Lamp, is_lit
from drivers.ticks import ticks_add

_WRAP = (1 << 30) - 5000


class _Meter:
    def __init__(self, state):
        self.state = state


class _World:
    """An App and a Link, as far as a lamp looks at them."""

    def __init__(self, *states):
        self.clock = Clock(1)
        self.now_ms = _WRAP
        self.clock.tick(_WRAP)
        self.meters = [_Meter(state) for state in states]
        self.journal = self.orders = self
        self.acked = 0
        self.next = 1
        self.is_up = True
        self.uplinks = True
        self.sleep = None
        self.is_wanted = False
        self.lamp = Lamp(self, self)

    def is_located(self, now_ms):
        return self.is_wanted

    def after(self, seconds):
        for _ in range(seconds):
            self.now_ms = ticks_add(self.now_ms, 1000)
            self.clock.tick(self.now_ms)
            state = self.lamp.state()
        return state


def _flashes(state):
    """Count what a person sees from dark to dark; None: it never pauses for long."""
    lit = [is_lit(state, STEP_MS * i) for i in range(120)]
    text = "".join(["#" if on else "-" for on in lit])
    groups = [group for group in text.split("-" * 6) if group.strip("-")]
    counts = [len([part for part in group.split("-") if part]) for group in groups[1:-1]]
    return counts[0] if counts and set(counts) == {counts[0]} else None


def test_each_state_is_told_from_every_other_by_counting():
    counted = {state: _flashes(state) for state in PATTERNS}
    assert counted == {
        "locate": None,
        "waiting": None,
        "starting": None,
        "no meter": 2,
        "no network": 3,
        "no collector": 4,
        "healthy": 1,
    }
    assert len(set(PATTERNS.values())) == len(PATTERNS)
    # What pauses not at all: steady, quick and even, slow and even.
    assert PATTERNS["starting"] == "#" and PATTERNS["locate"] == "#-"
    assert PATTERNS["waiting"] == "#" * 4 + "-" * 4, "boot.py switches it each second"
    for pattern in PATTERNS.values():
        assert pattern[0] == "#" and not pattern.strip("#-")


def test_a_start_is_steady_until_a_meter_is_heard_or_for_two_minutes():
    world = _World(meters.WAITING, meters.WAITING)
    assert world.after(119) == "starting" and is_lit("starting", 12345)
    assert world.after(1) == "no meter"
    world.meters[1].state = meters.OK
    assert world.after(1) == "healthy"
    world.meters[1].state = meters.GARBLED
    world.meters[0].state = meters.SILENT
    assert world.after(1) == "no meter"
    assert _World().after(1) == "healthy", "a gateway without meters misses none"


def test_network_and_collector_are_told_apart():
    world = _World(meters.OK)
    world.is_up = False
    assert world.after(1) == "no network"
    world.is_up = True
    world.next = 5
    assert world.after(299) == "healthy" and world.after(1) == "no collector"
    world.acked = 2
    assert world.after(1) == "healthy" and world.after(300) == "no collector"
    world.acked = 4
    assert world.after(1000) == "healthy", "nothing waits"


def test_who_looks_for_it_finds_it_whatever_else_is_wrong():
    world = _World(meters.SILENT)
    world.is_up = False
    world.is_wanted = True
    assert world.after(1) == "locate"
    assert [is_lit("locate", STEP_MS * i) for i in range(4)] == [True, False, True, False]


def test_a_wake_that_does_not_send_complains_of_no_network():
    world = _World(meters.OK)
    world.is_up = world.uplinks = False
    assert world.after(1) == "no network"
    world.sleep = world
    assert world.after(1) == "healthy"
