"""Commands against a broker that forges, repeats, redirects and delays them."""

import json

from agent import commands
from agent.clock import Clock

KEY = bytes(range(32))
WALL = 1800000000000


class _Bench:
    def __init__(self, last=0, is_set=True):
        self.clock = Clock(1)
        if is_set:
            self.clock.set_wall(WALL, 0, "x")
        self.saved = []
        self.ran = []
        handlers = {"locate": self._locate, "cannot": self._cannot}
        self.commands = commands.Commands(
            "gw", commands.Mac(KEY), self.clock, last, self.saved.append, handlers
        )

    def _locate(self, args):
        if self.saved[-1:] != [self.commands.last]:
            raise AssertionError("ran before its counter was durable")
        self.ran.append(args)
        return "blinking"

    def _cannot(self, args):
        raise commands.CannotDo("no LED")

    def take(self, payload):
        answer = self.commands.take(payload, 0)
        return answer and json.loads(answer)


def _command(counter=1, gateway="gw", do="locate", until_ms=WALL, key=KEY):
    tree = {"gateway": gateway, "id": "a", "counter": counter, "until_ms": until_ms}
    tree.update({"do": do, "args": {"s": 5}})
    return commands.seal(key, tree)


def test_an_authentic_command_runs_once_and_is_answered():
    bench = _Bench()
    payload = _command()
    assert bench.take(payload) == {"id": "a", "counter": 1, "ok": True, "result": "blinking"}
    assert bench.take(payload)["why"] == "old"
    assert bench.ran == [{"s": 5}] and bench.saved == [1]


def test_a_replay_after_a_restart_is_old():
    bench = _Bench(last=1)
    assert bench.take(_command())["why"] == "old"
    assert bench.take(_command(2))["ok"]


def test_every_flipped_bit_is_a_forgery_without_an_answer():
    bench = _Bench()
    payload = _command()
    for bit in range(8 * len(payload)):
        bad = bytearray(payload)
        bad[bit // 8] ^= 1 << bit % 8
        assert bench.take(bytes(bad)) is None
    for cut in range(len(payload)):
        assert bench.take(payload[:cut]) is None
    assert bench.take(_command(key=bytes(32))) is None
    assert bench.ran == [] and bench.saved == []
    assert bench.commands.counts["forged"] == 9 * len(payload) + 1


def test_a_command_for_another_gateway_is_a_forgery_here():
    bench = _Bench()
    assert bench.take(_command(gateway="other")) is None


def test_expired_commands_and_an_unset_clock_refuse():
    assert _Bench().take(_command(until_ms=WALL - 1))["why"] == "expired"
    bench = _Bench(is_set=False)
    assert bench.take(_command())["why"] == "clock_unset"
    assert bench.ran == [] and bench.saved == []


def test_unknown_and_failing_commands_say_why():
    bench = _Bench()
    assert bench.take(_command(1, do="fly"))["why"] == "no command fly"
    assert bench.take(_command(2, do="cannot"))["why"] == "no LED"


def test_authentic_nonsense_is_malformed():
    bench = _Bench()
    mac = commands.Mac(KEY)
    good = {"gateway": "gw", "id": "a", "counter": 1, "until_ms": 1, "do": "x", "args": {}}
    bodies = [b"", b"[]", b"{", b"1", b'"x"']
    for name in good:
        for value in (None, [], -1, 1.5, True):
            tree = dict(good)
            tree[name] = value
            bodies.append(json.dumps(tree).encode())
    for body in bodies:
        answer = bench.take(body + mac.tag(b"cmdgw", body))
        assert answer["why"] == "malformed", body
    assert bench.saved == []
