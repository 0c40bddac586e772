"""Beside collectd: the same readings by MQTT into the same PostgreSQL, by its published way.

collectd (Debian's collectd-core) is a public collector that subscribes to MQTT and writes to
PostgreSQL. Each reading is one value list of POINTS values on a topic of its own, as its plugin
mqtt wants it, and becomes one row by a statement of its plugin postgresql. It has no blocks, no
numbers and no acknowledgement: what it took from the broker and had not written when it is
killed is gone, and what comes twice is stored twice.

    for figure in compare(server): ...      # server: tests.fakes.postgresql.PostgreSQL
"""

import contextlib
import multiprocessing
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from host_tools.codec.fast import speed_up
from host_tools.collect import Collector
from host_tools.collect.fleet.gateways import POINTS, READINGS, START_MS, Fleet, prepare_rows
from tests.bench.figure import Figure
from tests.fakes.broker_process import BrokerProcess
from tests.fakes.postgresql import PostgreSQL

_GATEWAYS = 10
_BLOCKS = 20
_ALL = _GATEWAYS * _BLOCKS * READINGS
_QUIET_S = 8.0  # nothing more is stored for so long: it has ended
_START_S = 60.0
_TYPES = "eclor " + ", ".join(f"{point[0]}:GAUGE:U:U" for point in POINTS) + "\n"
_TABLE = (
    "CREATE TABLE collectd (at TIMESTAMPTZ, host TEXT, plugin TEXT, plugin_inst TEXT, type TEXT,"
    " type_inst TEXT, names TEXT[], types TEXT[], vals FLOAT8[])"
)
_CONFIGURATION = """\
Hostname "collector"
BaseDir "{folder}"
PIDFile "{folder}/pid"
Interval 10
TypesDB "{folder}/types.db"
LoadPlugin mqtt
LoadPlugin postgresql
<Plugin mqtt>
  <Subscribe "in">
    Host "127.0.0.1"
    Port "{mqtt}"
    ClientId "collectd"
    Topic "collectd/#"
    QoS 1
    CleanSession false
  </Subscribe>
</Plugin>
<Plugin postgresql>
  <Writer sql>
    Statement "INSERT INTO collectd VALUES ($1::timestamptz, $2, $3, $4, $5, $6, $7::text[], $8::text[], $9::float8[])"
  </Writer>
  <Database {name}>
    Host "127.0.0.1"
    Port "{port}"
    User "eclor"
    CommitInterval 1
    Writer sql
  </Database>
</Plugin>
"""  # noqa: E501


def program() -> str | None:
    """Return collectd, or None where it is not installed."""
    return shutil.which("collectd") or shutil.which("collectd", path="/usr/sbin")


def compare(server: PostgreSQL) -> list[Figure]:
    """Measure both, then both killed in the middle; needs program()."""
    figures = []
    how = f"{_GATEWAYS} gateways x {_BLOCKS * READINGS} readings of {len(POINTS)} points by MQTT"
    for name, run in (("eclor collect", _ours), ("collectd", _theirs)):
        rate, _ = run(server, False)
        figures.append(
            Figure(f"broker to PostgreSQL, {name}", rate, "readings/s", f"{how}, nats-server")
        )
    for name, run in (("eclor collect", _ours), ("collectd", _theirs)):
        _, wrong = run(server, True)
        title = f"lost or doubled by kill -9 of the collector, {name}"
        figures.append(Figure(title, wrong, "readings", f"of {_ALL:,}; started again at once"))
    return figures


# -- theirs ----------------------------------------------------------------------------------


def _theirs(server: PostgreSQL, kill: bool) -> tuple[float, int]:
    url = server.new_database()
    with tempfile.TemporaryDirectory() as path, contextlib.ExitStack() as stack:
        folder = Path(path)
        broker = stack.enter_context(BrokerProcess("nats", folder))
        database = stack.enter_context(psycopg.connect(_plain(url), autocommit=True))
        database.execute(_TABLE)
        (folder / "types.db").write_text(_TYPES)
        parts = urlsplit(_plain(url))
        text = _CONFIGURATION.format(
            folder=folder, mqtt=broker.port, name=parts.path[1:], port=parts.port
        )
        (folder / "collectd.conf").write_text(text)
        found = program()
        assert found is not None, "ask program() first"
        child: subprocess.Popen[bytes] | None = None

        def start() -> None:
            nonlocal child
            command = [found, "-f", "-C", str(folder / "collectd.conf")]
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end() -> None:
            if child is not None:
                child.kill()
                child.wait()

        def stored() -> int:
            row = database.execute("SELECT COUNT(*) FROM collectd").fetchone()
            return row[0] if row else 0

        stack.callback(end)
        start()
        with _publisher(broker.port) as publish:
            # Its session with the broker is there when a first reading has come through.
            deadline = time.monotonic() + _START_S
            while not stored():
                assert time.monotonic() < deadline, "collectd stores nothing"
                publish("collectd/first/eclor/eclor", b"1700000000:1:1:1:1:1")
                time.sleep(0.5)
            time.sleep(1)
            database.execute("DELETE FROM collectd")
            rate = _run(publish, _value_lists(), stored, (end, start) if kill else None)
        distinct = database.execute(
            "SELECT COUNT(*) FROM (SELECT DISTINCT host, at FROM collectd) x"
        )
        row = distinct.fetchone()
        there = row[0] if row else 0
        return rate, _ALL - there + stored() - there


def _value_lists() -> Iterator[tuple[str, bytes]]:
    for rows in prepare_rows(_BLOCKS, START_MS):
        for gateway in range(_GATEWAYS):
            for at_ms, values in rows:
                words = ":".join(str(value) for value in values)
                topic = f"collectd/gw-{gateway:02d}/eclor-main/eclor"
                yield topic, f"{at_ms / 1000:.3f}:{words}".encode()


# -- ours ------------------------------------------------------------------------------------


def _ours(server: PostgreSQL, kill: bool) -> tuple[float, int]:
    url = server.new_database()
    context = multiprocessing.get_context("spawn")
    children = []
    with tempfile.TemporaryDirectory() as path, contextlib.ExitStack() as stack:
        broker = stack.enter_context(BrokerProcess("nats", Path(path)))

        def start() -> None:
            ready = context.Event()
            child = context.Process(target=_collect, args=(broker.port, url, ready), daemon=True)
            child.start()
            children.append(child)
            assert ready.wait(_START_S), "the collector does not come up"

        def end() -> None:
            children[-1].kill()
            children[-1].join()

        stack.callback(end)
        start()
        database = stack.enter_context(psycopg.connect(_plain(url), autocommit=True))

        def stored() -> int:
            row = database.execute("SELECT COALESCE(SUM(readings), 0) FROM record").fetchone()
            return int(row[0]) if row else 0

        with _publisher(broker.port) as publish:
            rate = _run(publish, _records(), stored, (end, start) if kill else None)
        row = database.execute(
            "SELECT COUNT(*), COUNT(DISTINCT (meter_id, at_ms)) FROM reading"
        ).fetchone()
        rows, there = row if row else (0, 0)
        return rate, _ALL - there + rows - there


def _collect(port: int, url: str, ready: Event) -> None:
    speed_up()
    with Collector("127.0.0.1", port, url) as collector:
        collector.wait_for(lambda now: now.broker == "up", _START_S)
        ready.set()
        collector.wait_for(lambda now: False, 3600)


def _records() -> Iterator[tuple[str, bytes]]:
    fleet = Fleet([], _GATEWAYS, _BLOCKS)
    room = memoryview(bytearray(4096))
    for index, name in enumerate(fleet.names):
        yield f"eclor/1/{name}/birth", fleet.birth(index)
    for seq in range(1, _BLOCKS + 1):
        for name, journal in zip(fleet.names, fleet.journals, strict=True):
            _, length = journal.read_from(seq, room)
            yield f"eclor/1/{name}/rec", bytes(room[:length])


# -- both ------------------------------------------------------------------------------------


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


@contextlib.contextmanager
def _publisher(port: int) -> Iterator[Callable[[str, bytes], mqtt.MQTTMessageInfo]]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "publisher")
    client.max_inflight_messages_set(200)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield lambda topic, payload: client.publish(topic, payload, qos=1)
    finally:
        client.disconnect()
        client.loop_stop()


def _run(
    publish: Callable[[str, bytes], mqtt.MQTTMessageInfo],
    messages: Iterator[tuple[str, bytes]],
    stored: Callable[[], int],
    restart: tuple[Callable[[], None], Callable[[], None]] | None,
) -> float:
    """Publish all and wait until no more is stored; return readings a second.

    restart  how the collector is killed, and started again, when a third is stored
    """
    begun = last = time.monotonic()
    sent = [publish(*message) for message in messages]
    count = 0
    while count < _ALL and time.monotonic() - last < _QUIET_S:
        time.sleep(0.05)
        now = stored()
        if now != count:
            count, last = now, time.monotonic()
        if restart and count > _ALL / 3:
            restart[0]()
            restart[1]()
            restart = None
            last = time.monotonic()
    for message in sent:
        message.wait_for_publish(_START_S)
    return count / (last - begun)
