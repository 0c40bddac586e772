"""Gateways that update themselves over a real broker: the App, its slots, boot.py's choice.

What a firmware does is decided by the file `behaves` of its bundle: "well", "crash" (its starts
end at once), "deaf" (half of the meters answer no more). All gateways live in one thread.

    with Fleet(folder, ("127.0.0.1", port), names, old, release_key) as fleet:
        fleet.versions()
"""

import json
import socket
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from agent.app import App
from agent.clock import Clock
from agent.config import validate
from agent.journal import Journal
from agent.log import Log
from agent.mac import Mac
from agent.meter import OK, SILENT
from agent.session import CLOSE, OPEN
from agent.settings import Settings
from agent.slots import Slots
from agent.upgrade import KEYS, Upgrade
from host_tools.packing import bundle
from tests.fakes.memory_ground import MemoryGround

boot: Any = import_module("firmware.boot")  # host tools' types know nothing of a board's
_MASK = (1 << 30) - 1
_METER = {"port": "line", "protocol": "modbus", "map": "s0_counter4", "interval_s": 3600}


def key_of(name: str) -> bytes:
    """Return the 32 bytes that a gateway shares with its collector."""
    return name.encode().ljust(32, b"\7")


class Gateway:
    """One of them; root is the folder that is its flash."""

    def __init__(self, name, root, address, old, release_key):
        self.name = name
        self.root = str(root)
        self.starts = 0
        self._address = address
        self._grounds = (MemoryGround(), MemoryGround())
        self._grounds[1].slots[KEYS] = release_key
        root.mkdir(parents=True)
        (root / "a").write_bytes(old)
        (root / "slot").write_bytes(bundle.slot_state("a"))
        self._sock = None
        self.version = ""
        self._start("power")

    def _start(self, cause):
        """Begin a life as boot.py does: choose, count, run."""
        while True:
            self.starts += 1
            slot, state, wrong = boot.choose(self.root)
            assert slot, wrong
            read = bundle.read((Path(self.root) / slot).read_bytes())
            files = {row.path: read.file(row) for row in read.rows}
            behaves = files["behaves"].decode()
            if behaves != "crash":
                break
            state[5] = "OSError: it crashed"
            if slot != state[1]:
                state[3] += 1
            boot.write_state(self.root, state)
            cause = "soft"
        self.version = read.version
        self._is_deaf = behaves == "deaf"
        self._run(slot, state, cause)

    def _run(self, slot, state, cause):
        config, problems = validate(
            {
                "gateway": self.name,
                "board": "host",
                "ports": [{"name": "line", "uart": "uart1"}],
                "meters": [
                    _METER | {"name": f"m{unit}", "options": {"unit": unit}} for unit in (1, 2)
                ],
                "uplink": {"key": key_of(self.name).hex(), "state_s": 1},
                "update": {"settle_s": 1, "trial_s": 30},
            }
        )
        assert problems == []
        self._grounds = tuple(ground.cut() for ground in self._grounds)
        journal = Journal(self._grounds[0], lambda: 77, 64 * 1024)
        identity = {"gateway": self.name, "site": "", "board": "host", "version": self.version}
        identity |= {"runtime": "test", "boot": self.starts, "slot": slot}
        clock = Clock(self.starts)
        clock.tick(_now())
        clock.set_wall(time.time_ns() // 1_000_000, _now(), "board")
        app = self.app = App(
            config,
            journal,
            clock,
            identity,
            lambda n: n // 2,
            Log(),
            lambda: (1, 1),
            self._grounds[1],
        )
        slots, settings = Slots(self.root, slot, state), Settings(self.root)
        settings.look()
        settings.running = settings.state[0]
        app.upgrade = Upgrade(app, slots, key_of(self.name), self._grounds[1], settings)
        app.start(_now(), cause)

    def step(self):
        """Live on a little."""
        app = self.app
        for i, meter in enumerate(app.meters):
            meter.state = SILENT if self._is_deaf and i else OK
            meter.answers = 1
            meter.failures = int(self._is_deaf and i > 0)
        app.step(_now())
        app.uplink.step(_now())
        try:
            self._carry()
        except OSError as error:
            self._drop(str(error))
        if app.orders.is_restart_due(_now()):
            app.save(_now())
            app.journal.sync()
            self._drop("restart")
            self._start("soft")

    def _carry(self):
        uplink = self.app.uplink
        if uplink.action == OPEN:
            self._sock = socket.create_connection(self._address, 2)
            uplink.opened(_now())
        elif uplink.action == CLOSE:
            raise OSError("closed")
        if self._sock is None:
            return
        while length := uplink.output():
            self._sock.settimeout(2)
            self._sock.sendall(uplink.out[:length])
            uplink.sent(_now())
        self._sock.setblocking(False)
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        if not data:
            raise OSError("end of stream")
        uplink.received(data, 0, len(data), _now())

    def _drop(self, why):
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self.app.uplink.closed(_now(), why)


class Fleet(threading.Thread):
    """Gateways, one after the other in one thread."""

    def __init__(self, folder, address, names, old, release_key):
        super().__init__(daemon=True)
        self._halt = threading.Event()
        self.gateways = [Gateway(name, folder / name, address, old, release_key) for name in names]
        self.error: BaseException | None = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._halt.set()
        self.join(10)

    def run(self):
        try:
            while not self._halt.is_set():
                for gateway in self.gateways:
                    gateway.step()
                time.sleep(0.005)
        except BaseException as error:
            self.error = error
            raise

    def versions(self):
        """Return the version that each runs."""
        return {gateway.name: gateway.version for gateway in self.gateways}


def acknowledge(client, keys):
    """Let a paho client be the collector: it acknowledges every record that comes."""

    def on_message(_client, _userdata, message):
        name = message.topic.split("/")[2]
        number = message.payload[8:12] + message.payload[4:8]
        tag = Mac(keys[name]).tag(b"ack" + name.encode(), number)
        client.publish(f"eclor/1/{name}/ack", number + tag)

    client.on_message = on_message
    client.subscribe("eclor/1/+/rec", 1)


def keys_file(path, names):
    """Write the keys as eclor collect and rollout read them; return the path."""
    path.write_text(json.dumps({name: key_of(name).hex() for name in names}))
    return path


def _now():
    return time.monotonic_ns() // 1_000_000 & _MASK
