"""A compromised broker against the whole App: it runs nothing, changes nothing, frees nothing.

The broker here owns the session: it reads every byte, forges, repeats, redirects, delays and
damages. What it can do is to drop or delay; what it cannot do is tested one by one.
"""

# Two whole gateways and copies of their flash:
# heap: 1m

import json

from agent import log as log_
from agent.app import App
from agent.clock import Clock
from agent.commands import seal
from agent.config import validate
from agent.journal import Journal
from agent.keys import following, name_of
from agent.log import Log
from agent.mac import Mac
from agent.record import EVENT
from tests.fakes.broker import Broker, pump
from tests.fakes.memory_ground import MemoryGround

KEY = bytes(range(32))
WALL = 1800000000000
CMD = b"eclor/1/gw/cmd"
ACK = b"eclor/1/gw/ack"


class _CollectingBroker(Broker):
    """Keeps what the gateway publishes under `result` and `state`."""

    def __init__(self):
        super().__init__(b"gw")
        self.acks = False  # the honest collector is silent: every ack here is the attacker's
        self.results = []
        self.states = []

    def _publish(self, first, body):
        end = 2 + int.from_bytes(body[:2], "big")
        payload = body[end + 2 :] if first & 6 else body[end:]
        if body[2:end].endswith(b"/result"):
            self.results.append(json.loads(payload))
        elif body[2:end].endswith(b"/state"):
            self.states.append(json.loads(payload))
        super()._publish(first, body)


class _World:
    """A gateway with one meter that nobody answers for, on line with a broker of the enemy."""

    def __init__(self, key=KEY, grounds=None):
        tree = {
            "gateway": "gw",
            "board": "host",
            "ports": [{"name": "line", "uart": "uart1"}],
            "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm120"}],
            "uplink": {"key": "".join(["%02x" % b for b in key])},
        }
        self.config, problems = validate(tree)
        assert problems == [], problems
        self.grounds = grounds or (MemoryGround(), MemoryGround())
        clock = Clock(7)
        clock.set_wall(WALL, 0, "sntp")
        journal = Journal(self.grounds[0], lambda: 1, 65536)
        identity: dict = {"gateway": "gw", "site": "", "board": "host", "version": "1"}
        identity.update({"runtime": "test", "boot": 7})
        log = Log()
        self.app = App(
            self.config,
            journal,
            clock,
            identity,
            lambda n: 0,
            log,
            lambda: (1, 1),
            self.grounds[1],
        )
        self.app.start(0, "power")
        self.broker = _CollectingBroker()
        self.now_ms = 0
        self.live()

    def live(self, ms=1000):
        end = self.now_ms + ms
        while self.now_ms < end:
            self.now_ms += 200
            self.app.step(self.now_ms)
            pump(self.app.uplink, self.broker, self.now_ms)

    def say(self, topic, payload):
        """Publish to the gateway; return the new results."""
        seen = len(self.broker.results)
        self.broker.send(topic, payload)
        self.live()
        return self.broker.results[seen:]

    def restarted(self):
        """Return the world after a power cut."""
        return _World(KEY, tuple([ground.cut() for ground in self.grounds]))

    def mark(self):
        """Return what an attacker wants to change."""
        app = self.app
        return (
            app.config_hash,
            app.journal.acked,
            app.journal.first,
            app.log.level,
            app.schedule._intervals[:],
            app.orders.is_restart_due(self.now_ms + 3600000),
            app.orders.report()["maintenance_s"],
        )


def _command(
    counter=1, do="set_interval", args=None, gateway="gw", key=KEY, until_ms=WALL + 10**6
):
    tree = {"gateway": gateway, "id": "x", "counter": counter, "until_ms": until_ms, "do": do}
    tree["args"] = {"meter": "m", "interval_s": 5} if args is None else args
    return seal(key, tree)


def test_signed_commands_do_what_they_say_and_are_answered():
    world = _World()
    answer = world.say(CMD, _command(1))[0]
    assert answer["ok"] and answer["result"]["interval_s"] == 5
    assert world.app.schedule._intervals == [5000]
    answer = world.say(CMD, _command(2, "log_level", {"level": "debug"}))[0]
    assert answer["ok"] and world.app.log.level == log_.DEBUG
    assert world.say(CMD, _command(3, "read_now", {}))[0]["result"] == {"asked": ["m"]}
    assert world.say(CMD, _command(4, "maintenance", {"minutes": 2}))[0]["ok"]
    assert 100 <= world.app.orders.report()["maintenance_s"] <= 120
    assert (
        world.say(CMD, _command(5, "locate", {"seconds": 3}))[0]["why"] == "this board has no LED"
    )
    world.app.orders.has_led = True
    assert world.say(CMD, _command(6, "locate", {"seconds": 3}))[0]["ok"]
    assert world.app.orders.is_located(world.now_ms + 2000)
    assert not world.app.orders.is_located(world.now_ms + 4000)
    assert world.say(CMD, _command(7, "reboot", {}))[0]["ok"]
    assert not world.app.orders.is_restart_due(world.now_ms)
    assert world.app.orders.is_restart_due(world.now_ms + 3000)


def test_wrong_arguments_are_answered_and_change_nothing():
    world = _World()
    before = world.mark()
    wrong: tuple = (
        ("set_interval", {"meter": "m", "interval_s": 0}),
        ("set_interval", {"meter": "m", "interval_s": True}),
        ("set_interval", {"meter": "m", "interval_s": "5"}),
        ("set_interval", {"interval_s": 5}),
        ("set_interval", {"meter": ["m"], "interval_s": 5}),
        ("read_now", {"meter": "other"}),
        ("log_level", {"level": "loud"}),
        ("log_level", {}),
        ("maintenance", {"minutes": 1441}),
        ("exec", {"code": "1"}),
        ("__init__", {}),
        ("config", {"uplink": {}}),
    )
    for i, (do, args) in enumerate(wrong):
        answer = world.say(CMD, _command(i + 1, do, args))[0]
        assert not answer["ok"] and answer["why"], (do, args)
    assert world.mark() == before


def test_a_broker_without_the_key_moves_nothing():
    world = _World()
    before = world.mark()
    good = _command(1)
    attempts = [b"", b"{}", good[:-16], good[:-1], bytes(16) + good, good + b" "]
    attempts += [_command(1, key=bytes(32)), _command(1, gateway="gw2"), bytes(4000)]
    for at in range(0, len(good), 7):
        bad = bytearray(good)
        bad[at] ^= 1
        attempts.append(bytes(bad))
    for payload in attempts:
        assert world.say(CMD, payload) == [], payload
    assert world.mark() == before
    world.live(11000)  # the next state message carries the count
    assert world.broker.states[-1]["commands"]["forged"] == len(attempts) - 1, "b'' is no attempt"


def test_old_and_expired_commands_are_refused_across_a_power_cut():
    world = _World()
    first = _command(5)
    assert world.say(CMD, first)[0]["ok"]
    assert world.say(CMD, first)[0]["why"] == "old"
    assert world.say(CMD, _command(4))[0]["why"] == "old"
    assert world.say(CMD, _command(6, until_ms=WALL - 1))[0]["why"] == "expired"
    after = world.restarted()
    assert after.say(CMD, first)[0]["why"] == "old"
    assert after.app.schedule._intervals == [60000]
    assert after.say(CMD, _command(6))[0]["ok"]


def test_a_counter_that_cannot_be_kept_or_read_runs_nothing():
    world = _World()
    world.grounds[1].fail = 1
    assert "cannot be kept" in world.say(CMD, _command(1))[0]["why"]
    assert world.app.schedule._intervals == [60000]
    assert world.say(CMD, _command(2))[0]["ok"]
    damaged = world.grounds[1].slots
    damaged["counter"] = damaged["counter"][:-1] + b"?"
    after = world.restarted()
    assert after.say(CMD, _command(3))[0]["why"] == "old"
    assert after.app.orders.report()["why"] == "the command counter is damaged"


def test_without_a_key_every_command_is_refused_and_counted():
    world = _World(key=b"")
    before = world.mark()
    assert world.say(CMD, _command(1)) == []
    assert world.say(CMD, _command(1)[:-16]) == []
    assert world.mark() == before
    assert world.app.orders.report()["unsigned"] == 2


def test_a_forged_acknowledgement_frees_no_reading():
    world = _World()
    journal = world.app.journal
    stored = journal.durable
    assert stored >= 2
    numbers = journal.journal_id.to_bytes(4, "big") + stored.to_bytes(4, "big")
    before = world.mark()
    for tag in (
        b"",
        bytes(16),
        Mac(bytes(32)).tag(b"ackgw", numbers),
        Mac(KEY).tag(b"ackgw2", numbers),
    ):
        world.say(ACK, numbers + tag)
    assert world.mark() == before and journal.acked == 0
    world.say(ACK, numbers + Mac(KEY).tag(b"ackgw", numbers))
    assert journal.acked == stored


def test_genuine_words_in_the_wrong_place_or_time_do_nothing():
    """What the collector really signed, given again, elsewhere, retained, or to the wrong ear."""
    world = _World()
    journal = world.app.journal

    def signed(journal_id, seq, context=b"ackgw"):
        numbers = journal_id.to_bytes(4, "big") + seq.to_bytes(4, "big")
        return numbers + Mac(KEY).tag(context, numbers)

    for seq in (1, 2):
        world.say(ACK, signed(journal.journal_id, seq))
    assert journal.acked == 2
    before = world.mark()
    command = _command(1)
    for topic, payload in (
        (ACK, signed(journal.journal_id, 1)),  # an older one again
        (ACK, signed(journal.journal_id ^ 1, 2)),  # of another journal
        (ACK, signed(journal.journal_id, journal.next)),  # of what was never written
        (ACK, signed(journal.journal_id, 0xFFFFFFFF)),
        (ACK, command),  # a command as an acknowledgement
        (CMD, signed(journal.journal_id, 2)),  # and the other way round
        (CMD, signed(journal.journal_id, 2, b"cmdgw")),  # signed, but no command
        (b"eclor/1/gw2/cmd", command),  # to another gateway
        (b"eclor/1/gw/cmd/", command),
        (b"eclor/1/gw", command),
        (b"eclor/1/gw/rec", signed(journal.journal_id, 2)),
    ):
        world.say(topic, payload)
        assert world.mark() == before and journal.acked == 2, (topic, payload)
    assert world.app.uplink.state == "online"


def test_a_retained_command_runs_once_and_never_after_a_restart():
    world = _World()
    packet = bytearray(_publish(CMD, _command(1, "set_interval")))
    packet[0] |= 1  # kept by the broker for whoever subscribes
    for _ in range(3):
        world.broker.out += bytes(packet)
        world.live()
    assert [r["ok"] for r in world.broker.results] == [True, False, False]
    after = world.restarted()
    after.broker.out += bytes(packet)
    after.live()
    assert [r["why"] for r in after.broker.results] == ["old"]
    assert after.app.schedule._intervals == [60000]


def test_packets_that_no_broker_may_send_end_the_session_and_free_nothing():
    command = _command(1)
    for packet in (
        b"\x32" + _publish(CMD, b"\x00\x07" + command)[1:],  # at QoS 1, subscribed at 0
        b"\x34" + _publish(CMD, b"\x00\x07" + command)[1:],
        b"\x20\x02\x00\x00",  # a second CONNACK
        b"\x90\x04\x00\x01\x00\x00",  # a SUBACK nobody waits for
        b"\x30\xff\xff\xff\x7f",  # 256 MB are coming
        b"\x30\xff\xff\xff\xff\x01",
        b"\x30\x00",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",  # CONNECT, to us
        b"\x82\x06\x00\x01\x00\x01#\x00",
        b"\xe0\x00",
    ):
        world = _World()
        before = world.mark()
        world.broker.out += packet
        world.live()
        assert world.app.uplink.counters["malformed"] == 1, packet
        assert world.mark() == before and world.broker.results == []
        world.live(310000)
        assert world.say(CMD, _command(1))[0]["ok"], packet  # it comes back and serves


def test_forged_pubacks_open_the_window_and_free_nothing():
    world = _World()
    for _ in range(300):
        world.app.journal.append(EVENT, b"{}", 0, 2)
        world.app.journal.sync()
    for packet_id in range(65536, 0, -97):
        world.broker.out += b"\x40\x02" + (packet_id % 65536).to_bytes(2, "big")
    world.live(100000)
    assert world.app.journal.acked == 0 and world.app.journal.first == 1
    assert len(set(world.broker.arrived)) <= 64  # no further ahead than configured


def _publish(topic, payload):
    broker = Broker(b"gw")
    broker.send(topic, payload)
    return broker.out


def test_a_key_is_replaced_by_one_that_the_broker_cannot_derive():
    world = _World()
    nonce = "5a" * 32
    answer = world.say(CMD, _command(1, "key", {"nonce": nonce}))[0]
    after = following(KEY, "gw", bytes.fromhex(nonce))
    assert answer["ok"] and answer["result"] == {"trial": name_of(after)}
    journal = world.app.journal
    numbers = journal.journal_id.to_bytes(4, "big") + journal.durable.to_bytes(4, "big")
    guesses = (bytes.fromhex(nonce), following(bytes(32), "gw", bytes.fromhex(nonce)))
    for key in guesses:  # all that the broker has seen is the number
        world.say(ACK, numbers + Mac(key).tag(b"ackgw", numbers))
    assert journal.acked == 0
    world.say(ACK, numbers + Mac(after).tag(b"ackgw", numbers))
    assert journal.acked == int.from_bytes(numbers[4:], "big")
    assert world.say(CMD, _command(2)) == []  # the old key is good for nothing now
    assert world.restarted().say(CMD, _command(3)) == []
    assert world.say(CMD, _command(4, key=after))[0]["ok"]


def test_nonsense_on_the_wire_ends_the_session_and_never_the_gateway():
    world = _World()
    before = world.mark()
    seed = 1
    for _ in range(60):
        noise = bytearray()
        for _ in range(40):
            seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
            noise.append(seed >> 16 & 255)
        world.broker.out += bytes(noise)
        world.live(400)
    assert world.mark() == before
    assert world.app.uplink.counters["malformed"] > 0
    world.live(400000)
    assert world.say(CMD, _command(1))[0]["ok"]


def test_a_command_leaves_its_trace_in_the_journal():
    world = _World()
    world.say(CMD, _command(1))
    world.app.journal.sync()
    world.live()
    events = [r for r in world.broker.stored.values() if r[1] == EVENT]
    assert any(b'"interval"' in r for r in events)
