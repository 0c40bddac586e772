"""`make chaos N=1000`: the whole way upstream while everything on it fails, by seed.

    python -m tests.chaos [--rounds N] [--seed N] [nats | mosquitto ...]

The device's journal and session, through a fault proxy, to a real broker and the real collector
in a process of its own, into SQLite, or PostgreSQL where it is installed. Each round appends
records and breaks something: the connection cut at any byte, reset, swallowed (half-open),
delayed, its bits flipped; broker, collector or PostgreSQL ended by SIGKILL; the gateway's power
cut. Every tenth round all is mended and the database is compared with the gateway's ledger,
number by number and CRC by CRC: lost 0, duplicated 0, altered 0. The exit code is 1 when it is
not. A run that does not come to its end is ended, with its seed and where every thread stood.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from host_tools.collect import tables
from host_tools.collect.database import open_database
from tests.closing import close
from tests.fakes import collector_zygote
from tests.fakes.broker_process import KINDS, BrokerProcess, is_there
from tests.fakes.gateway_thread import GatewayThread
from tests.fakes.postgresql import PostgreSQL, programs
from tests.fakes.tcp_fault_proxy import TCPFaultProxy

KEY = bytes(range(32))
ROOT = Path(__file__).resolve().parent.parent
FAULTS = ("cut", "reset", "hole", "delay", "flip", "refuse", "kill", "collector", "power", "none")
POSTGRESQL = "nats and PostgreSQL"  # of the kinds that main() runs
_SETTLE_EVERY = 10
_SETTLE_S = 60.0
_START_S = 120.0  # and so long for each round: ten times what a busy computer needs
_ROUND_S = 3.0


@dataclass
class Result:
    """What one run found; good only when nothing is lost, duplicated or altered."""

    kind: str
    seed: object
    rounds: int = 0
    records: int = 0
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    foreign: int = 0  # numbers in the database that the gateway never promised
    sessions: int = 0
    repeated: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    stuck: str = ""  # what did not settle in time

    @property
    def is_good(self) -> bool:
        """Whether the promise held."""
        return not (self.lost or self.duplicated or self.altered or self.foreign or self.stuck)

    def line(self) -> str:
        """Return the closing line."""
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return (
            f"{self.kind}: {self.rounds} rounds, {self.records:,} records: lost {self.lost}, "
            f"duplicated {self.duplicated}, altered {self.altered}, foreign {self.foreign}"
            f"{'; STUCK: ' + self.stuck if self.stuck else ''} ({told}; {self.sessions} sessions, "
            f"{self.repeated:,} sent again, seed {self.seed})"
        )


class CollectorProcess:
    """The real collector over MQTT, killed and started at will (fakes/collector_zygote.py)."""

    def __init__(self, port: int, url: str) -> None:
        self._plan = json.dumps({"mqtt": port, "url": url, "keys": {"gw": KEY.hex()}})
        self._zygote = collector_zygote.start()
        self._pid = 0

    def __enter__(self) -> "CollectorProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait(_SETTLE_S)

    def start(self) -> None:
        """Start it."""
        assert self._zygote.stdin is not None and self._zygote.stdout is not None
        print(self._plan, file=self._zygote.stdin, flush=True)
        self._pid = int(self._zygote.stdout.readline())

    def kill(self) -> None:
        """End it with SIGKILL."""
        assert self._zygote.stdout is not None
        os.kill(self._pid, signal.SIGKILL)
        code = int(self._zygote.stdout.readline())
        assert code == -signal.SIGKILL, f"the collector had ended by itself: {code}"


def compare(result: Result, ledger: dict[int, int], rows: list[tuple[int, int]]) -> None:
    """Compare (seq, crc) rows of the database with what the gateway promised."""
    stored = Counter(seq for seq, _ in rows)
    result.records = len(ledger)
    result.lost = len(ledger.keys() - stored.keys())
    result.duplicated = sum(count - 1 for count in stored.values())
    result.foreign = len(stored.keys() - ledger.keys())
    result.altered = sum(1 for seq, crc in rows if ledger.get(seq, crc) != crc)


@contextlib.contextmanager
def limit(kind: str, seed: object, seconds: float) -> Iterator[None]:
    """End this process when the with block does not end in time: whatever hangs may hold locks."""

    def end() -> None:
        told = f"{kind}, seed {seed}: no end within {seconds:.0f} s; every thread stands at:"
        os.write(2, f"{told}\n".encode())  # pytest may have put another stderr in place
        faulthandler.dump_traceback(2)
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def run(kind: str, seed: object, rounds: int, server: PostgreSQL | None = None) -> Result:
    """Run so many rounds; stop at the first that breaks the promise.

    server  a database on it takes the place of SQLite, and is killed as well
    """
    with limit(kind, seed, _START_S + _ROUND_S * rounds):
        return _run(kind, seed, rounds, server)


def _run(kind: str, seed: object, rounds: int, server: PostgreSQL | None) -> Result:
    rng = random.Random(f"{kind} {seed}")
    result = Result(kind if server is None else POSTGRESQL, seed)
    with tempfile.TemporaryDirectory(prefix="eclor-chaos-") as folder:
        url = server.new_database() if server else f"sqlite:///{folder}/site.db"
        engine = open_database(url)
        with (
            BrokerProcess(kind, Path(folder)) as broker,
            CollectorProcess(broker.port, url) as collector,
            TCPFaultProxy(("127.0.0.1", broker.port)) as proxy,
        ):
            gateway = GatewayThread(proxy.address, f"{kind} {seed}", KEY)
            gateway.start()
            world = _World(gateway, proxy, broker, collector, server)
            try:
                while result.rounds < rounds and result.is_good:
                    result.rounds += 1
                    _round(rng, result, world)
                    if result.rounds % _SETTLE_EVERY == 0 or result.rounds == rounds:
                        _settle(result, gateway, engine)
            finally:
                gateway.stop()
            result.sessions, result.repeated = gateway.sessions, gateway.repeated
        engine.dispose()
    return result


@dataclass
class _World:
    """What a round may break."""

    gateway: GatewayThread
    proxy: TCPFaultProxy
    broker: BrokerProcess
    collector: CollectorProcess
    server: PostgreSQL | None


def _round(rng: random.Random, result: Result, world: _World) -> None:
    gateway, proxy = world.gateway, world.proxy
    faults = (*FAULTS, "database") if world.server else FAULTS
    for fault in rng.sample(faults, rng.choice((1, 1, 2))):
        result.faults[fault] += 1
        way = rng.choice(("up", "down"))
        if fault == "cut":
            proxy.cut_after(way, rng.randrange(1, 6000))
        elif fault == "reset":
            proxy.cut()
        elif fault == "hole":
            proxy.black_hole(*rng.choice((("up",), ("down",), ("up", "down"))))
        elif fault == "delay":
            proxy.delay_s = rng.random() / 20
        elif fault == "flip":
            proxy.flip(way, rng.randrange(12000))
        elif fault == "refuse":
            proxy.refuse_server = True
        elif fault == "kill":
            world.broker.kill()
        elif fault == "collector":
            world.collector.kill()
        elif fault == "database" and world.server:
            world.server.kill_9()
        gateway.append([rng.randrange(900) for _ in range(rng.randrange(1, 25))])
        if fault == "power":
            gateway.power_cut()
        elif fault == "kill":
            world.broker.start()
        elif fault == "collector":
            world.collector.start()
        elif fault == "database" and world.server:
            world.server.start()
    time.sleep(rng.random() / 8)  # how long the faults last
    proxy.mend()


def _settle(result: Result, gateway: GatewayThread, engine: sa.Engine) -> None:
    end = time.monotonic() + _SETTLE_S
    while not gateway.is_drained:
        if time.monotonic() > end:
            result.stuck = (
                f"acked {gateway.journal.acked} of {gateway.journal.durable}, "
                f"{gateway.uplink.state}, {gateway.uplink.counters}"
            )
            break
        time.sleep(0.01)
    mine = sa.select(tables.gateway.c.id).where(tables.gateway.c.name == "gw")
    asked = sa.select(tables.record.c.seq, tables.record.c.crc).where(
        tables.record.c.gateway_id.in_(mine)
    )
    engine.dispose()  # its connections are of a server that may have been killed
    with engine.connect() as connection:
        rows = [(int(seq), int(crc)) for seq, crc in connection.execute(asked)]
    compare(result, gateway.ledger, rows)


def main() -> int:
    """Run against each broker; 1 when one broke the promise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS])
    options = parser.parse_args()
    kinds = options.kinds or [kind for kind in KINDS if is_there(kind)]
    each = -(-options.rounds // (len(kinds) + (programs() is not None)))
    results = [run(kind, options.seed, each) for kind in kinds]
    if programs():
        with PostgreSQL(durable=True) as server:
            results.append(run("nats", options.seed, each, server))
    for result in results:
        print(result.line())
    rounds, records, lost, duplicated = (
        sum(getattr(result, name) for result in results)
        for name in ("rounds", "records", "lost", "duplicated")
    )
    held = all(result.is_good for result in results)
    close(
        "chaos",
        f"chaos: {rounds:,} rounds, {records:,} records: lost {lost}, duplicated {duplicated};"
        f" {', '.join(result.kind for result in results)}, seed {options.seed}",
        held=held,
    )
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
