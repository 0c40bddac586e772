"""Weeks of field life on CPython, days of it on MicroPython too: the same blocks, none lost."""

import json
import shutil
from typing import NamedTuple

import pytest

from agent.mac import TAG_BYTES
from agent.record import EVENT, LOST, check_record, pack_record
from tests.fakes.virtual_collector import CarefulBroker, Collector
from tests.fakes.virtual_meters import sensor_value
from tests.fakes.virtual_verdict import Read, judge
from tests.system.years_world import World
from tests.years import _BROKEN, YearServer, interpreter_for, live_on_micropython


@pytest.fixture(scope="module")
def server():
    server = YearServer()
    yield server
    server.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_weeks_of_trouble_loses_nothing_silently(server, seed):
    found = server.live(seed, 15)
    assert not any(found[name] for name in _BROKEN), found["wrong"]
    assert found["troubles"] > 20 and found["starts"] > 8 and found["declared"] > 8
    whole = found["stored"] + found["superseded"] + found["declared"]
    assert found["answered"] == whole > 1500


def test_a_counter_that_goes_on_between_the_two_requests_of_a_turn_is_not_altered(server):
    found = server.live(700, 10)
    assert not any(found[name] for name in _BROKEN), found["wrong"]


def test_both_runtimes_give_the_same_blocks(server):
    ours, theirs = server.live(3, 6), live_on_micropython(3, 6)
    assert theirs["wrong"] == [] and ours["digest"] == theirs["digest"]
    assert ours["answered"] == theirs["answered"] > 500


def test_a_process_that_ends_is_a_broken_promise_and_the_next_year_is_lived(server):
    server._process.kill()
    assert server.live(1, 1)["broken"] == 1
    assert server.live(1, 1)["broken"] == 0


def test_few_years_are_not_worth_a_slow_start():
    assert interpreter_for(10)[1] == "CPython"


@pytest.mark.skipif(not shutil.which("pypy3"), reason="no pypy3 on this computer")
def test_pypy_gives_the_same_blocks(server):
    python, name = interpreter_for(1000)
    other = YearServer(python)
    found = other.live(3, 6)
    other.close()
    assert name == "PyPy" and found == server.live(3, 6)


def test_no_handshake_goes_by_unlooked_at(monkeypatch):
    world = World(1)
    try:
        monkeypatch.setattr(world, "_refusal", lambda: "the far end closed")
        monkeypatch.setattr(world.app.uplink._backoff, "wait_ms", lambda _hopeless: 0)
        world.run(2000)
        assert world.app.uplink.counters["sessions"] == 0
        assert world.app.uplink.why == "the far end closed"
    finally:
        world.close()


def _say(collector, what, tree):
    """Let a gateway publish that on one of its topics."""
    topic = b"eclor/1/gw/" + what
    packet = len(topic).to_bytes(2, "big") + topic + json.dumps(tree).encode()
    collector._publish(0x30, packet + bytes(TAG_BYTES))


def _publish(broker, seq, kind, payload):
    """Let a gateway publish that record; return what is stored under its number."""
    record = bytearray(200)
    length = pack_record(record, kind, seq, 1, payload, 0, len(payload))
    topic = b"eclor/1/gw/rec"
    packet = len(topic).to_bytes(2, "big") + topic + b"\x00\x07" + bytes(record[:length])
    broker._publish(0x32, packet)
    return broker.stored[seq]


def test_what_was_declared_lost_may_come_after_all_and_nothing_else_changes():
    broker = CarefulBroker(b"gw", 1)
    lost = _publish(broker, 5, LOST, b'{"first": 3, "last": 5}')
    assert _publish(broker, 5, LOST, b'{"first": 4, "last": 5}') == lost
    event = _publish(broker, 5, EVENT, b"it could be read again")
    assert event != lost and broker.changed == []
    assert _publish(broker, 5, LOST, b'{"first": 3, "last": 5}') == event and broker.changed == []
    assert _publish(broker, 5, EVENT, b"something else") == event and broker.changed == [5]


def test_a_restored_collector_declares_what_is_gone_on_both_sides_of_what_came_after_all():
    collector = Collector(b"gw", 1, bytes(32))
    for seq in (1, 2):
        _publish(collector, seq, EVENT, b"kept")
    collector.back_up()
    collector.restore()
    for journal, first in ((99, 1), (1, 10)):  # the first one of a gateway without its flash
        _say(collector, b"birth", {"journal": journal, "first": first})
    for seq in (5, 6, 10):  # its acknowledgement was lost with the flash
        _publish(collector, seq, EVENT, b"again")
    found = []
    for row in collector.records():
        kind, seq, _, start, end = check_record(row, 0, len(row))
        tree = json.loads(row[start:end]) if kind == LOST else {"first": seq, "last": seq}
        found.append((kind, tree["first"], tree["last"]))
    kept = [(EVENT, seq, seq) for seq in (1, 2, 5, 6, 10)]
    assert found == [*kept[:2], (LOST, 3, 4), *kept[2:4], (LOST, 7, 9), kept[4]]


class _Block(NamedTuple):
    """What the oracle looks at of a block."""

    rows: tuple[tuple[int, list[int | None], bytes], ...]
    meter: int = 0
    clock: int = 1
    boot: int = 1


class _Sensor(NamedTuple):
    heard: dict[int, int]


@pytest.mark.parametrize("is_declared", [False, True])
def test_what_is_declared_between_a_wrong_clock_and_a_right_one_is_not_lost(is_declared):
    hour_ms, ahead_ms = 3600_000, 80 * 3600_000
    heard = {1: hour_ms, 2: 2 * hour_ms, 7: 7 * hour_ms}  # 3 to 6 are missing
    ledger = [(0, n, at_ms + (ahead_ms if n < 3 else 0)) for n, at_ms in heard.items()]
    offs = {(0, 1): ahead_ms, (0, 2): ahead_ms}
    read = Read([], ledger, [], 0, 8 * hour_ms, offs, {}, [(0, 0)])
    blocks = [
        _Block(tuple((at_ms, [sensor_value(n)], b"") for _, n, at_ms in part))
        for part in (ledger[:2], ledger[2:])
    ]
    for block in blocks:
        for at_ms, values, quality in block.rows:
            read._take(0, at_ms, values, quality)
    if is_declared:
        read._take_hole(blocks, 1, {}, 0, 8 * hour_ms)
    verdict = judge(read, ledger, [], _Sensor(heard), hour_ms, [])
    assert (verdict.stored, verdict.declared) == (3, 1 if is_declared else 0)
    assert len(verdict.lost) == (0 if is_declared else 1)


class _Meter(NamedTuple):
    is_counter: bool = False


@pytest.mark.parametrize("off_h", [-80, 80])
@pytest.mark.parametrize("wrong_side", [0, 1])
@pytest.mark.parametrize("is_set_between", [False, True])
def test_an_unanswered_turn_beside_a_hole_hides_no_clock(off_h, wrong_side, is_set_between):
    hour_ms = 3600_000
    off_ms = [0, 0]
    off_ms[wrong_side] = off_h * hour_ms  # is_set_between: for the turn without an answer alone
    offs = {} if is_set_between else {(0, n): off_ms[n > 4] for n in range(9) if off_ms[n > 4]}

    def block(side, at_h, number):
        ahead_ms = off_ms[side] if number is None else offs.get((0, number), 0)
        return _Block(((at_h * hour_ms + ahead_ms, [number], b""),))

    before = [block(0, *row) for row in ((0, 0), (1, 1), (2, None))]
    behind = [block(1, *row) for row in ((6, None), (7, 7), (8, 8))]
    read = Read([], [], [_Meter()], 0, 9 * hour_ms, offs, {}, [(0, 0)])
    read._take_hole(before + behind, len(before), {}, 0, 9 * hour_ms)
    for number in (3, 5):  # what was answered between the two turns
        assert read.declares(0, number, number * hour_ms + offs.get((0, number), 0))
    for number in (0, 8):
        assert not read.declares(0, number, number * hour_ms + offs.get((0, number), 0))
