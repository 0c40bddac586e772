"""What a collector needs for fleets of 100, 1,000 and 10,000 gateways: time and memory.

Each size stores the same number of blocks, which come in turns from all its gateways, then takes
the births of the same number of new gateways beside them: only the number of gateways that are
there differs. Time is processor time, the database's with it. Each size has a process of its own,
and the sizes work in turns, slice by slice: what else the computer has to do meets all of them.

    for size in measure(["sqlite:///a.db", "sqlite:///b.db", "sqlite:///c.db"]): ...
"""

import contextlib
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import sqlalchemy as sa

from host_tools.codec.fast import speed_up
from host_tools.collect.database import open_database
from host_tools.collect.fleet.gateways import Fleet
from host_tools.collect.messages import Message
from host_tools.collect.store import Store

SIZES = (100, 1000, 10_000)
BLOCKS = 10_000
NEWCOMERS = 3000
_BATCH = 500  # as collector.py takes them
_BIRTHS = 100  # in a batch: the smallest fleet has no more


@dataclass(frozen=True)
class Size:
    """What a fleet of this size needed."""

    gateways: int
    birth_us: float  # processor time to make one gateway more known, and its schema
    block_us: float  # processor time to store one block and move its journal's mark
    resident_mb: float  # the most that the collector's process had


def measure(urls: Sequence[str]) -> list[Size]:
    """Measure fleets of SIZES in these empty databases."""
    context = multiprocessing.get_context("spawn")
    pipes, children = [], []
    for url, gateways in zip(urls, SIZES, strict=True):
        mine, others = context.Pipe()
        children.append(context.Process(target=_work, args=(url, gateways, others)))
        children[-1].start()
        others.close()
        pipes.append(mine)

    def ask(pipe: Connection, what: tuple[str, int] | None) -> float:
        pipe.send(what)
        return float(pipe.recv())

    slices: dict[str, list[list[float]]] = {}
    for pipe in pipes:
        ask(pipe, ("fill", 0))
    for what, count in (("blocks", BLOCKS // _BATCH), ("births", NEWCOMERS // _BIRTHS)):
        slices[what] = [[] for _ in pipes]
        for number in range(count):
            for found, pipe in zip(slices[what], pipes, strict=True):
                found.append(ask(pipe, (what, number)))
    resident = [ask(pipe, None) for pipe in pipes]
    for child in children:
        child.join()
    medians = {what: [statistics.median(found) for found in rows] for what, rows in slices.items()}
    return [
        Size(*row)
        for row in zip(SIZES, medians["births"], medians["blocks"], resident, strict=True)
    ]


def _work(url: str, gateways: int, asked: Connection) -> None:
    """Be the collector of one size: do a slice of the work when asked, answer its us a piece."""
    speed_up()
    engine = open_database(url)
    store = Store(engine)
    fleet = Fleet([], gateways + NEWCOMERS, max(1, BLOCKS // gateways))
    room = memoryview(bytearray(4096))

    def birth(index: int) -> Message:
        return Message(f"eclor/1/{fleet.names[index]}/birth", fleet.birth(index))

    def block(number: int) -> Message:
        index, seq = number % gateways, number // gateways + 1
        _, length = fleet.journals[index].read_from(seq, room)
        return Message(f"eclor/1/{fleet.names[index]}/rec", bytes(room[:length]))

    def slice_of(make: Callable[[int], Message], first: int, count: int) -> float:
        batch = [make(number) for number in range(first, first + count)]
        begun = _spent(engine)
        store.take(batch)
        _checkpoint(engine)
        return (_spent(engine) - begun) * 1e6 / count

    while (what := asked.recv()) is not None:
        if what[0] == "fill":
            for first in range(0, gateways, _BIRTHS):
                slice_of(birth, first, min(_BIRTHS, gateways - first))
            asked.send(0.0)
        elif what[0] == "blocks":
            asked.send(slice_of(block, what[1] * _BATCH, _BATCH))
        else:
            asked.send(slice_of(birth, gateways + what[1] * _BIRTHS, _BIRTHS))
    engine.dispose()
    asked.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _checkpoint(engine: sa.Engine) -> None:
    """Let SQLite move what it has written to its place, which it else does now and then."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _spent(engine: sa.Engine) -> float:
    """Return the processor time of this process and of its database's server, s."""
    server = 0.0
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection, contextlib.suppress(OSError):
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            server = int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    return time.process_time() + server
