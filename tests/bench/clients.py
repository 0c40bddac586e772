"""Ours and others' MQTT clients on the real MicroPython, side by side: records until their PUBACK.

Each sends the same records at QoS 1 to one nats-server, by loopback or through a proxy that adds
a round trip. Ours is the whole way of the device: firmware/carrier, agent/uplink, .mpy files;
with a PUBACK counting as stored, because that is all that the others know.

    with Track(round_trip_s=0.1) as track: track.ours(200, window=8)
"""

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path

from host_tools.packing.image import compile_all
from host_tools.processes import broker as nats
from host_tools.processes.supervisor import Supervisor
from tests.fakes.authority import Authority
from tests.fakes.tcp_fault_proxy import TCPFaultProxy
from tests.on_micropython import interpreter

RECORD_BYTES = 443  # 427 bytes of a block of 60 readings x 5 registers, and the record around it

_EACH_MAPPED = {"MALLOC_MMAP_THRESHOLD_": "2048", "MALLOC_TOP_PAD_": "0"}

_OURS = """
import asyncio, gc, json, sys, time
from agent.clock import Clock
from agent.floor import Floor
from agent.names import Names
from agent.uplink import Uplink
from firmware import carrier
with open(sys.argv[1]) as file:
    settings = json.load(file)
class Hal:
    def ticks_ms(self):
        return time.ticks_ms() & (1 << 30) - 1
    def set_wall(self, ms):
        pass
class Journal:
    journal_id = 1
    acked = 0
    next = 1
    record = bytes(settings["size"])
    def read_from(self, seq, out):
        if seq >= self.next:
            return seq, 0
        out[: len(self.record)] = self.record
        return seq, len(self.record)
    def trim_through(self, journal_id, seq):
        self.acked = max(seq, self.acked)
class App:
    is_up = True
    config = {"uplink": settings}
    floor = Floor(Clock(), None)
    certificates = None
    def info(self, who, text, *values):
        print(text % values)
app = App()
app.log = app
journal = Journal()
def outside():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[5]) * 4096
gc.collect()
before, outside_before = gc.mem_alloc(), outside()
identity = {"gateway": "gw", "board": "host", "version": "1", "runtime": "t", "boot": 1}
app.uplink = Uplink(settings, journal, identity, lambda n: 0)
async def watch():
    count = settings["count"]
    while app.uplink.state != "online" or app.uplink.in_flight:
        await asyncio.sleep_ms(5)
    await asyncio.sleep_ms(300)
    gc.collect()
    print("heap", gc.mem_alloc() - before, outside() - outside_before)
    begun = time.ticks_us()
    journal.next = count + 1
    while journal.acked < count:
        await asyncio.sleep_ms(1)
    print("took", time.ticks_diff(time.ticks_us(), begun))
    sys.exit(0)
async def main():
    asyncio.create_task(watch())
    await carrier.run(app, Hal(), Names(lambda n: 0), app)
asyncio.run(main())
"""

_UMQTT_SIMPLE = """
import json, sys, time
from umqtt.simple import MQTTClient
with open(sys.argv[1]) as file:
    settings = json.load(file)
client = MQTTClient(b"peer", "127.0.0.1", settings["port"])
client.connect()
data = bytes(settings["size"])
begun = time.ticks_us()
for _ in range(settings["count"]):
    client.publish(b"eclor/1/gw/rec", data, qos=1)
print("took", time.ticks_diff(time.ticks_us(), begun))
"""

_MQTT_ASYNC = """
import asyncio, json, sys, time
class Station:
    def isconnected(self):
        return True
class Network:
    STA_IF = 0
    def WLAN(self, kind):
        return Station()
class Machine:
    def unique_id(self):
        return b"peer"
sys.modules["network"] = Network()
sys.modules["machine"] = Machine()
sys.modules["uasyncio"] = asyncio
import mqtt_async
with open(sys.argv[1]) as file:
    settings = json.load(file)
class Client(mqtt_async.MQTTClient):
    def _dns_lookup(self):  # the unix port's addresses are bytes, which it does not expect
        self._addr = (self._c.server, self._c.port)
async def main():
    mqtt_async.config.server = "127.0.0.1"
    mqtt_async.config.port = settings["port"]
    client = Client(mqtt_async.config)
    await client.connect()
    data = bytes(settings["size"])
    begun = time.ticks_us()
    for number in range(1, settings["count"] + 1):
        await client.publish("eclor/1/gw/rec", data, qos=1, sync=number == settings["count"])
    print("took", time.ticks_diff(time.ticks_us(), begun))
    sys.exit(0)
asyncio.run(main())
"""


class Track:
    """A nats-server and the way to it; round_trip_s: what the way adds; tls: mutual."""

    def __init__(self, round_trip_s: float = 0.0, tls: bool = False) -> None:
        self._round_trip_s = round_trip_s
        self._tls = tls
        self._stack = contextlib.ExitStack()
        self.heap = 0  # bytes that our session holds on line, in MicroPython's heap
        self.library = 0  # and that the TLS library has taken outside of it, in pages

    def __enter__(self) -> "Track":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        compile_all(self._folder / "slot")
        papers = None
        if self._tls:
            ours = Authority(self._folder, "ours")
            server, own = ours.issue("server"), ours.issue("gw")
            self._own = {"ca": f"{ours.folder}/ca.der", "cert": f"{own}.der"}
            self._own["cert_key"] = f"{own}.key.der"
            papers = nats.Papers(
                Path(f"{server}.pem"), Path(f"{server}.key.pem"), ours.folder / "ca.pem"
            )
        supervisor = self._stack.enter_context(Supervisor())
        broker = nats.Broker(supervisor, self._folder / "broker", papers=papers)
        broker.start()
        self._port = broker.mqtt_port
        if self._round_trip_s:
            proxy = self._stack.enter_context(TCPFaultProxy(("127.0.0.1", broker.mqtt_port)))
            proxy.delay_s = self._round_trip_s / 2
            self._port = proxy.address[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ours(self, count: int, window: int) -> float:
        """Return records per second of this project's way."""
        settings = {"host": "localhost", "tls": self._tls, "window": window, "ahead": 8 * window}
        settings |= {"acknowledge": "puback", **(self._own if self._tls else {})}
        said = self._run(_OURS, count, [self._folder / "slot"], settings)
        held = said.rsplit("heap ", 1)[1].split()
        self.heap, self.library = int(held[0]), int(held[1])
        return _rate(count, said)

    def umqtt_simple(self, folder: Path, count: int) -> float:
        """Return records per second of umqtt.simple, which waits for each PUBACK."""
        return _rate(count, self._run(_UMQTT_SIMPLE, count, [folder], {}))

    def mqtt_async(self, folder: Path, count: int) -> float:
        """Return records per second of mqtt_async with one record ahead, the most it can."""
        return _rate(count, self._run(_MQTT_ASYNC, count, [folder], {}))

    def _run(self, text: str, count: int, path: list[Path], settings: dict[str, object]) -> str:
        told = {"port": self._port, "count": count, "size": RECORD_BYTES, **settings}
        (self._folder / "settings.json").write_text(json.dumps(told))
        script = self._folder / "client.py"
        script.write_text(text)
        ran = subprocess.run(
            [
                interpreter(),
                "-X",
                "heapsize=384k",
                str(script),
                str(self._folder / "settings.json"),
            ],
            # So that what the TLS library takes from C shows in the size of the process.
            env={"MICROPYPATH": ":".join([*map(str, path), ".frozen"]), **_EACH_MAPPED},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = ran.stdout + ran.stderr
        assert "took " in said, said
        return said


def _rate(count: int, said: str) -> float:
    return count / (int(said.rsplit("took ", 1)[1].split(maxsplit=1)[0]) / 1e6)
