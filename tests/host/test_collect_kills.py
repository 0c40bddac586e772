"""The collector killed anywhere, its database full, crashed or restored, its broker forgetful.

A hundred rounds of trouble by seed, ECLOR_ROUNDS for more; each run has every kind. After each
round a gateway has forgotten nothing that is not in the database, and at the end each record is
there once, with the content that its gateway sent, or is declared.
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
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from agent.record import BLOCK
from host_tools.collect import queries
from host_tools.collect.database import open_database
from host_tools.collect.messages import Message
from tests.fakes import collector_zygote
from tests.fakes.collector_zygote import POINTS
from tests.fakes.gateway_messages import GOOD, JOURNAL, START_MS, birth, block, record

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30
WINDOW = 12
ROUNDS = 25  # in one run
RUNS = max(1, int(os.environ.get("ECLOR_ROUNDS", "100")) // ROUNDS - 1)


class Zygote:
    """The forking process, and the socket on which its collectors are fed."""

    def __init__(self, folder):
        self.path = str(folder / "feed")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.path)
        self._listener.listen()
        self._listener.settimeout(DEADLINE_S)
        self._process = collector_zygote.start()

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

    def broker_forgets(self):
        """A node dies: some of what it took is gone, and what it had delivered comes again."""
        for token in list(self.queue):
            if self.rng.randrange(2):
                del self.queue[token]
        for seq in self.rng.sample(list(self.sent), min(len(self.sent), WINDOW)):
            if seq > self.acked - WINDOW:
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


def serve(zygote, gateway, url, batches, trouble=None, **plan):
    """Run one collector for some batches or until it dies; return its exit code.

    trouble  number of a batch: what to do when it was given
    """
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
                if trouble and given in trouble:
                    trouble[given]()
    return zygote.ended()


def settle(zygote, gateway, url):
    """Let a healthy collector take what is left."""
    gateway.publish(birth(first=gateway.acked + 1, following=len(gateway.sent) + 1))
    gateway.state()
    for _ in range(30):
        if gateway.acked == len(gateway.sent) and not gateway.queue:
            return
        gateway.work = lambda: refill(gateway)
        assert serve(zygote, gateway, url, 50) == 0
    raise AssertionError(f"acknowledged {gateway.acked} of {len(gateway.sent)}")


def refill(gateway):
    if not gateway.queue:
        for seq in range(gateway.acked + 1, min(len(gateway.sent), gateway.acked + 64) + 1):
            gateway.publish(gateway.message(seq))


def numbers(url):
    """Return the numbers of all records that are in the database."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = set(connection.scalars(sa.text("SELECT seq FROM record")))
    engine.dispose()
    return found


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


class SQLiteFile:
    """The database in a file, which can be full, and restored from the copy made before."""

    kinds = (*POINTS * 2, *["statement"] * 5, *["full", "restored", "broker"] * 3, "none")

    def __init__(self, folder):
        self._path = folder / "readings.db"
        self._copy = folder / "copy.db"
        self.url = f"sqlite:///{self._path}"

    def limit(self):
        """Return how many pages the file has and two more: a disk that is nearly full."""
        with contextlib.closing(sqlite3.connect(self._path)) as live:
            return live.execute("PRAGMA page_count").fetchone()[0] + 2

    def copy(self):
        with (
            contextlib.closing(sqlite3.connect(self._path)) as live,
            contextlib.closing(sqlite3.connect(self._copy)) as copy,
        ):
            live.backup(copy)

    def restore(self):
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._path}{end}")
        shutil.copy(self._copy, self._path)


class Server:
    """The database on PostgreSQL, which can crash under a batch, and be restored from a dump."""

    kinds = (*POINTS * 2, *["statement"] * 4, *["crash"] * 4, *["broker", "restored"] * 3, "none")

    def __init__(self, postgresql):
        self._postgresql = postgresql
        self._dump = postgresql.folder / "copy.dump"
        self.url = postgresql.new_database()

    def crash(self):
        self._postgresql.kill_9()
        self._postgresql.start()

    def copy(self):
        self._postgresql.dump(self.url, self._dump)

    def restore(self):
        self._postgresql.restore(self.url, self._dump)


def rounds(zygote, database, seed):
    """Give one gateway and its collector ROUNDS of trouble; count what struck, and the holes."""
    rng = random.Random(seed)
    gateway = Gateway(rng)
    url = database.url
    kinds = rng.sample(database.kinds, ROUNDS)
    struck: Counter[str] = Counter()
    may_miss: set[int] = set()
    copied = None  # what the gateway had been told when the copy was made
    serve(zygote, gateway, url, 3)
    for kind in kinds:
        plan = {}
        if kind in (*POINTS, "statement"):
            # A batch has some 25 statements, and each point once.
            after = rng.randrange(60 if kind == "statement" else 3)
            plan["die"] = {"at": kind, "after": after}
        elif kind == "full":
            plan = {"pages": database.limit(), "die": {"at": "refused", "after": 1}}
        elif kind == "broker":
            gateway.broker_forgets()
        elif kind == "restored":
            if copied is None:
                database.copy()
                copied = gateway.acked
                serve(zygote, gateway, url, 3)
            database.restore()
            may_miss |= set(range(copied + 1, gateway.acked + 1))
            gateway.publish(birth())  # the broker kept the old one
            gateway.state()
            copied = None
        trouble = {2: database.crash} if kind == "crash" else {}
        code = serve(zygote, gateway, url, 60 if kind == "full" else 4, trouble, **plan)
        assert code in (0, -signal.SIGKILL)
        struck[kind] += code != 0 or "die" not in plan
        if kind == "none" and copied is None:
            database.copy()
            copied = gateway.acked
        assert set(range(1, gateway.acked + 1)) - may_miss <= numbers(url), kind
    settle(zygote, gateway, url)
    return struck, check(gateway, url, may_miss)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_fails_loses_and_doubles_nothing(zygote, tmp_path, seed):
    struck, declared = rounds(zygote, SQLiteFile(tmp_path), seed)
    assert set(struck) == set(SQLiteFile.kinds) and all(struck.values()), struck
    assert declared > 0, "no restored database missed anything"


@pytest.mark.slow
def test_whatever_fails_on_postgresql_loses_and_doubles_nothing(zygote):
    from tests.fakes.postgresql import PostgreSQL, programs
    from tests.skips import skip

    if programs() is None:
        skip("PostgreSQL is not installed: apt-get install postgresql")
    with PostgreSQL(durable=True) as server:
        struck, declared = rounds(zygote, Server(server), 11)
    assert set(struck) == set(Server.kinds) and all(struck.values()), struck
    assert declared > 0, "no restored database missed anything"


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
