"""The uplink's figures: the price of exactly once on the wire, and what the window buys.

All in memory or on loopback; TCP and IP are not counted. wire.py counts TLS, storm.py draws.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

from agent.uplink import Uplink
from host_tools import broker as nats
from host_tools.image import compile_all
from host_tools.supervisor import Supervisor
from tests.bench import storm, wire
from tests.bench.figure import Figure
from tests.fakes.authority import Authority
from tests.fakes.broker import Broker, pump
from tests.fakes.journal import MemoryJournal
from tests.on_micropython import ROOT, interpreter

_RECORD_BYTES = 443  # 427 bytes of a block of 60 readings x 5 registers, and the record around it
_COUNT = 500
_ROUND_TRIP_MS = 100
_IDENTITY = {"gateway": "gw-ecole", "board": "host", "version": "1", "runtime": "x", "boot": 1}


def _make(count: int, **settings: int) -> tuple[Uplink, MemoryJournal, Broker]:
    journal = MemoryJournal()
    uplink = Uplink(settings, journal, _IDENTITY, lambda n: 0)
    broker = Broker(b"gw-ecole")
    pump(uplink, broker, 0)
    journal.fill(count, _RECORD_BYTES - 16)
    return uplink, journal, broker


def _drain_ms(count: int, window: int) -> int:
    """Return the virtual time until all is acknowledged, every answer one round trip late."""
    uplink, journal, broker = _make(count, window=window)
    now_ms = 0
    while journal.acked < count:
        uplink.step(now_ms)
        while length := uplink.output():
            broker.take(bytes(uplink.out[:length]))
            uplink.sent(now_ms)
        now_ms += _ROUND_TRIP_MS
        answer, broker.out = broker.out, b""
        uplink.received(answer, 0, len(answer), now_ms)
    return now_ms


_BACKLOG = 180 * 144  # blocks of 60 readings ten seconds apart, 180 days
_HEAP = """
import asyncio, gc, json, sys, time
from agent.certificates import Certificates
from agent.clock import Clock
from agent.floor import Floor
from agent.journal import Journal
from agent.names import Names
from agent.store import Files
from agent.uplink import Uplink
from firmware import carrier
class Hal:
    def ticks_ms(self):
        return time.ticks_ms() & (1 << 30) - 1
    def set_wall(self, ms):
        pass
class App:
    is_up = True
    def info(self, who, text, *values):
        print(text % values)
app = App()
app.log = app
with open(sys.argv[1]) as file:
    settings = json.load(file)
app.config = {"uplink": settings}
app.floor = Floor(Clock(), None)
app.certificates = Certificates(None, print)
journal = Journal(Files(settings["folder"]), lambda: 1, 65536)
journal.start()
gc.collect()
before = gc.mem_alloc()
identity = {"gateway": "gw", "board": "host", "version": "1", "runtime": "t", "boot": 1}
app.uplink = Uplink(settings, journal, identity, lambda n: 0)
async def watch():
    while app.uplink.state != "online":
        await asyncio.sleep_ms(20)
    await asyncio.sleep_ms(200)
    gc.collect()
    print("heap", gc.mem_alloc() - before)
    sys.exit(0)
async def main():
    asyncio.create_task(watch())
    await carrier.run(app, Hal(), Names(lambda n: 0), app)
asyncio.run(main())
"""


def _heap_connected() -> int:
    """Return the heap that a session with mutual TLS takes on MicroPython, from .mpy files."""
    with tempfile.TemporaryDirectory() as name, Supervisor() as supervisor:
        folder = Path(name)
        compile_all(folder / "slot")
        ours = Authority(folder, "ours")
        server, own = ours.issue("server"), ours.issue("gw")
        papers = nats.Papers(
            Path(f"{server}.pem"), Path(f"{server}.key.pem"), ours.folder / "ca.pem"
        )
        started = nats.Broker(supervisor, folder / "broker", papers=papers)
        started.start()
        settings = {"host": "localhost", "port": started.mqtt_port, "tls": True}
        settings |= {"ca": f"{ours.folder}/ca.der", "cert": f"{own}.der"}
        settings |= {"cert_key": f"{own}.key.der", "folder": f"{folder}/journal"}
        told, script = folder / "settings.json", folder / "gateway.py"
        told.write_text(json.dumps(settings))
        script.write_text(_HEAP)
        ran = subprocess.run(
            [interpreter(), "-X", "heapsize=384k", str(script), str(told)],
            env={"MICROPYPATH": f"{folder}/slot:.frozen"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    said = ran.stdout + ran.stderr
    return int(said.rsplit("heap ", 1)[1].split()[0])


def _storm_figures() -> list[Figure]:
    off, on = storm.run(False), storm.run(True)
    path = ROOT / "build" / "uplink-storm.svg"
    storm.picture([off, on], path)
    told = f"{storm.GATEWAYS} gateways, broker away 20 s, then 50 handshakes/s; build/{path.name}"
    return [
        Figure("storm: all back, with jitter", on.online_s, "s", told),
        Figure("storm: all back, without", off.online_s, "s", told),
        Figure("storm: peak of attempts, with jitter", on.peak, "1/s", told),
        Figure("storm: peak of attempts, without", off.peak, "1/s", told),
    ]


def _wire_figures() -> list[Figure]:
    each, connection = wire.blocks_per_reading(50)
    told = "TLS 1.2 records, MQTT, PUBACK and acknowledgement, both ways; 5 points a reading"
    figures = [
        Figure("bytes on the wire per reading", each, "bytes", told + "; blocks of 60"),
        Figure("bytes of a connection", connection, "bytes", "handshake, mutual, to on line"),
    ]
    for form in ("json", "cbor"):
        alone = wire.messages_per_reading(500, form)
        name = f"SenML {form.upper()} sent per reading, against it"
        figures.append(Figure(name, alone / each, "times", f"{alone:.0f} bytes, QoS 1; " + told))
    return figures


def run() -> list[Figure]:
    """Measure; see the module's text for what is not counted."""
    uplink, journal, broker = _make(_COUNT)
    before = uplink.counters["bytes_out"] + uplink.counters["bytes_in"]
    begun = time.perf_counter()
    pump(uplink, broker, 1)
    seconds = time.perf_counter() - begun
    wire = uplink.counters["bytes_out"] + uplink.counters["bytes_in"] - before
    assert journal.acked == _COUNT
    one, eight = _drain_ms(_COUNT, 1), _drain_ms(_COUNT, 8)
    backlog_ms = _drain_ms(_BACKLOG, 8)
    return [
        Figure(
            "overhead per record",
            wire / _COUNT - _RECORD_BYTES,
            "bytes",
            "PUBLISH head, PUBACK and ack of 500 records of 443 bytes, without TLS, TCP and IP",
        ),
        Figure(
            "records per second",
            _COUNT / seconds,
            "1/s",
            "Uplink and fake broker in memory on CPython",
        ),
        Figure(
            "drain, window 8 against 1",
            one / eight,
            "times",
            "500 records at 100 ms round trip in virtual time",
        ),
        Figure(
            "drain of a 180-day backlog",
            backlog_ms / 60_000,
            "minutes",
            "25,920 blocks of 60 readings at 100 ms round trip, window 8, in virtual time; "
            f"{one / eight * backlog_ms / 3_600_000:.2g} h with a window of 1",
        ),
        *_wire_figures(),
        Figure(
            "heap of a session with mutual TLS",
            _heap_connected() / 1024,
            "KB",
            "gc.mem_alloc of MicroPython, 64-bit objects, .mpy, after a collection; nats-server",
        ),
        *_storm_figures(),
    ]
