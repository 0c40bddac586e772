"""Long outages against real brokers: a journal that overflows, and a fleet that comes back."""

import random
import selectors
import socket
import time
from collections import Counter

import pytest
import sqlalchemy as sa

from agent.session import CLOSE, OPEN
from agent.uplink import Uplink
from host_tools.collect import Collector, tables
from tests.fakes.broker_process import KINDS, BrokerProcess, is_there
from tests.fakes.gateway_thread import GatewayThread
from tests.fakes.journal import MemoryJournal
from tests.fakes.tcp_fault_proxy import TCPFaultProxy

_KEY = bytes(range(32))
_TURN_MS = 50
_DEADLINE_S = 40.0


@pytest.fixture(params=KINDS)
def server(request, tmp_path):
    if not is_there(request.param):
        pytest.skip(f"{request.param} is not installed")
    with BrokerProcess(request.param, tmp_path) as started:
        yield started


def _until(holds, what):
    end = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.01)


def test_a_flash_that_filled_in_an_outage_declares_what_went_and_delivers_the_rest(
    server, tmp_path
):
    url = f"sqlite:///{tmp_path}/site.db"
    with (
        Collector("127.0.0.1", server.port, url, keys={"gw": _KEY}) as collector,
        TCPFaultProxy(("127.0.0.1", server.port)) as proxy,
    ):
        gateway = GatewayThread(proxy.address, "outage", _KEY, room=6 * 4096)
        gateway.start()
        try:
            gateway.append([100] * 5)
            _until(lambda: gateway.is_drained, lambda: gateway.uplink.state)
            proxy.cut()
            for _ in range(60):  # ten times what fits; power fails in the middle of it
                gateway.append([random.Random(3).randrange(400) for _ in range(10)])
            gateway.power_cut()
            gateway.append([100] * 5)
            proxy.mend()
            _until(lambda: gateway.is_drained, lambda: (gateway.uplink.state, collector.progress))
        finally:
            gateway.stop()
        with collector.engine.connect() as connection:
            rows = connection.execute(sa.select(tables.record.c.seq, tables.record.c.crc)).all()
            hole = tables.hole.c
            holes = connection.execute(sa.select(hole.first, hole.last, hole.why)).all()
    stored = Counter(seq for seq, _ in rows)
    declared = {seq for first, last, _ in holes for seq in range(first, last + 1)}
    assert {why for *_, why in holes} == {"full"}
    assert len(declared) > 300 and max(stored) == max(gateway.ledger)
    assert max(stored.values()) == 1 and not declared & stored.keys()
    assert declared | stored.keys() == set(range(1, max(gateway.ledger) + 1))
    assert all(gateway.ledger.get(seq, crc) == crc for seq, crc in rows)


class _Fleet:
    """Gateways on one selector; `attempts` per second of theirs.

    Their time moves a step with each turn, so that a busy computer does not spread them.
    """

    def __init__(self, port, count, jitter):
        rng = random.Random(5)
        self._address = ("127.0.0.1", port)
        self._selector = selectors.DefaultSelector()
        self._socks: list[socket.socket | None] = [None] * count
        self.now_ms = 0
        self.attempts: Counter[int] = Counter()
        self.gateways = []
        for number in range(count):
            identity: dict[str, object] = {
                "gateway": f"gw-{number}",
                "board": "host",
                "version": "1",
            }
            journal = MemoryJournal(number + 1)
            settings = {"acknowledge": "puback", "keepalive_s": 60}
            below = rng.randrange if jitter else (lambda n: n - 1)
            identity |= {"runtime": "test", "boot": 1}
            self.gateways.append((Uplink(settings, journal, identity, below), journal))

    def run_until(self, holds):
        end = time.monotonic() + _DEADLINE_S
        while not holds():
            assert time.monotonic() < end, Counter(u.state for u, _ in self.gateways)
            self.now_ms += _TURN_MS
            for number, (uplink, _) in enumerate(self.gateways):
                uplink.step(self.now_ms)
                try:
                    self._carry(number, uplink)
                except OSError as error:
                    self._drop(number, str(error))
            for key, _ in self._selector.select(0.002):
                self._read(key.data, self.gateways[key.data][0])

    def _carry(self, number, uplink):
        if uplink.action == OPEN:
            self.attempts[self.now_ms // 1000] += 1
            sock = socket.create_connection(self._address, 1)
            self._socks[number] = sock
            self._selector.register(sock, selectors.EVENT_READ, number)
            uplink.opened(self.now_ms)
        elif uplink.action == CLOSE:
            raise OSError("closed")
        while self._socks[number] and (length := uplink.output()):
            self._socks[number].sendall(uplink.out[:length])
            uplink.sent(self.now_ms)

    def _read(self, number, uplink):
        try:
            data = self._socks[number].recv(4096)
        except OSError:
            data = b""
        if data:
            uplink.received(data, 0, len(data), self.now_ms)
        else:
            self._drop(number, "end of stream")

    def _drop(self, number, why):
        if self._socks[number] is not None:
            self._selector.unregister(self._socks[number])
            self._socks[number].close()
            self._socks[number] = None
        self.gateways[number][0].closed(self.now_ms, why)

    def close(self):
        for number in range(len(self._socks)):
            self._drop(number, "end")


def test_a_fleet_comes_back_after_the_broker_was_killed_and_jitter_spreads_it(server):
    peaks = {}
    for jitter in (False, True):
        fleet = _Fleet(server.port, 30, jitter)
        try:
            for _, journal in fleet.gateways:
                journal.fill(5)
            fleet.run_until(lambda f=fleet: all(j.acked == 5 for _, j in f.gateways))
            server.kill()
            for _, journal in fleet.gateways:
                journal.fill(5)
            away_ms = fleet.now_ms
            fleet.run_until(lambda f=fleet, at=away_ms: f.now_ms - at > 15_000)
            server.start()
            since = fleet.now_ms // 1000 - 10
            fleet.run_until(lambda f=fleet: all(j.acked == 10 for _, j in f.gateways))
            peaks[jitter] = max(n for at, n in fleet.attempts.items() if at >= since)
        finally:
            fleet.close()
    assert peaks[False] >= 20 and peaks[True] * 3 < peaks[False] * 2, peaks
