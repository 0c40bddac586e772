"""The collector's figures: readings a second, latency, fleets of three sizes, a peer, pages.

Blocks of 60 readings x 5 points, encoded beforehand. Collectors that share a database are
processes of their own, with the decoder that a collector has after its first 20,000 blocks
(host_tools/codec/fast.py), but for the row that says so. PostgreSQL and collectd are skipped,
and that is said, where they are not installed.
"""

import contextlib
import json
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import paho.mqtt.client as mqtt
import sqlalchemy as sa
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.codec.fast import speed_up
from host_tools.collect import Collector
from host_tools.collect.database import open_database
from host_tools.collect.fleet.gateways import POINTS, READINGS, prepare_blocks
from host_tools.collect.messages import Message
from host_tools.collect.open_data import Report, cells
from host_tools.collect.pages import data
from host_tools.collect.store import Store
from host_tools.collect.summaries import summarise
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from tests.bench import collect_peer
from tests.bench.collect_sizes import BLOCKS, NEWCOMERS, SIZES, measure
from tests.bench.figure import Figure
from tests.fakes import fleet_of_gateways, year_of_readings
from tests.fakes.gateway_messages import wire
from tests.fakes.postgresql import PostgreSQL, programs

_GATEWAYS = 30
_BLOCKS = 20
_BATCH = 100
_POSTS = 60
_START_MS = 1_700_000_000_000
_RAW_DAYS = 7


def _messages(first: int, gateways: int) -> list[Message]:
    blocks = prepare_blocks(_BLOCKS, _START_MS)
    made = []
    for gateway in range(first, first + gateways):
        name = f"bench-{gateway}"
        meter = {"name": "main", "protocol": "m", "map": "x", "interval_s": 10, "personal": False}
        schema = {"config": "00f1ee70", "gateway": name, "site": "s"}
        tree = {"gateway": name, "journal": 1 + gateway, "first": 1, "next": 1}
        tree["schema"] = {**schema, "meters": [{**meter, "points": POINTS}]}
        made.append(Message(f"eclor/1/{name}/birth", json.dumps(tree).encode()))
        for seq, block in enumerate(blocks, 1):
            payload = wire(1, seq, block, 1 + gateway)
            made.append(Message(f"eclor/1/{name}/rec", payload))
    return made


def _work(url, first, gateways, is_fast, ready, go, done):
    """Be one collector's store: a share of the gateways, in batches."""
    if is_fast:
        speed_up()
    store = Store(open_database(url))
    messages = _messages(first, gateways)
    ready.release()
    go.wait()
    for start in range(0, len(messages), _BATCH):
        store.take(messages[start : start + _BATCH])
    done.release()


def _readings_per_second(url: str, collectors: int, is_fast: bool = True) -> float:
    open_database(url).dispose()
    context = multiprocessing.get_context("spawn")
    ready, go, done = context.Semaphore(0), context.Event(), context.Semaphore(0)
    share = _GATEWAYS // collectors
    children = [
        context.Process(target=_work, args=(url, i * share, share, is_fast, ready, go, done))
        for i in range(collectors)
    ]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    begun = time.perf_counter()
    go.set()
    for _ in children:
        done.acquire()
    seconds = time.perf_counter() - begun
    for child in children:
        child.join()
    return share * collectors * _BLOCKS * READINGS / seconds


def _latencies(url: str) -> list[float]:
    """Return the seconds from publishing a record to its acknowledgement, one at a time."""
    found = []
    with tempfile.TemporaryDirectory() as folder, Supervisor() as supervisor:
        broker = Broker(supervisor, Path(folder))
        broker.start()
        with Collector("127.0.0.1", broker.mqtt_port, url) as collector:
            collector.wait_for(lambda now: now.broker == "up", 20)
            heard, ready = threading.Event(), threading.Event()
            client = mqtt.Client(CallbackAPIVersion.VERSION2, "bench")
            client.on_message = lambda *_: heard.set()
            client.on_subscribe = lambda *_: ready.set()
            client.connect("127.0.0.1", broker.mqtt_port)
            client.loop_start()
            client.subscribe("eclor/1/bench-0/ack", 0)
            ready.wait(20)
            birth, *records = _messages(0, 1)
            client.publish(birth.topic, birth.payload, 1).wait_for_publish(20)
            for _ in range(_POSTS // _BLOCKS):
                for record in records:
                    heard.clear()
                    begun = time.perf_counter()
                    client.publish(record.topic, record.payload, 1)
                    heard.wait(20)
                    found.append(time.perf_counter() - begun)
            client.disconnect()
            client.loop_stop()
    return found


def run() -> list[Figure]:
    """Measure; see the module's text for what a reading is."""
    figures = []
    rows = f"{_GATEWAYS} gateways x {_BLOCKS} blocks of {READINGS} readings x {len(POINTS)} points"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:

        def databases(name: str) -> list[tuple[str, str]]:
            made = [("SQLite", f"sqlite:///{folder}/{name}.db")]
            if server is not None:
                made.append(("PostgreSQL", server.new_database()))
            return made

        server = stack.enter_context(PostgreSQL(durable=True)) if programs() else None
        if server is None:
            print("PostgreSQL is not installed: its figures are left out")
        for collectors in (1, 3):
            for name, url in databases(f"stored{collectors}"):
                rate = _readings_per_second(url, collectors)
                how = f"{rows}, batches of {_BATCH} messages, every commit on the disk"
                title = f"stored, {name}, {collectors} collector{'s' if collectors > 1 else ''}"
                figures.append(Figure(title, rate, "readings/s", how))
                if collectors == 1:
                    engine = open_database(url)
                    begun = time.perf_counter()
                    summarise(engine)
                    seconds = time.perf_counter() - begun
                    engine.dispose()
                    rate = _GATEWAYS * _BLOCKS * READINGS / seconds
                    title = f"summarised, {name}"
                    figures.append(
                        Figure(title, rate, "readings/s", "the same, to steps and days")
                    )
        rate = _readings_per_second(f"sqlite:///{folder}/plain.db", 1, False)
        title = "stored, SQLite, 1 collector without the extra `fast`"
        figures.append(Figure(title, rate, "readings/s", how))
        for name, url in databases("latency"):
            found = sorted(_latencies(url))
            how = f"{len(found)} records of {READINGS} readings, one at a time, nats-server"
            median = statistics.median(found) * 1000
            worst = found[int(len(found) * 0.99)] * 1000
            figures.append(
                Figure(f"publish to acknowledgement, {name}, median", median, "ms", how)
            )
            figures.append(Figure(f"publish to acknowledgement, {name}, 99 %", worst, "ms", how))
        for name in ("SQLite", "PostgreSQL") if server else ("SQLite",):
            figures += _sizes(name, [dict(databases(f"size{n}"))[name] for n in SIZES])
        if server is None or collect_peer.program() is None:
            print("collectd (Debian: collectd-core) or PostgreSQL is not installed: no peer")
        else:
            figures += collect_peer.compare(server)
        figures += _pages(f"sqlite:///{folder}/pages.db")
    return figures


def _sizes(database: str, urls: list[str]) -> list[Figure]:
    """Measure fleets of three sizes; the bar is that none needs 1.2 times another's."""
    found = measure(urls)
    how = f"{BLOCKS:,} blocks in turns from all gateways, processor time with the database's"
    birth = f"with its schema, {NEWCOMERS:,} more gateways in batches of 100; likewise"
    figures = []
    for size in found:
        of = f"{size.gateways:,} gateways, {database}"
        figures += [
            Figure(f"a birth, {of}", size.birth_us, "us", birth),
            Figure(f"a block of {READINGS} readings, {of}", size.block_us, "us", how),
            Figure(f"resident at most, {of}", size.resident_mb, "MB", "the collector's process"),
        ]
    for what, values in (
        ("time for a block", [size.block_us for size in found]),
        ("time for a birth", [size.birth_us for size in found]),
        ("resident", [size.resident_mb for size in found]),
    ):
        title = f"{what}, dearest size / cheapest, {database}"
        figures.append(Figure(title, max(values) / min(values), "", "bar: 1.2"))
    return figures


def _pages(url: str) -> list[Figure]:
    """Time the queries behind the pages of 1,000 gateways with a year of steps each."""
    engine = fleet_of_gateways.fill(url, 1000, 0, 365)
    year_of_readings.clone(engine, _RAW_DAYS)
    now_ms = time.time_ns() // 1_000_000
    with engine.connect() as connection:
        count = connection.scalar(sa.text("SELECT COUNT(*) FROM reading"))
    how = f"SQLite, 1,000 gateways, sums of a year, {count:,} readings of {_RAW_DAYS} days"

    def timed(title: str, ask: Callable[[], object]) -> Figure:
        begun = time.perf_counter()
        ask()
        return Figure(f"{title}, query", (time.perf_counter() - begun) * 1000, "ms", how)

    day = 86_400_000
    figures = [
        timed("page of the fleet", lambda: data.fleet(engine)),
        timed("page of a gateway", lambda: data.points(engine, gateway="gw-00500")),
        timed("page of events", lambda: data.notes(engine)),
    ]
    for name, days in (("day", 1), ("month", 31), ("year", 366)):
        since_ms = now_ms - days * day
        figures.append(
            timed(
                f"history of a {name}",
                partial(data.history, engine, "gw-00500", "main", "power", since_ms, now_ms),
            )
        )
    span = (now_ms - 31 * day, 1 << 53)
    figures.append(
        timed(
            "page of open data, once in five minutes",
            lambda: list(cells(engine, 86_400, "site", 10, span, Report())),
        )
    )
    engine.dispose()
    return figures
