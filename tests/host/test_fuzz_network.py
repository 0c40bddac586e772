"""A short fuzz of everything the network may send; `make fuzz SECONDS=3600` is the long one."""

import random
import tracemalloc

import pytest

from agent import mqtt
from agent.mac import Mac
from agent.session import CLOSE, OPEN
from agent.uplink import Uplink
from tests import fuzz_network
from tests.fakes.journal import MemoryJournal

_SECONDS = 0.7


@pytest.mark.parametrize("protocol", sorted(fuzz_network.TARGETS))
def test_nonsense_from_the_network_does_nothing(protocol):
    total = 0
    for fed, wrong, pieces in fuzz_network.run(protocol, 1, _SECONDS):
        assert not wrong, (wrong, [piece.hex() for piece in pieces])
        total += fed
    assert total > 10_000


def test_a_reader_that_fails_is_caught(mocker):
    mocker.patch.object(mqtt, "check_packet", side_effect=IndexError("seeded"))
    assert "IndexError: seeded" in [w for _, w, _ in fuzz_network.run("mqtt", 1, 0.2)]


@pytest.mark.parametrize("protocol", ["session", "command"])
def test_a_mac_that_nobody_checks_is_caught(mocker, protocol):
    mocker.patch.object(Mac, "check", return_value=True)
    assert [w for _, w, _ in fuzz_network.run(protocol, 1, 1.0) if w]


def test_a_session_fed_nonsense_for_long_keeps_no_memory_of_it():
    journal = MemoryJournal()
    journal.fill(5)
    session = Uplink({"key": "00" * 32}, journal, fuzz_network._IDENTITY, lambda n: 0)
    chance = random.Random(3)
    sizes = []
    now = 0
    tracemalloc.start()
    try:
        for turn in range(3000):
            now = (now + 1000) % (1 << 30)
            session.step(now)
            if session.action == OPEN:
                session.opened(now)
            elif session.action == CLOSE:
                session.closed(now, "closed")
            while session.output():
                session.sent(now)
            for piece in fuzz_network.make_input("session", chance):
                session.received(piece, 0, len(piece), now)
            if turn % 1000 == 999:
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert session.counters["malformed"] > 10 and session.counters["sessions"] > 10
    assert abs(sizes[2] - sizes[0]) < 4000, sizes
