"""One trial: a fleet against a cluster and collectors, with kills, and the count at the end.

result = run_trial(Path(".run/fleet"), "sqlite:///x.db", gateways=100, records=4, kill=True)
result["lost"], result["duplicated"], result["altered"], result["disordered"]       # 0, 0, 0, 0
"""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.database import open_database
from host_tools.collect.fleet.cluster import Cluster
from host_tools.collect.fleet.gateways import POINTS, READINGS, START_MS, Fleet, Row, prepare_rows
from host_tools.problems import FAILED, Problem
from host_tools.processes.supervisor import Child, Supervisor

# Longer than a gateway's longest pause between two attempts: 300 s (agent/backoff.py).
PATIENCE_S = 600.0
_UP_S = 120.0


def run_trial(
    folder: Path,
    url: str,
    *,
    gateways: int,
    records: int,
    collectors: int = 3,
    nodes: int = 3,
    kill: bool = False,
    seed: int = 0,
    patience_s: float = PATIENCE_S,
) -> dict[str, Any]:
    """Run one trial on loopback; return its figures.

    kill        after a third of the work a node and a collector end by SIGKILL, and come back
                after another third; when three quarters are done every node and collector does
    patience_s  give up when nothing was acknowledged for so long
    """
    engine = open_database(url)
    with Supervisor() as supervisor:
        cluster = Cluster(supervisor, folder / "cluster", nodes)
        cluster.start()

        up = threading.Semaphore(0)

        def heard(line: str) -> None:
            if line.endswith("broker: up"):
                up.release()

        def collect() -> Child:
            words = ["collect", "--jetstream", ",".join(cluster.nats), "--database", url]
            words += ["--name", "collectors", "--replicas", str(min(3, nodes))]
            command = [sys.executable, "-m", "host_tools", *words]
            return supervisor.spawn("collector", command, on_line=heard)

        running = [collect() for _ in range(collectors)]
        # The stream must be there before the first birth: what nobody keeps is sent again late.
        for _ in running:
            if not up.acquire(timeout=_UP_S):
                raise Problem("a collector does not come up", "run it by hand", code=FAILED)
        fleet = Fleet(cluster.mqtt, gateways, records, seed)

        async def drive() -> tuple[bool, int]:
            work = asyncio.create_task(fleet.run(patience_s))
            stage = 0
            while not work.done():
                done = fleet.acknowledged / fleet.readings
                if kill and stage == 0 and done > 1 / 3:
                    stage = 1
                    cluster.kill(seed % nodes)
                    running[0].kill()
                if kill and stage == 1 and done > 2 / 3:
                    stage = 2
                    cluster.revive(seed % nodes)
                    running[0] = collect()
                if kill and stage == 2 and done > 3 / 4:
                    stage = 3
                    for node in range(nodes):
                        cluster.kill(node)
                    for child in running:
                        child.kill()
                    for node in range(nodes):
                        cluster.revive(node)
                    running[:] = [collect() for _ in running]
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(work), 0.05)
            if kill and stage == 1:
                cluster.revive(seed % nodes)
            return await work, stage

        begun = time.monotonic()
        finished, stages = asyncio.run(drive())
        seconds = time.monotonic() - begun
        brokers = sum(_resident(pid) for pid in cluster.pids())
        workers = sum(_resident(child.process.pid) for child in running if child.running)
        _settle(engine, patience_s)
        for child in running:
            child.stop()
    result = count(engine, fleet)
    engine.dispose()
    return {
        "gateways": gateways,
        "connected_together": fleet.together,
        "readings": fleet.readings,
        "finished": finished,
        "kills": stages,  # 1 a node and a collector, 2 they came back, 3 all of them
        "seconds": round(seconds, 1),
        "readings_per_s": round(fleet.acknowledged / seconds),
        "sessions": fleet.sessions,
        "records_repeated": fleet.repeated,
        "brokers_mb": round(brokers / 1e6),
        "collectors_mb": round(workers / 1e6),
        **result,
    }


def _settle(engine: sa.Engine, patience_s: float) -> None:
    """Wait for blocks whose birth was in the hands of a collector that was killed."""
    query = sa.select(sa.func.count()).select_from(t.parked)
    until_s = time.monotonic() + patience_s
    while time.monotonic() < until_s:
        with engine.connect() as connection:
            if not connection.scalar(query):
                return
        time.sleep(0.2)


def count(engine: sa.Engine, fleet: Fleet) -> dict[str, int]:
    """Compare journals with the database, reading by reading.

    lost        readings that were acknowledged and are not there
    duplicated  readings beyond the one of their record, row and meter
    altered     records whose times or values are not those that were sent under their number
    disordered  records that do not lie after the record before them in time
    """
    places = {
        (name, journal.journal_id): journal
        for name, journal in zip(fleet.names, fleet.journals, strict=True)
    }
    sent = [_Record.sent(rows) for rows in prepare_rows(fleet.records, START_MS)]
    lost = duplicated = altered = disordered = 0
    stored: dict[tuple[str, int], dict[int, _Record]] = {}
    for name, journal_id, seq, record in _stored(engine):
        known = stored.setdefault((name, journal_id), {})
        duplicated += READINGS if seq in known else 0
        known[seq] = record
        altered += record.readings > 0 and record != sent[seq - 1]
    for key, journal in places.items():
        here = stored.get(key, {})
        numbers = range(1, journal.acked + 1)
        lost += sum(
            max(0, READINGS - here[n].readings) if n in here else READINGS for n in numbers
        )
        ordered = [here[n] for n in sorted(here) if here[n].readings]
        disordered += sum(after.first_ms <= before.last_ms for before, after in pairwise(ordered))
    duplicated += _twice(engine)
    return {
        "lost": lost,
        "duplicated": duplicated,
        "altered": altered,
        "disordered": disordered,
    }


@dataclass(frozen=True)
class _Record:
    """What is compared of one record: how many readings, from when to when, sums of points."""

    readings: int
    first_ms: int
    last_ms: int
    sums: tuple[int, ...]

    @classmethod
    def sent(cls, rows: list[Row]) -> "_Record":
        """Return what must be stored of these readings."""
        sums = tuple(sum(values[i] for _, values in rows) for i in range(len(POINTS)))
        return cls(len(rows), rows[0][0], rows[-1][0], sums)


def _stored(engine: sa.Engine) -> Iterator[tuple[str, int, int, _Record]]:
    """Yield (gateway, journal, seq, what is stored of it) of every record."""
    g, m, p, r, v = t.gateway.c, t.meter.c, t.point.c, t.record.c, t.value.c
    of_reading = t.reading.c.id // t.ROWS_MAX
    of_value = v.reading_id // t.ROWS_MAX
    names = [str(point[0]) for point in POINTS]
    with engine.connect() as connection:
        spans = {
            (row.of, row.gateway_id): (row.readings, row.first_ms, row.last_ms)
            for row in connection.execute(
                sa.select(
                    of_reading.label("of"),
                    m.gateway_id,
                    sa.func.count().label("readings"),
                    sa.func.min(t.reading.c.at_ms).label("first_ms"),
                    sa.func.max(t.reading.c.at_ms).label("last_ms"),
                )
                .join_from(t.reading, t.meter, m.id == t.reading.c.meter_id)
                .group_by(of_reading, m.gateway_id)
            )
        }
        sums: dict[tuple[int, str], int] = {
            (row.of, row.name): int(row.total)
            for row in connection.execute(
                sa.select(of_value.label("of"), p.name, sa.func.sum(v.value).label("total"))
                .join_from(t.value, t.point, p.id == v.point_id)
                .group_by(of_value, p.name)
            )
        }
        records = connection.execute(
            sa.select(r.id, r.gateway_id, r.journal, r.seq, g.name)
            .join_from(t.record, t.gateway, g.id == r.gateway_id)
            .order_by(r.id)
        )
        for row in records:
            span = spans.get((row.id, row.gateway_id), (0, 0, 0))
            totals = tuple(sums.get((row.id, name), 0) for name in names)
            yield row.name, row.journal, row.seq, _Record(*span, totals)


def _twice(engine: sa.Engine) -> int:
    """Return how many readings a meter has beyond one for an instant."""
    c = t.reading.c
    of = (c.meter_id, c.at_ms)
    more = sa.select((sa.func.count() - 1).label("more")).select_from(t.reading).group_by(*of)
    with engine.connect() as connection:
        found = more.having(sa.func.count() > 1).subquery()
        return int(connection.scalar(sa.select(sa.func.sum(found.c.more))) or 0)


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes, 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
