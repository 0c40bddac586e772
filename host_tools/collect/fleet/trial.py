"""One trial: a fleet against a cluster and collectors, with kills, and the count at the end.

result = run_trial(Path(".run/fleet"), "sqlite:///x.db", gateways=100, records=4, kill=True)
result["lost"], result["duplicated"]        # 0, 0
"""

import asyncio
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.database import open_database
from host_tools.collect.fleet.cluster import Cluster
from host_tools.collect.fleet.gateways import READINGS, Fleet
from host_tools.problems import FAILED, Problem
from host_tools.supervisor import Child, Supervisor

_DEADLINE_S = 280.0
_SETTLE_S = 60.0


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
    deadline_s: float = _DEADLINE_S,
) -> dict[str, Any]:
    """Run one trial on loopback; return its figures.

    kill  after a third of the work a node and a collector end by SIGKILL, and come back after
          another third; when three quarters are done every node and every collector does
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
            if not up.acquire(timeout=60):
                raise Problem("a collector does not come up", "run it by hand", code=FAILED)
        fleet = Fleet(cluster.mqtt, gateways, records, seed)

        async def drive() -> tuple[bool, int]:
            work = asyncio.create_task(fleet.run(deadline_s))
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
        _settle(engine, begun + deadline_s + _SETTLE_S)
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


def _settle(engine: sa.Engine, until_s: float) -> None:
    """Wait for blocks whose birth was in the hands of a collector that was killed."""
    query = sa.select(sa.func.count()).select_from(t.parked)
    while time.monotonic() < until_s:
        with engine.connect() as connection:
            if not connection.scalar(query):
                return
        time.sleep(0.2)


def count(engine: sa.Engine, fleet: Fleet) -> dict[str, int]:
    """Compare journals with the database: what was acknowledged must be there, readable, once."""
    g, r = t.gateway.c, t.record.c
    lost = duplicated = 0
    with engine.connect() as connection:
        stored: dict[tuple[str, int], set[int]] = {}
        for row in connection.execute(
            sa.select(g.name, r.journal, r.seq, r.readings).join(t.gateway, g.id == r.gateway_id)
        ):
            seqs = stored.setdefault((row.name, row.journal), set())
            duplicated += row.seq in seqs
            if row.readings == READINGS:
                seqs.add(row.seq)
        for name, journal in zip(fleet.names, fleet.journals, strict=True):
            here = stored.get((name, journal.journal_id), set())
            lost += len(set(range(1, journal.acked + 1)) - here)
        doubled = (
            sa.select(t.reading.c.meter_id)
            .group_by(t.reading.c.meter_id, t.reading.c.at_ms)
            .having(sa.func.count() > 1)
        )
        duplicated += (
            connection.scalar(sa.select(sa.func.count()).select_from(doubled.subquery())) or 0
        )
    return {"lost": lost * READINGS, "duplicated": duplicated}


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes, 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
