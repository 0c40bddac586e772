"""The collector killed anywhere, its database full, locked, crashed or restored from a copy.

The ledger of every round: each record is in the database once, with the content that its gateway
sent, or is declared; and a gateway never forgot what is neither.
"""

import contextlib
import json
import os
import pickle
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from agent.record import BLOCK
from host_tools.collect import queries
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from tests.fakes.collector_zygote import POINTS
from tests.fakes.gateway_messages import GOOD, JOURNAL, START_MS, birth, block, record

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30
WINDOW = 12


class Zygote:
    """The forking process, and the socket on which its collectors are fed."""

    def __init__(self, folder):
        self.path = str(folder / "feed")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        self._listener.listen()
        self._listener.settimeout(DEADLINE_S)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.collector_zygote"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _read(self):
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def collector(self, url, **plan):
        """Start one; return (connection or None when it died before it asked, pid)."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"url": url, "socket": self.path, **plan}) + "\n")
        self._process.stdin.flush()
        pid = self._read()
        self._listener.settimeout(0.05)
        while True:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                connection.settimeout(DEADLINE_S)
                return connection, pid
            if Path(f"/proc/{pid}/stat").exists():
                state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
                if state != "Z":
                    continue
            return None, pid

    def ended(self):
        """Wait for the last collector; return its exit code."""
        return self._read()

    def close(self):
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(DEADLINE_S)
        self._listener.close()


class Gateway:
    """A gateway and its broker: what is not PUBACKed comes again, what is not acked is resent."""

    def __init__(self, rng):
        self.rng = rng
        self.sent: dict[int, int] = {}  # seq: the value its one reading has
        self.acked = 0
        self.queue: dict[int, Message] = {}  # token: message without a PUBACK
        self._token = 0
        self.publish(birth())

    def message(self, seq):
        row = (START_MS + seq * 1000, [self.sent[seq], seq], GOOD)
        return record(BLOCK, seq, block([row]))

    def publish(self, message):
        self._token += 1
        self.queue[self._token] = message

    def work(self):
        """Read meters, and send again what is not acknowledged when nothing is under way."""
        for _ in range(self.rng.randrange(1, WINDOW)):
            self.sent[len(self.sent) + 1] = self.rng.randrange(1 << 40)
        if not self.queue:
            if self.rng.randrange(3) == 0:
                self.publish(birth(first=self.acked + 1, following=len(self.sent) + 1))
            for seq in range(self.acked + 1, min(len(self.sent), self.acked + WINDOW) + 1):
                self.publish(self.message(seq))

    def state(self):
        held = [self.acked + 1, len(self.sent) + 1, len(self.sent)]
        self.publish(Message("eclor/1/gw-a/state", json.dumps({"records": held}).encode()))

    def batch(self):
        """Return some of what waits: late, out of order, and some of it twice."""
        tokens = list(self.queue)
        if self.rng.randrange(2):
            self.rng.shuffle(tokens)
        tokens = tokens[: self.rng.randrange(1, len(tokens) + 1)]
        tokens += self.rng.sample(tokens, self.rng.randrange(len(tokens) // 2 + 1))
        return [(self.queue[token], token) for token in tokens]

    def heard(self, word, what):
        if word == "done":
            for token in what:
                self.queue.pop(token, None)
        elif word == "ack":
            gateway, journal, seq = what
            assert (gateway, journal) == ("gw-a", JOURNAL)
            assert seq <= len(self.sent)
            self.acked = max(self.acked, seq)


def serve(zygote, gateway, url, batches, **plan):
    """Run one collector for some batches or until it dies; return its exit code."""
    connection, _ = zygote.collector(url, **plan)
    if connection is not None:
        with connection:
            given = 0
            while True:
                try:
                    data = connection.recv(1 << 22)
                except ConnectionResetError:
                    break
                if not data:
                    break
                word, what = pickle.loads(data)
                if word != "ready":
                    gateway.heard(word, what)
                    continue
                gateway.work()
                if given == batches or not gateway.queue:
                    break
                given += 1
                try:
                    connection.send(pickle.dumps(gateway.batch()))
                except (BrokenPipeError, ConnectionResetError):
                    break
    return zygote.ended()


def settle(zygote, gateway, url):
    """Let a healthy collector take what is left."""
    for _ in range(200):
        if gateway.acked == len(gateway.sent) and not gateway.queue:
            return
        gateway.work = lambda: refill(gateway)
        assert serve(zygote, gateway, url, 50) == 0
    raise AssertionError(f"acknowledged {gateway.acked} of {len(gateway.sent)}")


def refill(gateway):
    if not gateway.queue:
        for seq in range(gateway.acked + 1, min(len(gateway.sent), gateway.acked + 64) + 1):
            gateway.publish(gateway.message(seq))


def check(gateway, url, may_miss=()):
    """Compare the gateway's ledger with the database."""
    engine = open_database(url)
    found = [(s.at_ms, s.integer) for s in queries.samples(engine, point="energy")]
    sent = {START_MS + seq * 1000: value for seq, value in gateway.sent.items()}
    assert found == sorted(set(found)), "doubled, or out of order"
    for at_ms, value in found:
        assert sent[at_ms] == value
    missing = {(at_ms - START_MS) // 1000 for at_ms in sent.keys() - {at for at, _ in found}}
    assert missing <= set(may_miss), "lost"
    with engine.connect() as connection:
        holes = connection.execute(sa.text('SELECT first, "last" FROM hole')).all()
    engine.dispose()
    declared = {seq for first, last in holes for seq in range(first, last + 1)}
    assert missing <= declared, "lost and not declared"
    return len(missing)


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    made = Zygote(tmp_path_factory.mktemp("zygote"))
    yield made
    made.close()


def plan_of(rng):
    """Where the next collector dies: at a named point, or before any SQL statement."""
    at = rng.choice((*POINTS, "statement", "statement"))
    return {"at": at, "after": rng.randrange(60 if at == "statement" else 4)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_collector_killed_anywhere_loses_and_doubles_nothing(zygote, tmp_path, seed):
    rng = random.Random(seed)
    gateway = Gateway(rng)
    url = f"sqlite:///{tmp_path}/readings.db"
    deaths = 0
    for _ in range(25):
        code = serve(zygote, gateway, url, 4, die=plan_of(rng))
        assert code in (0, -signal.SIGKILL)
        deaths += code != 0
    assert deaths >= 10
    settle(zygote, gateway, url)
    assert check(gateway, url) == 0


@pytest.mark.slow
def test_a_collector_on_postgresql_killed_anywhere_loses_and_doubles_nothing(zygote, postgresql):
    rng = random.Random(11)
    gateway = Gateway(rng)
    url = postgresql.new_database()
    codes = [serve(zygote, gateway, url, 4, die=plan_of(rng)) for _ in range(25)]
    assert codes.count(-signal.SIGKILL) >= 10
    settle(zygote, gateway, url)
    assert check(gateway, url) == 0


@pytest.mark.slow
def test_a_crashed_postgresql_loses_and_doubles_nothing(zygote):
    from tests.fakes.postgresql import PostgreSQL, programs
    from tests.skips import skip

    if programs() is None:
        skip("PostgreSQL is not installed: apt-get install postgresql")
    with PostgreSQL(durable=True) as server:
        gateway = Gateway(random.Random(5))
        url = server.new_database()
        connection, _ = zygote.collector(url)
        with connection:
            for turn in range(30):
                word = ""
                while word != "ready":
                    word, what = pickle.loads(connection.recv(1 << 22))
                    gateway.heard(word, what)
                gateway.work()
                if not gateway.queue:
                    gateway.state()
                connection.send(pickle.dumps(gateway.batch()))
                if turn % 6 == 5:
                    server.kill()
                    server.start()
        assert zygote.ended() == 0
        settle(zygote, gateway, url)
        assert gateway.acked > 50
        assert check(gateway, url) == 0


def test_a_full_disk_stops_acknowledgements_and_loses_nothing(zygote, tmp_path):
    gateway = Gateway(random.Random(6))
    url = f"sqlite:///{tmp_path}/readings.db"
    open_database(url).dispose()
    pages = os.path.getsize(tmp_path / "readings.db") // 4096
    connection, pid = zygote.collector(url, pages=pages + 4)
    with connection:
        connection.settimeout(1.0)  # longer than a batch takes, shorter than its retries
        with pytest.raises(TimeoutError):
            while True:
                word, what = pickle.loads(connection.recv(1 << 22))
                gateway.heard(word, what)
                if word == "ready":
                    gateway.work()
                    connection.send(pickle.dumps(gateway.batch()))
        os.kill(pid, signal.SIGKILL)
    assert zygote.ended() == -signal.SIGKILL
    assert gateway.queue, "the disk never filled"
    stored = {s.at_ms for s in queries.samples(open_database(url), point="energy")}
    assert all(START_MS + seq * 1000 in stored for seq in range(1, gateway.acked + 1))
    settle(zygote, gateway, url)
    assert check(gateway, url) == 0


def test_a_locked_database_is_waited_for(zygote, tmp_path):
    gateway = Gateway(random.Random(7))
    url = f"sqlite:///{tmp_path}/readings.db"
    open_database(url).dispose()
    gateway.work()
    connection, _ = zygote.collector(url)
    with connection, contextlib.closing(sqlite3.connect(tmp_path / "readings.db")) as other:
        assert pickle.loads(connection.recv(1 << 22))[0] == "ready"
        other.execute("BEGIN IMMEDIATE")
        connection.send(pickle.dumps(gateway.batch()))
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1 << 22)
        other.rollback()
        connection.settimeout(DEADLINE_S)
        gateway.heard(*pickle.loads(connection.recv(1 << 22)))
    zygote.ended()
    settle(zygote, gateway, url)
    assert check(gateway, url) == 0


@pytest.mark.slow
def test_a_database_restored_from_a_copy_declares_the_hole_and_nothing_else(zygote, tmp_path):
    declared = 0
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        declared += restore(zygote, folder, random.Random(100 + seed))
    assert declared > 50


def restore(zygote, folder, rng):
    """Collect, copy, collect on, lose the disk, restore the copy; return what was declared."""
    gateway = Gateway(rng)
    url = f"sqlite:///{folder}/readings.db"
    serve(zygote, gateway, url, rng.randrange(2, 12))
    kept = gateway.acked
    with (
        contextlib.closing(sqlite3.connect(folder / "readings.db")) as live,
        contextlib.closing(sqlite3.connect(folder / "copy.db")) as copy,
    ):
        live.backup(copy)
    serve(zygote, gateway, url, rng.randrange(2, 12), die=plan_of(rng))
    forgotten = gateway.acked
    for end in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/readings.db{end}")
    shutil.copy(folder / "copy.db", folder / "readings.db")
    gateway.publish(birth())  # the broker kept the old one
    serve(zygote, gateway, url, 6)
    gateway.state()
    settle(zygote, gateway, url)
    return check(gateway, url, may_miss=range(kept + 1, forgotten + 1))
