"""Orders: what runs a command is in memory while one is looked at, and only then."""

import json
import sys

from agent.clock import Clock
from agent.commands import seal
from agent.log import Log
from agent.mac import Mac
from agent.orders import COUNTER_MAX, Orders
from tests.fakes.memory_ground import MemoryGround

KEY = bytes(range(32))
WALL = 1800000000000


class _App:
    """As much of agent/app.App as these commands touch."""

    def __init__(self):
        self.identity = {"gateway": "gw"}
        self.clock = Clock(1)
        self.clock.set_wall(WALL, 0, "x")
        self.log = Log()
        self.now_ms = 0
        self.upgrade = self
        self.tries_settings = True
        self.config = {"uplink": {"tls": True}}


def _command(counter, do, args):
    tree = {"gateway": "gw", "id": "a", "counter": counter, "until_ms": WALL}
    tree.update({"do": do, "args": args})
    return seal(KEY, tree)


def _loaded():
    return [name for name in ("agent.commands", "agent.handlers") if name in sys.modules]


def _forget():
    for name in _loaded():
        del sys.modules[name]


def test_a_forgery_is_counted_and_loads_nothing():
    orders = Orders(_App(), Mac(KEY), MemoryGround())
    payload = bytearray(_command(1, "reboot", {}))
    payload[20] ^= 1
    _forget()
    assert orders.take(bytes(payload), 0) is None
    assert _loaded() == [] and orders.report()["forged"] == 1
    assert Orders(_App(), None, MemoryGround()).take(bytes(payload), 0) is None


def test_a_command_runs_and_what_ran_it_is_dropped():
    orders = Orders(_App(), Mac(KEY), MemoryGround())
    _forget()
    for counter, do, args, wanted in (
        (1, "locate", {"seconds": 5}, (False, "this board has no LED")),
        (2, "reboot", {}, (True, {"in_ms": 3000})),
        (2, "reboot", {}, (False, "old")),
        (3, "log_level", {"level": "debug"}, (True, {"level": "debug", "until": "restart"})),
        (4, "certificate", {"try": True}, (False, "a configuration is on trial")),
        (5, "key", {"drop": True}, (False, "a configuration is on trial")),
    ):
        answer = json.loads(orders.take(_command(counter, do, args), 0))
        assert (answer["ok"], answer.get("result", answer.get("why"))) == wanted
        assert _loaded() == []
    counts = orders.report()
    assert (counts["failed"], counts["done"], counts["old"]) == (3, 2, 1)
    assert orders.is_restart_due(3000) and not orders.is_restart_due(2999)


def test_a_command_is_not_repeated_after_a_restart_and_a_damaged_counter_refuses_all():
    ground = MemoryGround()
    assert json.loads(Orders(_App(), Mac(KEY), ground).take(_command(7, "reboot", {}), 0))["ok"]
    again = json.loads(Orders(_App(), Mac(KEY), ground).take(_command(7, "reboot", {}), 0))
    assert again["why"] == "old"
    ground.begin("counter")
    ground.put(b"nonsense!", 0, 9)
    ground.commit()
    orders = Orders(_App(), Mac(KEY), ground)
    last = json.loads(orders.take(_command(COUNTER_MAX, "reboot", {}), 0))
    assert last["why"] == "old" and orders.report()["why"] == "the command counter is damaged"


def test_a_counter_that_the_flash_did_not_give_at_the_start_is_read_again_when_it_is_wanted():
    ground = MemoryGround()
    payload = _command(7, "locate", {"seconds": 5})
    Orders(_App(), Mac(KEY), ground).take(payload, 0)
    ground.fail = 2
    orders = Orders(_App(), Mac(KEY), ground)
    assert "cannot be read" in orders.report()["why"]
    again = _command(8, "locate", {"seconds": 5})
    assert json.loads(orders.take(again, 0))["why"] == "old"  # not yet: everything is refused
    assert json.loads(orders.take(payload, 0))["why"] == "old"  # it was taken once
    assert json.loads(orders.take(again, 0))["why"] == "this board has no LED"
    assert "why" not in orders.report()
