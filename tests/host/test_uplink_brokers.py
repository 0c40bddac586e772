"""The real Uplink through the fault proxy against real brokers: a ledger of every record.

A collector (paho) stores into SQLite with the primary key (journal, seq), commits, then
acknowledges. Whatever the network does, at the end every record is there once: lost 0,
duplicated 0. mosquitto is a package of the system: without it its cases are skipped, counted.
"""

import random
import socket
import sqlite3
import threading
import time

import paho.mqtt.client as paho
import pytest

from agent.session import CLOSE, OPEN
from agent.uplink import Uplink
from tests.fakes.broker_process import KINDS, BrokerProcess, is_there
from tests.fakes.journal import MemoryJournal
from tests.fakes.tcp_fault_proxy import TCPFaultProxy

_DEADLINE_S = 40.0
_MASK = (1 << 30) - 1
_IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "test", "boot": 1}


class _Collector:
    """Stores, commits, acknowledges; counts what the primary key refused."""

    def __init__(self, port):
        self.database = sqlite3.connect(":memory:", check_same_thread=False)
        self.database.execute("create table record (journal, seq, primary key (journal, seq))")
        self.repeats = 0
        self._contiguous = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "collector")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("eclor/1/gw/rec", 1)
        self._client.on_message = self._store
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def stop(self):
        self._client.loop_stop()
        self._client.disconnect()

    def seqs(self):
        return [row[0] for row in self.database.execute("select seq from record order by seq")]

    def _store(self, _client, _data, message):
        seq = int.from_bytes(message.payload[4:8], "big")
        with self.database:
            cursor = self.database.execute("insert or ignore into record values (1, ?)", (seq,))
        self.repeats += cursor.rowcount == 0
        while self.database.execute(
            "select 1 from record where seq = ?", (self._contiguous + 1,)
        ).fetchone():
            self._contiguous += 1
        ack = (1).to_bytes(4, "big") + self._contiguous.to_bytes(4, "big")
        self._client.publish("eclor/1/gw/ack", ack, 0)


class _Gateway(threading.Thread):
    """The transport of a test: a socket that obeys the Uplink, time run faster by `speed`."""

    def __init__(self, address, journal, seed, speed=20):
        super().__init__(daemon=True)
        rng = random.Random(seed)
        self._address = address
        self._speed = speed
        self._halt = threading.Event()
        self._sock = None
        self.journal = journal
        self.uplink = Uplink({"keepalive_s": 60}, journal, _IDENTITY, rng.randrange)

    def stop(self):
        self._halt.set()
        self.join(5)

    def run(self):
        while not self._halt.is_set():
            now = int(time.monotonic() * 1000 * self._speed) & _MASK
            self.uplink.step(now)
            try:
                self._carry(now)
            except OSError as error:
                self._drop(now, str(error))
        self._drop(0, "stopped")

    def _carry(self, now):
        uplink = self.uplink
        if uplink.action == OPEN:
            self._sock = socket.create_connection(self._address, 1)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            uplink.opened(now)
        elif uplink.action == CLOSE:
            self._drop(now, "closed")
        if self._sock is None:
            time.sleep(0.002)
            return
        while length := uplink.output():
            self._sock.settimeout(1)
            self._sock.sendall(uplink.out[:length])
            uplink.sent(now)
        self._sock.settimeout(0.005)
        try:
            data = self._sock.recv(4096)
        except TimeoutError:
            return
        if not data:
            raise OSError("end of stream")
        uplink.received(data, 0, len(data), now)

    def _drop(self, now, why):
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self.uplink.closed(now, why)


def _wait(is_true, what):
    end = time.monotonic() + _DEADLINE_S
    while not is_true():
        assert time.monotonic() < end, what
        time.sleep(0.01)


@pytest.fixture(params=KINDS)
def site(request, tmp_path):
    """A running broker, a collector, a proxy and a gateway with a journal."""
    if not is_there(request.param):
        pytest.skip(f"{request.param} is not installed")
    server = BrokerProcess(request.param, tmp_path)
    server.start()
    collector = _Collector(server.port)
    proxy = TCPFaultProxy(("127.0.0.1", server.port))
    gateway = _Gateway(proxy.address, MemoryJournal(), seed=request.param)
    gateway.start()
    yield server, collector, proxy, gateway
    gateway.stop()
    proxy.close()
    collector.stop()
    server.kill()


def _settle(collector, gateway, count):
    _wait(lambda: gateway.journal.acked == count, f"acked {gateway.uplink.counters}")
    assert collector.seqs() == list(range(1, count + 1))  # lost 0, duplicated 0


def test_a_quiet_network_loses_and_repeats_nothing(site):
    _, collector, _, gateway = site
    gateway.journal.fill(300, 400)
    _settle(collector, gateway, 300)


def test_a_broker_killed_between_puback_and_commit_loses_nothing(site):
    server, collector, _, gateway = site
    for round_number in range(1, 4):
        gateway.journal.fill(200, 400)
        _wait(lambda: gateway.uplink.counters["pubacks"] > 0, "no PUBACK")
        server.kill()
        server.start()
        _settle(collector, gateway, 200 * round_number)


def test_faults_mixed_by_seed_lose_nothing(site):
    _, collector, proxy, gateway = site
    rng = random.Random(7)
    count = 0
    for _ in range(25):
        count += 20
        gateway.journal.fill(20, rng.randrange(0, 900))
        fault = rng.randrange(5)
        if fault == 0:
            proxy.cut_after(rng.choice(("up", "down")), rng.randrange(1, 4000))
        elif fault == 1:
            proxy.cut()
        elif fault == 2:
            proxy.black_hole(rng.choice(("up", "down")))
        elif fault == 3:
            proxy.refuse_server = True
        else:
            proxy.delay_s = 0.02
        time.sleep(0.05)  # how long the fault lasts
        proxy.mend()
    _settle(collector, gateway, count)
