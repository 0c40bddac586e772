"""What a collector needs for fleets of 100, 1,000 and 10,000 gateways: time and memory.

Each size stores the same number of blocks, which come in turns from all its gateways, so that
only the number of gateways differs. Time is processor time, the database's with it, so that a
busy computer does not change it. Each size runs in a process of its own.

    for size in measure("sqlite:///x.db", 1000): ...
"""

import contextlib
import multiprocessing
import os
import resource
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from host_tools.codec_fast import speed_up
from host_tools.collect.database import open_database
from host_tools.collect.fleet.gateways import Fleet
from host_tools.collect.messages import Message
from host_tools.collect.store import Store

SIZES = (100, 1000, 10_000)
BLOCKS = 10_000
_BATCH = 500  # as collector.py takes them


@dataclass(frozen=True)
class Size:
    """What a fleet of this size needed."""

    gateways: int
    birth_us: float  # processor time to make one gateway known, and its schema
    block_us: float  # processor time to store one block and move its journal's mark
    resident_mb: float  # the most that the collector's process had


def measure(url: str, gateways: int) -> Size:
    """Store BLOCKS blocks of so many gateways in an empty database, in a fresh process."""
    context = multiprocessing.get_context("spawn")
    mine, others = context.Pipe()
    child = context.Process(target=_work, args=(url, gateways, others))
    child.start()
    others.close()
    found: Size = mine.recv()
    child.join()
    return found


def _work(url: str, gateways: int, answer: Connection) -> None:
    speed_up()
    engine = open_database(url)
    store = Store(engine)
    each = BLOCKS // gateways
    fleet = Fleet([], gateways, each)
    room = memoryview(bytearray(4096))

    def birth(index: int) -> Message:
        return Message(f"eclor/1/{fleet.names[index]}/birth", fleet.birth(index))

    def block(number: int) -> Message:
        index, seq = number % gateways, number // gateways + 1
        _, length = fleet.journals[index].read_from(seq, room)
        return Message(f"eclor/1/{fleet.names[index]}/rec", bytes(room[:length]))

    def spent() -> float:
        with engine.connect() as connection:
            server = 0.0
            if engine.dialect.name == "postgresql":
                server = _processor_s(connection.exec_driver_sql("SELECT pg_backend_pid()"))
        return time.process_time() + server

    def store_all(make: object, count: int) -> float:
        total = 0.0
        for first in range(0, count, _BATCH):
            batch = [make(n) for n in range(first, min(first + _BATCH, count))]  # type: ignore[operator]
            begun = spent()
            store.take(batch)
            total += spent() - begun
        return total * 1e6 / count

    # What a process does once, whatever its fleet, is not the first gateway's.
    other = Fleet([], 1, 1, seed=1)
    store.take([Message(f"eclor/1/{other.names[0]}/birth", other.birth(0))])
    births = store_all(birth, gateways)
    blocks = store_all(block, BLOCKS)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    engine.dispose()
    answer.send(Size(gateways, births, blocks, resident))


def _processor_s(cursor: object) -> float:
    """Return the processor time of a database server's process on this computer."""
    pid = cursor.scalar()  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
