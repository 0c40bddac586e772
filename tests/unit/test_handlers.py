"""What each command does, and what it refuses: on an App that notes what it was told."""

from agent.clock import Clock
from agent.handlers import Handlers
from agent.log import DEBUG, Log
from agent.mac import Mac
from agent.orders import RESTART_MS, CannotDo, Orders
from tests.fakes.memory_ground import MemoryGround


class _Meter:
    def __init__(self, shown):
        self.shown = shown


class _Upgrade:
    """As much of agent/upgrade.Upgrade as commands reach."""

    def __init__(self, told):
        self._told = told
        self.tries_settings = False

    def ask_maintenance(self, minutes):
        self._told.append(("stop", minutes))

    def order(self, args):
        return self._note("update", args)

    def configure(self, args):
        return self._note("configure", args)

    def offered(self, offer):
        self._note("offered", offer)

    def _note(self, what, args):
        self._told.append((what, args))
        return {"took": what}


class _Taker:
    """agent/keys.Keys and agent/certificates.Certificates take an order alike."""

    def __init__(self, name):
        self._name = name

    def order(self, args):
        return {self._name: args}


class _App:
    """As much of agent/app.App as commands touch."""

    def __init__(self):
        self.identity = {"gateway": "gw"}
        self.clock = Clock(1)
        self.log = Log()
        self.now_ms = 5000
        self.meters = [_Meter("main"), _Meter("pv")]
        self.config = {"uplink": {"tls": True}}
        self.told = []
        self.upgrade = None
        self.make_upgrade = None
        self.refused = ""
        self.purge = None

    def ask_now(self, meter):
        return meter.shown != self.refused

    def set_interval(self, meter, interval_s):
        self.told.append((meter.shown, interval_s))

    def note_event(self, what, why, meter="", at=None):
        self.told.append((what, why))

    def load_certificates(self):
        return _Taker("certificate")

    def load_keys(self):
        return _Taker("key")


def _orders(ground=None):
    return Orders(_App(), Mac(bytes(32)), ground or MemoryGround())


def _do(orders, name, **args):
    try:
        return Handlers(orders).table[name](args)
    except CannotDo as error:
        return str(error)


def test_meters_are_asked_now_by_name_or_all():
    orders = _orders()
    assert _do(orders, "read_now") == {"asked": ["main", "pv"]}
    assert _do(orders, "read_now", meter="pv") == {"asked": ["pv"]}
    assert _do(orders, "read_now", meter="other") == "no meter other"
    orders.app.refused = "main"  # it only listens, or its port is closed
    assert _do(orders, "read_now") == {"asked": ["pv"]}


def test_an_interval_is_set_for_one_meter_within_a_second_and_a_day():
    orders = _orders()
    for interval_s in (1, 86400):
        answer = {"meter": "pv", "interval_s": interval_s, "until": "restart"}
        assert _do(orders, "set_interval", meter="pv", interval_s=interval_s) == answer
    for interval_s in (0, 86401, True, "5", None, 5.0):
        answer = _do(orders, "set_interval", meter="pv", interval_s=interval_s)
        assert "is not a whole number within 1 .. 86400" in answer, interval_s
    assert _do(orders, "set_interval", interval_s=5) == "no meter "
    assert orders.app.told == [("pv", 1), ("pv", 86400)]


def test_the_log_takes_its_four_levels():
    orders = _orders()
    assert _do(orders, "log_level", level="debug") == {"level": "debug", "until": "restart"}
    assert orders.app.log.level == DEBUG
    assert "'loud' is not one of" in _do(orders, "log_level", level="loud")
    assert "None is not one of" in _do(orders, "log_level")
    assert orders.app.log.level == DEBUG


def test_maintenance_is_told_while_it_lasts_and_keeps_a_gateway_awake():
    orders = _orders()
    clock = orders.app.clock
    assert orders.report()["maintenance_s"] == 0 and not orders.keeps_awake()
    assert _do(orders, "maintenance", minutes=2) == {"minutes": 2}
    assert orders.report()["maintenance_s"] == 120 and orders.keeps_awake()
    clock.uptime_ms += 119_001
    assert orders.report()["maintenance_s"] == 0 and orders.keeps_awake()
    clock.uptime_ms += 999
    assert orders.report()["maintenance_s"] == 0 and not orders.keeps_awake()
    assert _do(orders, "maintenance", minutes=1440) == {"minutes": 1440}
    assert _do(orders, "maintenance", minutes=0) == {"minutes": 0}
    assert not orders.keeps_awake()
    assert "within 0 .. 1440" in _do(orders, "maintenance", minutes=1441)
    assert "within 0 .. 1440" in _do(orders, "maintenance", minutes=-1)
    assert orders.app.told[:2] == [("maintenance", "2 min"), ("maintenance", "1440 min")]


def test_a_stop_for_the_cable_restarts_where_there_are_slots():
    orders = _orders()
    assert _do(orders, "maintenance", minutes=5, stop=True) == "this gateway has no slots"
    assert not orders.is_restart_due(10**6)
    orders.app.make_upgrade = lambda: _Upgrade(orders.app.told)
    assert "within 1 .. 60" in _do(orders, "maintenance", minutes=61, stop=True)
    assert "within 1 .. 60" in _do(orders, "maintenance", minutes=0, stop=True)
    assert not orders.app.told
    answer = {"minutes": 60, "in_ms": RESTART_MS}
    assert _do(orders, "maintenance", minutes=60, stop=True) == answer
    assert orders.app.told == [("stop", 60), ("maintenance", "stopped for 60 min")]
    assert orders.is_restart_due(5000 + RESTART_MS) and orders.keeps_awake()
    assert _do(orders, "maintenance", minutes=5, stop=1) == {"minutes": 5}  # only true stops


def test_the_led_blinks_for_so_long_where_there_is_one():
    orders = _orders()
    assert _do(orders, "locate", seconds=5) == "this board has no LED"
    orders.has_led = True
    assert not orders.is_located(5000)
    assert "within 1 .. 600" in _do(orders, "locate", seconds=601)
    assert "within 1 .. 600" in _do(orders, "locate", seconds=0)
    assert _do(orders, "locate", seconds=600) == {"seconds": 600}
    assert orders.is_located(5000) and orders.is_located(604_999) and orders.keeps_awake()
    assert not orders.is_located(605_000) and not orders.keeps_awake()


def test_whoever_asks_for_a_restart_twice_does_not_put_it_off():
    orders = _orders()
    assert _do(orders, "reboot") == {"in_ms": RESTART_MS}
    orders.app.now_ms += 2000
    assert _do(orders, "reboot") == {"in_ms": RESTART_MS}
    assert orders.is_restart_due(5000 + RESTART_MS)
    assert not orders.is_restart_due(4999 + RESTART_MS)


def test_keys_and_certificates_are_taken_unless_a_configuration_is_on_trial():
    orders = _orders()
    for name in ("key", "certificate"):
        assert _do(orders, name, a=1) == {name: {"a": 1}}
        orders.app.upgrade = _Upgrade([])
        assert _do(orders, name, a=1) == {name: {"a": 1}}
        orders.app.upgrade.tries_settings = True
        assert _do(orders, name, a=1) == "a configuration is on trial"
        orders.app.upgrade = None
    orders.app.config["uplink"]["tls"] = False
    assert _do(orders, "certificate") == "the uplink has no TLS"


def test_updates_and_configurations_need_slots():
    orders = _orders()
    for name in ("update", "configure"):
        assert _do(orders, name, offer="00") == "this gateway has no slots"
    orders.app.make_upgrade = lambda: _Upgrade(orders.app.told)
    assert _do(orders, "update", offer="00") == {"took": "update"}
    assert _do(orders, "configure", a=1) == {"took": "configure"}
    assert orders.app.told == [("update", {"offer": "00"}), ("configure", {"a": 1})]


def test_a_purge_is_made_once_and_goes_on():
    class Purge:
        count = 0

        def begin(self):
            self.count += 1
            return {"segments": self.count}

    orders = _orders()
    orders.app.purge = Purge()
    assert [_do(orders, "purge") for _ in range(2)] == [{"segments": 1}, {"segments": 2}]


def test_an_offer_that_was_tried_or_cannot_be_remembered_is_not_taken():
    ground = MemoryGround()
    orders = _orders(ground)
    told = orders.app.told
    offer = bytes(range(64))
    orders.offered(offer)  # no slots: nothing to do it with
    orders.app.make_upgrade = lambda: _Upgrade(told)
    orders.offered(offer)
    assert told == [("offered", offer)]
    ground.slots["tried"] = offer[52:56]
    orders.offered(offer)
    assert len(told) == 1
    ground.slots["tried"] = b"abcd"  # another one was
    orders.offered(offer)
    assert len(told) == 2
    ground.fail = 1
    orders.offered(offer)
    assert len(told) == 2
    orders.ground = None
    orders.offered(offer)
    assert len(told) == 2


def test_a_counter_that_cannot_be_read_refuses_every_command():
    ground = MemoryGround()
    ground.fail = 1
    orders = _orders(ground)
    assert "cannot be read" in orders.report()["why"]
    orders = Orders(_App(), Mac(bytes(32)), None)
    assert "why" not in orders.report()
    try:
        orders._save(1)
    except OSError:
        pass
    else:
        assert False, "a counter that nobody keeps"
